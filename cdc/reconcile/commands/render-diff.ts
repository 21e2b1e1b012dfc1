/** The report of a comparison as text of at most 80 columns. Pure; no colour, so that it can be pasted into a ticket. */
import type { DiffReport, ListedDifference } from '../run-diff.ts';

/** Differences printed; the JSON has more. */
export const PRINTED_MAX = 20;
const LINE_WIDTH = 80;

export function renderDiff(report: DiffReport): string {
  const lines = [
    row('table', 'rows', 'different', 'unsettled'),
    ...report.tables.map((t) => row(t.table, number(t.rowsCompared), number(t.rowsDifferent), number(t.rowsUnsettled))),
    row('all', number(report.rowsCompared), number(report.rowsDifferent), number(report.rowsUnsettled)),
    '',
  ];
  const printed = report.differences.slice(0, PRINTED_MAX);
  for (const difference of printed) lines.push(...describe(difference, report));
  if (report.rowsDifferent > printed.length) lines.push(`… and ${number(report.rowsDifferent - printed.length)} more`);
  if (printed.length > 0) lines.push('');
  lines.push(verdict(report), '');
  return lines.map((line) => line.slice(0, LINE_WIDTH)).join('\n');
}

function verdict({ left, right, rowsDifferent, rowsUnsettled, tookMs }: DiffReport): string {
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  const unsettled = `${number(rowsUnsettled)} row(s) still on their way: run it again`;
  if (rowsDifferent > 0) return `${left} and ${right} DIFFER (${took})${rowsUnsettled > 0 ? `; ${unsettled}` : ''}`;
  if (rowsUnsettled > 0) return `not proven: ${unsettled} (${took})`;
  return `${left} and ${right} are identical (${took})`;
}

function describe({ table, id, kind, columns, versions }: ListedDifference, { left, right }: DiffReport): string[] {
  const what = {
    'missing': `only in ${left}`,
    'extra': `only in ${right}`,
    'different': `differs in ${(columns ?? []).join(', ')}`,
    'version-only': 'differs in its version only',
  }[kind];
  const version = (side: string): string => {
    const found = versions[side];
    return found === null || found === undefined ? 'absent' : `${found.hlc}/${found.origin}`;
  };
  return [`${table} ${id}: ${what}`, `    ${left} ${version(left)}   ${right} ${version(right)}`];
}

function row(table: string, rows: string, different: string, unsettled: string): string {
  return `${table.padEnd(24)}${rows.padStart(16)}${different.padStart(14)}${unsettled.padStart(14)}`;
}

function number(count: number): string {
  return count.toLocaleString('en');
}
