/**
 * The SLA page and its files, served from this process alone.
 *
 * Invariant: the page's policy lets it talk to its own origin and nowhere else, and run no script but these files. Files are
 * read once, at the first look.
 */
import { readFile } from 'node:fs/promises';
import type { HttpApp } from '../../../shared/http/http-server.ts';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE_FOLDER = new URL('../page/', import.meta.url);
const CHART_FOLDER = new URL('.', import.meta.resolve('uplot/dist/uPlot.iife.min.js'));

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
const FILES: readonly { readonly path: string; readonly file: URL; readonly type: string }[] = [
  { path: '/', file: new URL('index.html', PAGE_FOLDER), type: 'text/html; charset=utf-8' },
  { path: '/assets/page.css', file: new URL('page.css', PAGE_FOLDER), type: STYLE },
  { path: '/assets/icon.svg', file: new URL('icon.svg', PAGE_FOLDER), type: 'image/svg+xml' },
  ...['page.js', 'views.js', 'format.js', 'elements.js', 'lag-chart.js'].map((name) => ({
    path: `/assets/${name}`, file: new URL(name, PAGE_FOLDER), type: SCRIPT,
  })),
  { path: '/assets/uplot.js', file: new URL('uPlot.iife.min.js', CHART_FOLDER), type: SCRIPT },
  { path: '/assets/uplot.css', file: new URL('uPlot.min.css', CHART_FOLDER), type: STYLE },
];

export function addPageRoutes(app: HttpApp): void {
  for (const { path, file, type } of FILES) {
    let bytes: Promise<Buffer> | undefined;
    app.get(path, { config: { isQuiet: true } }, async (_request, reply) => {
      bytes ??= readFile(file);
      void reply.headers({
        'content-type': type,
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        // A page of yesterday's version over today's figures would mislead.
        'cache-control': 'no-cache',
      });
      return reply.send(await bytes);
    });
  }
}
