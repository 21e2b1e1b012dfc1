/** The SLA page in a real headless Chromium: it shows the figures of /api/sla, complains about nothing, and never shows old as new. */
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeHttp, listen } from '../../../shared/http/http-server.ts';
import type { HttpApp } from '../../../shared/http/http-server.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { buildOps } from '../../../services/ops/app.ts';
import type { SlaReport } from '../../../services/ops/domain/report.ts';
import { SampleSla } from './sample-sla.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
/** Where screenshots go when somebody wants to look: TANDEM_SCREENSHOTS=dir. */
const SCREENSHOTS = process.env['TANDEM_SCREENSHOTS'];

describe.skipIf(CHROMIUM === undefined)('the SLA page', () => {
  let browser: Browser;
  let app: HttpApp;
  let url: string;
  let source: SampleSla;
  let ticker: NodeJS.Timeout;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] });
  });

  afterAll(async () => browser?.close());

  beforeEach(async () => {
    source = new SampleSla(Date.now());
    const labels = { service: 'ops', region: 'east', instance: 'ops-east' };
    app = buildOps({ source, metrics: createMetrics(labels), log: createLog({ name: 'ops', level: 'silent', ...labels }) });
    url = `http://127.0.0.1:${(await listen(app, { host: '127.0.0.1', port: 0 })).port}`;
    ticker = setInterval(() => source.tick(Date.now()), 1000);
  });

  afterEach(async () => {
    clearInterval(ticker);
    for (const context of browser.contexts()) await context.close();
    complaints.length = 0;
    await closeHttp(app);
  });

  it('shows the figures of /api/sla: score with its four parts, lag both ways, 64 units, every process', async () => {
    const page = await open();
    const report = (await (await fetch(`${url}/api/sla`)).json()) as SlaReport;
    expect(await page.locator('[data-region="east"] .score b').textContent()).toBe('100');
    expect(await page.locator('[data-region="east"] [data-part]').count()).toBe(4);
    expect(await page.locator('[data-region="east"] [data-part="lag"] .points').textContent()).toBe('35 / 35');
    expect(await page.locator('#units li').count()).toBe(64);
    expect(await page.locator('#units li').nth(9).getAttribute('aria-label')).toBe('unit 09, home west, epoch 3');
    expect(await page.locator('#lag-table tbody tr').allTextContents()).toEqual([
      expect.stringContaining('west → east'), expect.stringContaining('east → west'),
    ]);
    const p99 = `${Math.round(report.regions['east']?.lag.oneMinute.p99 ?? 0)} ms`;
    expect(await page.locator('#lag-table tbody tr').first().textContent()).toContain(p99);
    expect(await page.locator('#lag-chart canvas').count()).toBe(1);
    expect(await page.locator('#targets [data-target]').count()).toBe(18);
    expect(await page.locator('#targets-note').textContent()).toBe('18 of 18 up');
    expect(complaints).toEqual([]);
  });

  it('says which process is down, which alert stands, and since when the peer is silent', async () => {
    source.down.add('payment-east');
    source.lagFactor = 300;
    for (let i = 5; i > 0; i -= 1) source.tick(Date.now() - i * 1000);
    source.peerSilentSinceMs = Date.now() - 20_000;
    const page = await open();
    expect(await page.locator('[data-target="payment-east"]').textContent()).toContain('downpayment-eastconnection refused');
    const alerts = await page.locator('#alerts').textContent();
    expect(alerts).toContain('P0 · east: replication is more than 5 s behind');
    expect(alerts).toContain('west does not answer');
    expect(await page.locator('#scores').textContent()).toMatch(/west.*no data since \d\d:\d\d:\d\d \(20 s|21 s|22 s\)/);
    await shoot(page, 'bad-night');
    expect(complaints).toEqual([]);
  });

  it('shows what of replication waits for somebody, by name: units, changes, columns, the guard that refuses writes', async () => {
    const calm = await open();
    expect(await calm.locator('#replication tbody tr').allTextContents()).toEqual(expect.arrayContaining([
      expect.stringContaining('RPO exposure312 ms'), expect.stringContaining('RPO guardclear'), expect.stringMatching(/^Rows applied[\d,]+3[01] \/s/),
      expect.stringContaining('Queue of capture512 KiBof 64.0 MiB'), expect.stringContaining('Could not be written0'), expect.stringContaining('Waits for schemanone'),
    ]));
    source.isReplicationIll = true;
    for (let i = 62; i >= 0; i -= 1) source.tick(Date.now() - i * 1000);
    const page = await open();
    const rows = await page.locator('#replication tbody tr').allTextContents();
    expect(rows).toEqual(expect.arrayContaining([
      expect.stringContaining('RPO exposure8.4 s312 ms'), expect.stringContaining('RPO guardpausingclear'), expect.stringContaining('Could not be written20'),
      expect.stringContaining('Held behind those310'), expect.stringContaining('Units parked09 170'), expect.stringContaining('Waits for schemarides.boarding_notenone'),
      expect.stringContaining('Snapshotrunning ride_events1,250,000 rowsnone'),
    ]));
    const alerts = await page.locator('#alerts').textContent();
    for (const words of ['RPO guard refuses writes', 'could not be written here']) expect(alerts).toContain(words);
    await shoot(page, 'ill-replication');
    expect(complaints).toEqual([]);
  });

  it('turns grey and says since when, once its own figures stop coming', async () => {
    const page = await open();
    clearInterval(ticker);
    await closeHttp(app);
    await page.locator('#freshness.stale').waitFor({ timeout: 12_000 });
    expect(await page.locator('#freshness').textContent()).toMatch(/^no data since \d\d:\d\d:\d\d/);
    await shoot(page, 'stale');
  });

  it('fits a phone, in light and dark, with nothing cut off', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const viewport of [{ width: 375, height: 812 }, { width: 1280, height: 900 }]) {
        const page = await open({ colorScheme, viewport });
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        for (const id of ['figures', 'replication']) {
          const figures = `document.getElementById('${id}')`;
          expect(await page.evaluate(`${figures}.scrollWidth <= ${figures}.clientWidth`), id).toBe(true);
        }
        await shoot(page, `${colorScheme}-${viewport.width}`);
      }
    }
    expect(complaints).toEqual([]);
  });

  async function open(options: { colorScheme?: 'light' | 'dark'; viewport?: { width: number; height: number } } = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text()); });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => { if (!request.url().startsWith(url)) complaints.push(`asked ${request.url()}`); });
    await page.goto(url);
    await page.locator('#main[aria-busy="false"]').waitFor();
    return page;
  }
});

async function shoot(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS !== undefined) await page.screenshot({ path: `${SCREENSHOTS}/sla-${name}.png`, fullPage: true });
}
