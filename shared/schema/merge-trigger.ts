/**
 * The part of an update trigger that keeps `_merge`, and refuses what the rules of a merged table forbid.
 *
 * Invariants: the text it leaves is the one that cdc/resolve/merge-state.ts writes for the same state, to the byte (MariaDB keeps
 * JSON as text). An insert leaves NULL: a row without `_merge` stands as it was inserted, so inserts cost nothing. Whatever
 * a local write changes gets the row's new version, byte by byte: a value that only a collation calls equal counts as changed.
 * Deliberately absent: the row's own version (triggers.ts), and the apply session, which writes `_merge` as it was merged.
 */
import { MERGE_COLUMN, REST_GROUP, UNGROUPED_COLUMNS, columnsOf } from './conflict-rules.ts';
import type { ConflictRules, CounterGroup, ExtremeGroup, MergeRules, StateGroup } from './conflict-rules.ts';
import type { ColumnFacts, TableFacts } from './table-facts.ts';

/** What triggers have to know of a merged table. */
export interface MergedTable { readonly facts: TableFacts; readonly rules: MergeRules }
export type MergedTables = ReadonlyMap<string, MergedTable>;

/** Region numbers are 1 to 15: the slots of a counter are named by them. */
const ORIGIN_MAX = 15;
/** The longest text that both servers take in a SIGNAL. */
const MESSAGE_CHARACTERS_MAX = 128;
/** Compared as they are: equal values of these types have equal bytes, or compare byte by byte anyway. */
const EXACT_TYPES: ReadonlySet<string> = new Set([
  'tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'year', 'bit', 'date', 'time', 'datetime', 'timestamp', 'float', 'double',
  'binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob',
]);

export function mergedTables(rules: ConflictRules, facts: ReadonlyMap<string, TableFacts>): MergedTables {
  return new Map([...rules].flatMap(([table, merge]) => {
    const found = facts.get(table);
    return found === undefined ? [] : [[table, { facts: found, rules: merge }] as const];
  }));
}

/** A statement for an update trigger's BEGIN block, at its head. It refuses, or leaves NEW._merge; NEW._hlc must be what it will be. */
export function mergeBlock(merged: MergedTable, origin: number): string {
  const { rules: { groups } } = merged;
  const refusals = groups.flatMap((group) => {
    if (group.rule === 'state-machine') return [refuseStepBack(merged.facts.table, group)];
    return group.rule === 'max' || group.rule === 'min' ? [refuseAgainst(merged.facts.table, group)] : [];
  });
  const counters = groups.filter((group) => group.rule === 'counter').toSorted((a, b) => (a.column < b.column ? -1 : 1));
  return [
    'BEGIN',
    '  DECLARE v_now, v_born VARCHAR(32) CHARACTER SET ascii;',
    '  DECLARE v_groups, v_counters, v_slots TEXT CHARACTER SET utf8mb4;',
    `  DECLARE v_refusal VARCHAR(${MESSAGE_CHARACTERS_MAX}) CHARACTER SET utf8mb4;`,
    ...refusals,
    '  IF NEW.id <> OLD.id THEN',
    `    SET NEW.${MERGE_COLUMN} = NULL;`,
    '  ELSE',
    `    SET v_now = CONCAT(NEW._hlc, '/${origin}'), v_born = JSON_VALUE(OLD.${MERGE_COLUMN}, '$.born');`,
    // Not IFNULL: on MySQL what JSON_VALUE returns has a collation of its own, which mixes with variables only.
    "    IF v_born IS NULL THEN SET v_born = CONCAT(OLD._hlc, '/', OLD._origin); END IF;",
    ...counters.map((counter) => countSlots(counter, origin)),
    `    SET v_groups = CONCAT_WS(',', ${groupEntries(merged).join(',\n      ')});`,
    `    SET NEW.${MERGE_COLUMN} = CONCAT('{"born":"', v_born, '"', IF(v_groups = '', '', CONCAT(',"g":{', v_groups, '}')), IF(v_counters IS NULL, '', CONCAT(',"n":{', v_counters, '}')), '}');`,
    '  END IF;',
    'END;',
  ].map((line) => `    ${line}`).join('\n');
}

