/**
 * How a bench ends: tables for people, 80 columns wide, then with --json the contract's one object as the last line of stdout.
 *
 * Invariant: a target whose value could not be measured (null) is unmet, never left out. Progress goes to stderr, so that stdout holds
 * the result alone. A bench that measured to its end exits 0 whatever the figures are; 1 says that what ran went wrong.
 */
import { paint } from '../../deploy/local/console.ts';

/** A figure that an issue asks for: at least `target` where higher is better, at most `target` where lower is. */
export interface Target {
  readonly name: string;
  /** null: it could not be measured; `figures` says why. */
  readonly value: number | null;
  readonly target: number;
  readonly better: 'higher' | 'lower';
}

/** Numbers are shown with three significant digits or as whole ones; null as a dash. */
export type Cell = string | number | null;

export interface Table {
  readonly title: string;
  /** The first column is left-aligned text, the others are right-aligned. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface BenchReport {
  readonly bench: string;
  /** Everything that was measured, in the shape that suits it; what could not run, and why. */
  readonly figures: Readonly<Record<string, unknown>>;
  readonly targets: readonly Target[];
  readonly tables?: readonly Table[];
}

const WIDTH = 80;

export function isMet({ value, target, better }: Target): boolean {
  return value !== null && (better === 'higher' ? value >= target : value <= target);
}

/** Prints the whole report: tables, targets, and the object as the last line where `json` asks for it. */
export function printReport(report: BenchReport, options: { readonly json: boolean }): void {
  const lines = [...(report.tables ?? []).flatMap((table) => ['', ...renderTable(table)]), '', ...renderTargets(report.targets)];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(reportObject(report))}\n`);
}

/** The contract's object. */
export function reportObject({ bench, figures, targets }: BenchReport): Record<string, unknown> {
  return { bench, figures, targets: targets.map((target) => ({ ...target, met: isMet(target) })) };
}

/** Lines of at most 80 characters: the first column is shortened where a row would be longer. */
export function renderTable({ title, columns, rows }: Table): string[] {
  const cells = [columns, ...rows].map((row) => row.map(formatCell));
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const rest = widths.slice(1).reduce((sum, width) => sum + width + 2, 0);
  const first = Math.min(widths[0] ?? 0, WIDTH - rest);
  const [head, ...body] = cells.map((row) =>
    row.map((cell, column) => (column === 0 ? shorten(cell, first).padEnd(first) : `  ${cell.padStart(widths[column] ?? 0)}`)).join('').trimEnd());
  return [paint(title, 'bold'), paint(head ?? '', 'dim'), ...body];
}

function renderTargets(targets: readonly Target[]): string[] {
  const rows = targets.map((target) => [target.name, target.value, `${target.better === 'higher' ? '>=' : '<='} ${formatCell(target.target)}`]);
  const [title = '', head = '', ...body] = renderTable({ title: 'Targets', columns: ['', 'reached', 'target'], rows });
  const marks = targets.map((target) => (isMet(target) ? paint('  met', 'green') : paint('  UNMET', 'red')));
  return [title, head, ...body.map((line, i) => line + (marks[i] ?? ''))];
}

export function formatCell(cell: Cell): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell) || Math.abs(cell) >= 100) return Math.round(cell).toLocaleString('en-US');
  return String(Number(cell.toPrecision(3)));
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
