/**
 * The page at /docs: Swagger UI over an OpenAPI document that this server serves.
 *
 * Invariant: nothing of it is read before somebody looks; nothing comes from another host, and the page's policy says so.
 * It takes the files of @fastify/swagger-ui but not its routes, which want the document at start and under /docs.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { HttpApp } from './http-server.ts';
import { OPENAPI_PATH } from './openapi.ts';

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};
/** Swagger UI writes style attributes, and its icons are data URLs. */
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'";
const HIDDEN = { schema: { hide: true }, config: { isQuiet: true } };

export function addDocsPage(app: HttpApp, { title, openapiPath = OPENAPI_PATH }: { readonly title: string; readonly openapiPath?: string }): void {
  const page = pageOf(title);
  const start = `window.ui = SwaggerUIBundle({ url: ${JSON.stringify(openapiPath)}, dom_id: '#ui', deepLinking: true, presets: [SwaggerUIBundle.presets.apis] });\n`;
  app.get('/docs', HIDDEN, (_request, reply) => {
    void reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', POLICY).serializer(String).send(page);
  });
  app.get('/docs/start.js', HIDDEN, (_request, reply) => {
    void reply.header('content-type', 'text/javascript; charset=utf-8').serializer(String).send(start);
  });
  for (const [name, type] of Object.entries(FILES)) {
    app.get(`/docs/${name}`, HIDDEN, async (_request, reply) => {
      const bytes = await readFile(fileURLToPath(new URL(`static/${name}`, import.meta.resolve('@fastify/swagger-ui'))));
      return reply.header('content-type', type).header('cache-control', 'public, max-age=3600').send(bytes);
    });
  }
}

function pageOf(title: string): string {
  const safe = title.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${safe}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
`;
}
