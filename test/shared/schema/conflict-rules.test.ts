/** The rules file: what it says, and every way in which it can be wrong, all at once. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { rankOf } from '../../../shared/schema/conflict-rules.ts';
import type { StateGroup } from '../../../shared/schema/conflict-rules.ts';
import { checkedRules } from '../../../shared/schema/conflict-rules-check.ts';
import { SHIPPED_RULES_FILE } from '../../../shared/schema/conflict-rules-file.ts';
import { parseRules } from '../../../shared/schema/conflict-rules-parse.ts';
import type { ColumnFacts, TableFacts } from '../../../shared/schema/table-facts.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { RIDE_STATUSES, rankOf as rideRank } from '../../../services/dispatch/domain/ride-state.ts';

const column = (name: string, type: string, more: Partial<ColumnFacts> = {}): [string, ColumnFacts] => [name, { name, type, isUnsigned: false, isNullable: true, isGenerated: false, ...more }];

const ZOO: TableFacts = {
  table: 'zoo',
  columns: new Map([
    column('id', 'bigint'), column('status', 'varchar'), column('keeper', 'varchar'), column('seq', 'int'), column('fee', 'decimal'), column('notes', 'longtext'),
    column('seen', 'tinyint', { isUnsigned: true, isNullable: false }), column('spent', 'bigint', { isNullable: true }), column('huge', 'bigint', { isUnsigned: true, isNullable: false }),
    column('twice', 'int', { isGenerated: true }), column('code', 'varchar'), column('shelf', 'varchar'), column('updated_at', 'datetime'), column('_merge', 'longtext'),
  ]),
  uniqueKeys: new Map([['one_code', ['code']], ['one_place', ['code', 'shelf']]]),
};
const facts = new Map([['zoo', ZOO], ['bare', { ...ZOO, table: 'bare', columns: new Map([...ZOO.columns].filter(([name]) => name !== '_merge')), uniqueKeys: new Map() }]]);

const problemsOf = (text: string): string[] => {
  try {
    checkedRules({ file: 'rules.yaml', text, facts, tables: ['zoo', 'bare', 'gone'] });
    return [];
  } catch (e) {
    return (e as { details: { problems: string[] } }).details.problems;
  }
};
const zoo = (groups: string): string => `version: 1\ntables:\n  zoo:\n    groups:\n${groups.split('\n').map((line) => `      ${line}`).join('\n')}\n`;

describe('the rules file', () => {
  test('says of each table by which groups it is merged', () => {
    const rules = checkedRules({
      file: 'rules.yaml', facts, tables: ['zoo'],
      text: zoo('status: { rule: state-machine, column: status, order: [[new], [open], [done, failed]], with: [keeper] }\nprogress: { rule: max, columns: [seq, fee] }\nvisits: { rule: counter, columns: [seen] }'),
    });
    expect(rules.get('zoo')?.groups).toEqual([
      { rule: 'state-machine', name: 'status', column: 'status', ranks: [['new'], ['open'], ['done', 'failed']], columns: ['status', 'keeper'] },
      { rule: 'max', name: 'progress.seq', column: 'seq' },
      { rule: 'max', name: 'progress.fee', column: 'fee' },
      { rule: 'counter', name: 'seen', column: 'seen', lowest: 0n, highest: 255n },
    ]);
  });

  test('a table with unique keys alone is plain', () => {
    expect(checkedRules({ file: 'x', text: 'version: 1\ntables:\n  zoo: { unique: { one_code: set-aside } }\n', facts, tables: ['zoo'] }).size).toBe(0);
  });

  test('names every problem at once, with its line', () => {
    const text = [
      'version: 2', 'tables:', '  gone:', '    groups: { a: { rule: lww, columns: [x] } }', '  nowhere:', '    groups: {}', '  zoo:', '    groups:',
      '      rest: { rule: lww, columns: [keeper] }', '      status: { rule: state-machin, column: status }', '      progress: { rule: max, columns: [sequ, notes] }',
      '      visits: { rule: counter, columns: [spent, huge] }', '      twice: { rule: lww, columns: [keeper, updated_at, twice] }', '      extra: { rule: lww, columns: [seq], colums: [fee] }',
      '    unique: { no_key: set-aside, one_code: keep-both }', '    uniqe: {}',
    ].join('\n');
    expect(problemsOf(text)).toEqual([
      'line 1: version: must be 1',
      'line 3: gone: is not in this database',
      'line 5: nowhere: is no replicated table',
      expect.stringContaining('line 9: zoo.groups.rest: `rest` is the group of the columns that no group names'),
      'line 10: zoo.groups.status: `state-machin` is no rule; the rules are lww, state-machine, max, min, counter',
      'line 11: zoo.groups.progress: zoo has no column `sequ`',
      expect.stringContaining('line 11: zoo.groups.progress: max cannot decide `notes`: its type is longtext'),
      expect.stringContaining('line 12: zoo.groups.visits: counter cannot decide `spent`: it may be NULL'),
      expect.stringContaining('line 12: zoo.groups.visits: counter cannot decide `huge`: its type is bigint unsigned'),
      'line 13: zoo.groups.twice: `keeper` is in the group rest already',
      expect.stringContaining('line 13: zoo.groups.twice: `updated_at` cannot be in a group'),
      expect.stringContaining('line 13: zoo.groups.twice: `twice` is generated'),
      expect.stringContaining('line 14: zoo.groups.extra: `colums` is not known here'),
      expect.stringContaining('line 15: zoo.unique.one_code: must be set-aside'),
      expect.stringContaining('line 15: zoo.unique.no_key: zoo has no unique key of this name; it has one_code, one_place'),
      'line 16: zoo: `uniqe` is not known here; groups, unique are',
    ]);
  });

  test.each([
    ['a table without `_merge`', 'version: 1\ntables:\n  bare:\n    groups: { a: { rule: lww, columns: [keeper] } }\n', /needs the column _merge: .*ALTER TABLE bare ADD COLUMN _merge JSON NULL INVISIBLE/],
    ['a unique key over two groups', zoo('place: { rule: lww, columns: [shelf] }'), /the unique key one_place has columns of the groups rest and place/],
    ['a column twice in one group', zoo('a: { rule: lww, columns: [keeper, keeper] }'), /names `keeper` twice/],
    ['a state in two places', zoo('status: { rule: state-machine, column: status, order: [[a], [b], [a]] }'), /each state has one place in the order; not so a/],
    ['a state machine without an order', zoo('status: { rule: state-machine, column: status }'), /needs `order`/],
    ['a state machine over a number', zoo('status: { rule: state-machine, column: seq, order: [[a], [b]] }'), /states are CHAR, VARCHAR or ENUM/],
    ['a name that is none', zoo('"a b": { rule: lww, columns: ["x;y"] }'), /letters, digits and _/],
    ['a group without a rule', zoo('a: { columns: [keeper] }'), /has no rule/],
    ['what is no YAML', 'version: 1\ntables: {', /line 2: /],
    ['an empty file', '', /must be a map|has no/],
  ])('%s is a problem', (_name, text, expected) => {
    expect(problemsOf(text).join('\n')).toMatch(expected);
  });

  test('the shipped file parses, names replicated tables only, and has the ride\'s own ranks', async () => {
    const { tables, problems } = parseRules(await readFile(SHIPPED_RULES_FILE, 'utf8'));
    expect(problems).toEqual([]);
    expect(tables.filter(({ table }) => !(REPLICATED_TABLES as readonly string[]).includes(table))).toEqual([]);
    const status = tables.find(({ table }) => table === 'rides')!.groups.find(({ group }) => group.rule === 'state-machine')!.group as StateGroup;
    for (const state of RIDE_STATUSES) expect(rankOf(status, state), state).toBe(rideRank(state));
  });
});
