/** The figures of all regions side by side, at most 80 columns. Pure; an unknown figure is a dash. */
import type { PartName } from '../domain/health-score.ts';
import type { RegionReport, ReplicationReport } from '../domain/report.ts';

export interface AskedRegion {
  readonly region: string;
  readonly report: RegionReport | null;
  /** Why there is no report. */
  readonly error: string | null;
}

const LINE_WIDTH = 80;
const COLUMN_WIDTH = 24;
/** Of the second line of what is too long for one. */
const INDENT = ' '.repeat(9);
const PARTS: Readonly<Record<PartName, string>> = {
  lag: 'lag p99 ≤ 2 s', success: 'API success ≥ 99.95 %', offsetGap: 'offset gap ≤ 100', config: 'config equal',
};

export function renderSla(asked: readonly AskedRegion[]): string {
  const row = (label: string, read: (report: RegionReport) => string): string =>
    label.padEnd(28) + asked.map(({ report }) => (report === null ? '–' : read(report)).padStart(COLUMN_WIDTH)).join('');
  const lines = [
    ''.padEnd(28) + asked.map(({ region }) => region.padStart(COLUMN_WIDTH)).join(''),
    row('health score', (report) => `${report.health.score} / 100`),
    ...Object.entries(PARTS).map(([name, label]) => row(`  ${label}`, (report) => pointsOf(report, name as PartName))),
    row('lag 1 min p50 / p99', ({ lag }) => `${ms(lag.oneMinute.p50)} / ${ms(lag.oneMinute.p99)}`),
    row('lag 10 min p99 / p99.9', ({ lag }) => `${ms(lag.tenMinutes.p99)} / ${ms(lag.tenMinutes.p999)}`),
    row('API success 1 min', ({ api }) => percent(api.oneMinute.successRate)),
    row('RPO exposure', ({ replication }) => guardOf(replication)),
    row('rows/s captured / applied', ({ replication: r }) => `${rate(r.rowsCapturedPerSecond)} / ${rate(r.rowsAppliedPerSecond)}`),
    row('conflicts kept', ({ replication }) => String(replication.conflicts?.total ?? '–')),
    row('dead letters + held', ({ replication: { deadLetters } }) => (deadLetters === null ? '–' : `${deadLetters.poison} + ${deadLetters.held}`)),
    row('units parked', ({ replication: { parkedUnits } }) => (parkedUnits === null ? '–' : String(parkedUnits.length))),
    row('waits for schema', ({ replication: { schemaWaits } }) => waits(schemaWaits)),
    row('snapshot', ({ replication }) => snapshotOf(replication)),
    row('processes up', ({ targets }) => `${targets.filter((target) => target.isUp).length} of ${targets.length}`),
    row('state', (report) => report.state ?? '–'),
    '',
    ...alertLines(asked).flatMap(wrapped),
    '',
  ];
  return lines.map((line) => line.slice(0, LINE_WIDTH).trimEnd()).join('\n');
}

function pointsOf(report: RegionReport, name: PartName): string {
  const part = report.health.parts.find((candidate) => candidate.name === name);
  return part === undefined ? '–' : `${part.value === null ? 'no data  ' : ''}${part.points} / ${part.weight}`;
}

function alertLines(asked: readonly AskedRegion[]): string[] {
  const lines = asked.flatMap(({ region, report, error }) =>
    report === null
      ? [`${region} cannot be asked: ${error}`]
      : report.alerts.map(({ severity, meaning }) => `${severity} ${region}: ${meaning}`));
  return lines.length === 0 ? ['no alert stands'] : lines;
}

/** Broken between words: an alert whose end is cut off is no alert. */
function wrapped(line: string): string[] {
  const end = line.length <= LINE_WIDTH ? -1 : line.lastIndexOf(' ', LINE_WIDTH);
  return end <= INDENT.length ? [line] : [line.slice(0, end), ...wrapped(INDENT + line.slice(end + 1))];
}

/** What the peer is known to lack of this region's writes, and what the guard makes of it. */
function guardOf({ guard }: ReplicationReport): string {
  return guard === null ? '–' : `${ms(guard.exposureMs)}, ${guard.state}`;
}

/** The first by name: there is room for one, and the page shows all. */
function waits(names: readonly string[] | null): string {
  if (names === null || names.length === 0) return names === null ? '–' : 'none';
  const more = names.length > 1 ? ` +${names.length - 1}` : '';
  return `${names[0]!.slice(0, COLUMN_WIDTH - 2 - more.length)}${more}`;
}

function snapshotOf({ snapshot, deadLetters }: ReplicationReport): string {
  // Both come with one look at the database: without the one, nothing is known of the other.
  if (snapshot === null) return deadLetters === null ? '–' : 'none';
  return `${snapshot.state}, ${snapshot.rowsDone} rows`;
}

function rate(perSecond: number | null): string {
  return perSecond === null ? '–' : perSecond.toFixed(perSecond < 10 ? 1 : 0);
}

function ms(value: number | null): string {
  return value === null ? '–' : value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** Rounded down, as on the page: 99.996 % is not 100 %. */
function percent(share: number | null): string {
  return share === null ? '–' : `${Math.floor(share * 100_000) / 1000} %`;
}
