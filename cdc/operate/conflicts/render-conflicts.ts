/**
 * Conflicts as text of at most 80 columns: a list, or one with both images side by side. Pure.
 *
 * Invariant: without `full` only columns that differ are shown, beside ids and versions: images hold personal data.
 */
import { formatHlc } from '../../../shared/clock/hlc.ts';
import type { Image, Value } from '../../change/envelope.ts';
import type { PaintText } from '../commands/answer.ts';
import { LINE_WIDTH, cell, count, fit, hanging, plural, utc } from '../commands/layout.ts';
import { comparedColumns } from './conflict.ts';
import type { Conflict, Side } from './conflict.ts';
import type { FoundConflicts } from './read-conflicts.ts';

export function renderList({ conflicts, hasMore, unreachable }: FoundConflicts, filtered: boolean, paint: PaintText): string {
  const lines = unreachable.map((region) => paint(`${region} does not answer: only the other region's records are shown`, 'yellow'));
  if (conflicts.length === 0) return `${[...lines, filtered ? 'no conflict fits' : 'no conflict is on record'].join('\n')}\n`;
  lines.push(paint(`${cell('id', 19)} ${cell('first seen, UTC', 15)} ${cell('table', 15)} ${cell('kind', 13)} outcome`, 'bold'));
  for (const { id, detectedMs, table, kind, verdict } of conflicts) {
    lines.push(`${cell(id, 19)} ${utc(detectedMs).slice(5, 19)}  ${cell(table, 15)} ${cell(kind, 13)} ${fit(verdict, 14)}`);
  }
  lines.push('', `${plural(conflicts.length, 'conflict')}${hasMore ? '; there are older ones: --limit N shows more' : ''}`);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

const NAME_WIDTH = 19;
const SIDE_WIDTH = Math.floor((LINE_WIDTH - NAME_WIDTH - 4) / 2);

export function renderConflict(conflict: Conflict, { full, paint }: { readonly full: boolean; readonly paint: PaintText }): string {
  const { id, table, rowId, unit, kind, rule, sides, winner, verdict, records } = conflict;
  const [a, b] = sides;
  const columns = comparedColumns(a.image ?? null, b.image ?? null);
  const isShown = (column: string, differs: boolean): boolean => full || differs || column === 'id' || column === 'unit';
  const row = (name: string, left: string, right: string, differs = false): string => {
    const line = `${differs ? '*' : ' '} ${cell(name, NAME_WIDTH)} ${cell(left, SIDE_WIDTH)} ${fit(right, SIDE_WIDTH)}`.trimEnd();
    return differs ? paint(line, 'yellow') : line;
  };
  const shown = columns.filter(({ column, differs }) => isShown(column, differs));
  const lines = [
    ...hanging('', `conflict ${id}: ${kind} in ${table}, row ${rowId}, unit ${unit}`),
    `rule ${rule}: ${verdict}`,
    '',
    paint(row('', titleOf(a, winner === 0), titleOf(b, winner === 1)), 'bold'),
    row('written, UTC', utc(a.writtenMs), utc(b.writtenMs)),
    row('version', versionText(a), versionText(b)),
    ...shown.map(({ column, differs }) => row(column, valueText(a.image, column), valueText(b.image, column), differs)),
    '',
    ...hidden(columns.length - shown.length),
    ...records.map(({ region, outcome, detectedMs }) => `recorded in ${region} ${utc(detectedMs)} UTC: ${outcome}`),
    ...(winner === null ? [] : ['', 'to take the losing image after all:', `  ./tandem conflicts replay ${id}`]),
  ];
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function hidden(columns: number): string[] {
  return columns === 0 ? [] : [`${plural(columns, 'column')} alike in both: --full shows ${columns === 1 ? 'it' : 'them'}, personal data and all`];
}

function titleOf({ writer, image }: Side, won: boolean): string {
  return `${writer}${image === null ? ' (deleted it)' : ''}${won ? ' <- won' : ''}`;
}

function versionText({ version }: Side): string {
  return `${formatHlc(version.hlc)}/${version.origin}`;
}

function valueText(image: Image | null | undefined, column: string): string {
  if (image === null || image === undefined) return '-';
  return columnText(image[column]);
}

/** One line for any value: a text as it is, what is no text in a form that cannot be mistaken for one. */
export function columnText(value: Value | undefined): string {
  if (value === undefined) return '-';
  if (value === null) return 'NULL';
  if (value === '') return "''";
  // eslint-disable-next-line no-control-regex -- control characters of a stored text would move the cursor
  if (typeof value === 'string') return value.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·');
  if (typeof value === 'object' && '$b64' in value) {
    const data = Buffer.from(value.$b64, 'base64');
    return `x'${data.subarray(0, 8).toString('hex')}${data.length > 8 ? `…' (${count(data.length)} bytes)` : "'"}`;
  }
  return JSON.stringify(value);
}
