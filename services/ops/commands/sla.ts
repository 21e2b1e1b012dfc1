/**
 * `tandem sla`: the SLA figures of both regions, in the terminal. Exit 0: all alerts are quiet. Exit 1: one stands, or a region
 * cannot be asked.
 */
import type { Command } from 'commander';
import type { Topology } from '../../../shared/config/topology.ts';
import { fetchText } from '../collect/scrape.ts';
import type { RegionReport } from '../domain/report.ts';
import { renderSla } from './render-sla.ts';
import type { AskedRegion } from './render-sla.ts';

const ASK_DEADLINE_MS = 3_000;

export function registerSla(program: Command, deps: { readonly readTopology: () => Topology }): void {
  program
    .command('sla')
    .summary('show health score, lag, API success and alerts')
    .description('Shows how well each region keeps its promises now, side by side.')
    .option('--json', 'print one JSON object as the last line')
    .addHelpText('after', `
Health score, of 100: 35 replication lag, 30 API success, 25 how far the stream
of changes is read, 10 that both regions are configured alike. Below 90 alerts.
"No data" counts as 0 points: right after a start, wait a few seconds. The same
figures as a page: the dashboard that ./tandem status names.

Exit codes: 0 no alert stands; 1 one does, or a region cannot be asked.
`)
    .action(async (flags: { json?: true }) => {
      const asked = await askAll(deps.readTopology());
      const regions = Object.fromEntries(asked.map(({ region, report }) => [region, report]));
      process.stdout.write(flags.json === undefined ? renderSla(asked) : `${JSON.stringify({ regions })}\n`);
      process.exitCode = asked.every(({ report }) => report !== null && report.alerts.length === 0) ? 0 : 1;
    });
}

/** Each region about itself, from its own ops process. */
async function askAll({ regions }: Topology): Promise<AskedRegion[]> {
  const byOrigin = Object.entries(regions).toSorted(([, a], [, b]) => a.origin - b.origin);
  return Promise.all(byOrigin.map(async ([region, { endpoints }]): Promise<AskedRegion> => {
    try {
      const text = await fetchText(`${endpoints.dashboard}/api/sla/region`, ASK_DEADLINE_MS);
      return { region, report: JSON.parse(text) as RegionReport, error: null };
    } catch (e) {
      return { region, report: null, error: e instanceof Error ? e.message : String(e) };
    }
  }));
}
