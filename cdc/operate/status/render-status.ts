/**
 * Both directions of replication on one screen of 80 columns: each from the region that wrote to the one that applies. Pure.
 */
import type { ApplyStatus, CaptureStatus, SnapshotNote } from '../control-api.ts';
import type { PaintText, Tone } from '../commands/answer.ts';
import { LINE_WIDTH, bytes, cell, count, fit, hanging, plural, since, utc } from '../commands/layout.ts';
import { problemsOf } from './problems.ts';
import type { Problem } from './problems.ts';
import type { Overview, RegionOverview } from './read-overview.ts';

const TONES: Readonly<Record<string, Tone>> = { streaming: 'green', applying: 'green', paused: 'yellow', stuck: 'red', standby: 'yellow' };
const INDENT = ' '.repeat(18);

export function renderStatus(overview: Overview, paint: PaintText): string {
  const { atMs, regions } = overview;
  const lines = [paint(`${cell('replication', 80 - 24)} ${utc(atMs)}`.slice(0, LINE_WIDTH), 'bold')];
  for (const source of regions) {
    const target = regions[(regions.indexOf(source) + 1) % regions.length] as RegionOverview;
    lines.push('', paint(direction(source, target), 'bold'), ...captureLines(source, atMs, paint), ...applyLines(target, atMs, paint));
  }
  const problems = problemsOf(overview);
  lines.push('', ...(problems.length === 0 ? [paint('nothing is wrong', 'green')] : problems.flatMap((problem) => problemLines(problem, paint))));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function direction(source: RegionOverview, target: RegionOverview): string {
  const lag = target.apply.kind === 'seen' ? target.apply.status.lag : null;
  const text = lag === null ? 'lag unknown: nothing arrives' : `lag p50 ${ms(lag.p50Ms)}, p99 ${ms(lag.p99Ms)} (last minute)`;
  return `${source.region} -> ${target.region}   ${text}`;
}

function captureLines({ region, capture }: RegionOverview, atMs: number, paint: PaintText): string[] {
  if (capture.kind === 'silent') return [head('capture', region, 'no answer', 'red', '', paint)];
  const { state, position, queuedBytes, queueLimitBytes, pause, snapshots } = capture.status;
  const rates = capture.rates === null ? '' : `${rate(capture.rates.rows)} changes/s, ${bytes(capture.rates.bytes ?? 0)}/s, `;
  return [
    head('capture', region, state, TONES[state], `${rates}queue ${bytes(queuedBytes)} of ${bytes(queueLimitBytes)}`, paint),
    ...(position === null || position === '' ? [] : [`${INDENT}at ${fit(position, LINE_WIDTH - INDENT.length - 3)}`]),
    ...pauseLines(pause, atMs),
    ...snapshots.filter(({ state: stage }) => stage === 'running' || stage === 'requested').map((each) => `${INDENT}${fit(snapshotLine(each), LINE_WIDTH - INDENT.length)}`),
  ];
}

function applyLines({ region, apply }: RegionOverview, atMs: number, paint: PaintText): string[] {
  if (apply.kind === 'silent') return [head('apply', region, 'no answer', 'red', '', paint)];
  const { state, partitions, pause, conflicts, deadLetters, parkedUnits } = apply.status;
  const behind = partitions.reduce((sum, each) => sum + Number(each.behind), 0);
  const rates = apply.rates === null ? '' : `${rate(apply.rates.rows)} rows/s, `;
  return [
    head('apply', region, state, TONES[state], `${rates}${partitions.length === 0 ? 'reads nothing: how far behind is unknown' : `${plural(behind, 'message')} behind in ${plural(partitions.length, 'partition')}`}`, paint),
    ...pauseLines(pause, atMs),
    ...hanging(`${INDENT}conflicts `, conflictText(conflicts)),
    `${INDENT}dead letters ${deadLetters === null ? 'unknown' : `${count(deadLetters.poison)}, held behind them ${count(deadLetters.held)}, units parked ${parkedUnits.length}`}`,
  ];
}

function head(part: string, region: string, state: string, tone: Tone | undefined, rest: string, paint: PaintText): string {
  const name = cell(`  ${part} ${region}`, INDENT.length);
  const shown = cell(state, 10);
  return `${name}${tone === undefined ? shown : paint(shown, tone)} ${fit(rest, LINE_WIDTH - name.length - 11)}`;
}

function pauseLines(pause: CaptureStatus['pause'], atMs: number): string[] {
  if (pause === null) return [];
  return hanging(`${INDENT}paused `, `${since(atMs - Date.parse(pause.at))} ago by ${pause.by}: ${pause.reason}`);
}

function conflictText(conflicts: ApplyStatus['conflicts']): string {
  if (conflicts === null) return 'unknown';
  const total = Object.values(conflicts).reduce((sum, n) => sum + n, 0);
  if (total === 0) return '0 in the last hour';
  const kinds = Object.entries(conflicts).toSorted(([, a], [, b]) => b - a).map(([kind, n]) => `${kind} ${count(n)}`);
  return `${count(total)} in the last hour: ${kinds.join(', ')}`;
}

export function snapshotLine({ id, state, table, tables, rowsDone, rowsPerSecond }: SnapshotNote): string {
  const place = table === null ? 'not begun' : `table ${tables.indexOf(table) + 1}/${tables.length} ${table}`;
  return `snapshot ${id} ${state}: ${state === 'done' ? plural(tables.length, 'table') : place}, ${plural(rowsDone, 'row')}, at most ${count(rowsPerSecond)}/s`;
}

export function problemLines({ region, part, message, action }: Problem, paint: PaintText): string[] {
  const [first = '', ...rest] = hanging(`${part} of ${region}: `, message);
  return [paint(first, 'red'), ...rest, ...hanging('  what to do: ', action)];
}

function ms(value: number): string {
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(1)} s`;
}

function rate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

