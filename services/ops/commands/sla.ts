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
    .description('health score with its four parts, lag, API success and alerts of both regions')
    .option('--json', 'print one JSON object as the last line')
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