/** `"name":"version"` of each group, NULL (which CONCAT_WS leaves out) where it has not been written since the row was born. */
function groupEntries({ facts, rules }: MergedTable): string[] {
  const rest = [...facts.columns.keys()].filter((name) => !rules.named.has(name) && !UNGROUPED_COLUMNS.has(name));
  const named = rules.groups.filter((group) => group.rule !== 'counter').map((group) => ({ name: group.name, columns: columnsOf(group) }));
  return [...named, { name: REST_GROUP, columns: rest }]
    .map(({ name, columns }) => ({ name, columns: columns.map((column) => facts.columns.get(column)).filter((column) => column?.isGenerated === false) as ColumnFacts[] }))
    .filter(({ columns }) => columns.length > 0)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, columns }) => `CONCAT('"${name}":"', IF(${columns.map(isUnchanged).join(' AND ')}, JSON_VALUE(OLD.${MERGE_COLUMN}, '$.g."${name}"'), v_now), '"')`);
}

/** One side as bytes makes the server compare bytes, at half the price of both. */
function isUnchanged({ name, type }: ColumnFacts): string {
  if (EXACT_TYPES.has(type)) return `NEW.\`${name}\` <=> OLD.\`${name}\``;
  const text = (row: string): string => (type === 'json' ? `CAST(${row}.\`${name}\` AS CHAR)` : `${row}.\`${name}\``);
  return `${text('NEW')} <=> CAST(${text('OLD')} AS BINARY)`;
}

/**
 * Appends the counter to v_counters. Its first change takes what the row was born with as the part of the region it was born in.
 * A region's part grows by what this write adds, not to the value: the other regions' parts are in the value, too.
 */
function countSlots({ column }: CounterGroup, origin: number): string {
  const path = `'$.n."${column}"'`;
  const slot = (of: number): string => (of === origin
    ? `CONCAT('"${of}":["', NEW._hlc, '","', IFNULL(CAST(JSON_VALUE(v_slots, '$."${of}"[1]') AS SIGNED), 0) + CAST(NEW.\`${column}\` AS SIGNED) - CAST(OLD.\`${column}\` AS SIGNED), '"]')`
    : `CONCAT('"${of}":', ${extracted('v_slots', `'$."${of}"'`)})`);
  const slots = Array.from({ length: ORIGIN_MAX }, (_, i) => slot(i + 1));
  return `    SET v_slots = ${extracted(`OLD.${MERGE_COLUMN}`, path)};
    IF NOT (NEW.\`${column}\` <=> OLD.\`${column}\`) THEN
      IF v_slots IS NULL THEN
        SET v_slots = CONCAT('{"', SUBSTRING_INDEX(v_born, '/', -1), '":["', SUBSTRING_INDEX(v_born, '/', 1), '","', OLD.\`${column}\`, '"]}');
      END IF;
      SET v_slots = CONCAT('{', CONCAT_WS(',', ${slots.join(',\n        ')}), '}');
    END IF;
    IF v_slots IS NOT NULL THEN
      SET v_counters = CONCAT_WS(',', v_counters, CONCAT('"${column}":', v_slots));
    END IF;`;
}

/** Both servers put spaces into what they extract; none of `_merge` is part of a name or a number. */
function extracted(json: string, path: string): string {
  return `REPLACE(JSON_EXTRACT(${json}, ${path}), ' ', '')`;
}

function refuseStepBack(table: string, { name, column, ranks }: StateGroup): string {
  const rank = (row: string): string =>
    `CASE CAST(${row}.\`${column}\` AS BINARY) ${ranks.flatMap((states, i) => states.map((state) => `WHEN '${state}' THEN ${i}`)).join(' ')} ELSE -1 END`;
  return `  IF NOT (CAST(NEW.\`${column}\` AS BINARY) <=> CAST(OLD.\`${column}\` AS BINARY)) AND ${rank('NEW')} < ${rank('OLD')} THEN
    ${refuse(`${table}.${column} cannot go back from `, column, `state-machine of group ${name}`)}
  END IF;`;
}

function refuseAgainst(table: string, { name, rule, column }: ExtremeGroup): string {
  const against = rule === 'max' ? '<' : '>';
  return `  IF OLD.\`${column}\` IS NOT NULL AND (NEW.\`${column}\` IS NULL OR NEW.\`${column}\` ${against} OLD.\`${column}\`) THEN
    ${refuse(`${table}.${column} cannot ${rule === 'max' ? 'fall' : 'rise'} from `, column, `${rule} of group ${name.split('.')[0] ?? name}`)}
  END IF;`;
}

function refuse(what: string, column: string, rule: string): string {
  const sentence = `CONCAT('${what}', OLD.\`${column}\`, ' to ', IFNULL(NEW.\`${column}\`, 'NULL'), ' (rule ${rule})')`;
  return `SET v_refusal = LEFT(${sentence}, ${MESSAGE_CHARACTERS_MAX});
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = v_refusal;`;
}
