/**
 * What a table looks like on one side: its columns with their types, as far as comparing needs them.
 *
 * Invariant: a comparison is only begun where both sides have the same columns; anything else is refused by name, never
 * compared in part. Column order does not matter.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';

export interface Column {
  readonly name: string;
  /** information_schema's data_type: "bigint", "varchar", "json", … */
  readonly type: string;
}

export interface TableShape {
  readonly table: string;
  /** Sorted by name. */
  readonly columns: readonly Column[];
}

const REQUIRED = ['id', '_hlc', '_origin'] as const;

/** The columns to compare and those that are JSON; throws diff-refused naming every mismatch of the table. */
export function commonShape(left: TableShape, right: TableShape, names: { left: string; right: string }): {
  readonly columns: readonly Column[];
  readonly jsonColumns: ReadonlySet<string>;
} {
  const { table } = left;
  const problems: string[] = [];
  const [leftNames, rightNames] = [new Set(left.columns.map((c) => c.name)), new Set(right.columns.map((c) => c.name))];
  for (const [side, own] of [[names.left, leftNames], [names.right, rightNames]] as const) {
    if (own.size === 0) problems.push(`${side} has no table ${table}`);
    else for (const name of REQUIRED) if (!own.has(name)) problems.push(`${side}: ${table} has no column ${name}`);
  }
  if (problems.length === 0) {
    for (const name of leftNames) if (!rightNames.has(name)) problems.push(`only ${names.left} has ${table}.${name}`);
    for (const name of rightNames) if (!leftNames.has(name)) problems.push(`only ${names.right} has ${table}.${name}`);
  }
  if (problems.length > 0) {
    throw new TandemError('diff-refused', `cannot compare ${table}: ${problems.join('; ')}`, { details: { table, problems } });
  }
  const isJson = ({ type }: Column): boolean => type === 'json';
  const jsonColumns = new Set([...left.columns, ...right.columns].filter(isJson).map((column) => column.name));
  return { columns: left.columns, jsonColumns };
}
