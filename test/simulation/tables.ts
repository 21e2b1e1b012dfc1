/**
 * The tables of the simulated databases: one plain, one merged with every rule, both with unique keys that rows fight for.
 */
import { mergeRules } from '../../shared/schema/conflict-rules.ts';
import { parseRules } from '../../shared/schema/conflict-rules-parse.ts';
import { rulesOf } from '../../cdc/resolve/table-rules.ts';
import type { TableRules } from '../../cdc/resolve/table-rules.ts';

const RULES = `
version: 1
tables:
  rides:
    groups:
      status: { rule: state-machine, column: status, order: [[new], [open], [done, failed]], with: [driver] }
      progress: { rule: max, columns: [seq] }
      price: { rule: min, columns: [cheapest] }
      visits: { rule: counter, columns: [seen] }
      label: { rule: lww, columns: [label] }
      seat: { rule: lww, columns: [seat] }
`;

const parsed = parseRules(RULES);
if (parsed.problems.length > 0) throw new Error(JSON.stringify(parsed.problems));
const rules = new Map(parsed.tables.map(({ table, groups }) => [table, mergeRules(groups.map(({ group }) => group))]));

export interface SimulatedTable {
  readonly rules: TableRules;
  /** Each of one column, which may be NULL. */
  readonly uniqueKeys: readonly string[];
}

export const TABLES: ReadonlyMap<string, SimulatedTable> = new Map([
  ['people', { rules: rulesOf(rules, 'people'), uniqueKeys: ['code'] }],
  ['rides', { rules: rulesOf(rules, 'rides'), uniqueKeys: ['code', 'seat'] }],
]);

export const STATES = ['new', 'open', 'done', 'failed'] as const;

export function tableOf(name: string): SimulatedTable {
  const table = TABLES.get(name);
  if (table === undefined) throw new Error(`no table ${name}`);
  return table;
}
