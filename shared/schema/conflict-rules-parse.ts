/**
 * The text of a rules file into groups, and everything that is wrong with the text by itself.
 *
 * Invariant: it never stops at the first problem; what could be read is returned with all of them, so that the check against
 * the database (conflict-rules-check.ts) can add its own and a person sees the whole list at once.
 */
import { LineCounter, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Node, YAMLMap } from 'yaml';
import { REST_GROUP, RULE_NAMES } from './conflict-rules.ts';
import type { Group, RuleName } from './conflict-rules.ts';

export const RULES_FILE_VERSION = 1;
/** The only thing that is ever done about two rows that want one unique value. */
export const SET_ASIDE = 'set-aside';

export interface Problem {
  /** In the file, from 1. */
  readonly line: number;
  /** `rides.groups.status`, or '' for the file as a whole. */
  readonly where: string;
  readonly text: string;
}

export interface ParsedTable {
  readonly table: string;
  readonly line: number;
  readonly groups: readonly { readonly group: Group; readonly where: string; readonly line: number }[];
  readonly uniqueKeys: readonly { readonly key: string; readonly where: string; readonly line: number }[];
}

export interface ParsedRules { readonly tables: readonly ParsedTable[]; readonly problems: readonly Problem[] }

/** Group and column names go into SQL and JSON paths, states into SQL texts. */
const NAME = /^[a-z_][a-z0-9_]*$/i;
const STATE = /^[^'"\\]{1,255}$/;
/** Until the check knows the column's type. */
const BIGINT = { lowest: -(2n ** 63n), highest: 2n ** 63n - 1n } as const;

const FIELDS: Readonly<Record<RuleName, readonly string[]>> = {
  'lww': ['columns'], 'state-machine': ['column', 'order', 'with'], 'max': ['columns'], 'min': ['columns'], 'counter': ['columns'],
};

export function parseRules(text: string): ParsedRules {
  return new Parser(text).parse();
}

class Parser {
  readonly #lines = new LineCounter();
  readonly #problems: Problem[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ParsedRules {
    const document = parseDocument(this.#text, { lineCounter: this.#lines });
    for (const error of document.errors) {
      this.#problems.push({ line: error.linePos?.[0].line ?? 1, where: '', text: error.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? 'not YAML' });
    }
    const tables: ParsedTable[] = [];
    if (document.errors.length === 0) {
      for (const [field, value, at] of this.#entries(document.contents, '', ['version', 'tables'])) {
        if (field === 'version' && scalarOf(value) !== RULES_FILE_VERSION) this.#problem(at, 'version', `must be ${RULES_FILE_VERSION}`);
        if (field === 'tables') for (const [name, body, line] of this.#entries(value, 'tables')) tables.push(this.#table(name, body, line));
      }
      const has = (field: string): boolean => isMap(document.contents) && document.contents.has(field);
      if (isMap(document.contents) || document.contents === null) for (const field of ['version', 'tables']) if (!has(field)) this.#problem(1, '', `has no \`${field}\``);
    }
    return { tables, problems: this.#problems };
  }

  #table(table: string, body: unknown, line: number): ParsedTable {
    const groups: { group: Group; where: string; line: number }[] = [];
    const uniqueKeys: { key: string; where: string; line: number }[] = [];
    for (const [field, value] of this.#entries(body, table, ['groups', 'unique'])) {
      for (const [name, inner, at] of this.#entries(value, `${table}.${field}`)) {
        const where = `${table}.${field}.${name}`;
        if (field === 'groups') for (const group of this.#group(name, inner, { where, line: at })) groups.push({ group, where, line: at });
        else if (scalarOf(inner) === SET_ASIDE) uniqueKeys.push({ key: name, where, line: at });
        else this.#problem(at, where, `must be ${SET_ASIDE}: nothing else is done about two rows that want one unique value`);
      }
    }
    return { table, line, groups, uniqueKeys };
  }

  /** One group for each column of max, min and counter: such columns are decided one by one. */
  #group(name: string, body: unknown, at: { where: string; line: number }): readonly Group[] {
    if (!NAME.test(name)) this.#problem(at.line, at.where, 'the name of a group has letters, digits and _ only');
    if (name === REST_GROUP) this.#problem(at.line, at.where, `\`${REST_GROUP}\` is the group of the columns that no group names; choose another name`);
    const rule = isMap(body) ? scalarOf(body.get('rule', true)) : undefined;
    if (!isRule(rule)) {
      this.#problem(isMap(body) ? this.#lineOf(body.get('rule', true), at.line) : at.line, at.where,
        `${rule === undefined ? 'has no rule' : `\`${String(rule)}\` is no rule`}; the rules are ${RULE_NAMES.join(', ')}`);
      return [];
    }
    const fields = new Map(this.#entries(body, at.where, ['rule', ...FIELDS[rule]]).map(([field, value, line]) => [field, { value, line }]));
    const names = (field: string, isOptional = false): string[] => this.#names(fields.get(field), { ...at, field, isOptional });
    if (rule === 'lww') return [{ rule, name, columns: names('columns') }];
    if (rule === 'state-machine') return this.#stateMachine(name, fields, names('with', true), at);
    const columns = names('columns');
    if (rule === 'counter') return columns.map((column) => ({ rule, name: column, column, ...BIGINT }));
    return columns.map((column) => ({ rule, name: `${name}.${column}`, column }));
  }

  #stateMachine(
    name: string, fields: ReadonlyMap<string, { value: unknown; line: number }>, also: readonly string[], at: { where: string; line: number },
  ): readonly Group[] {
    const column = scalarOf(fields.get('column')?.value);
    const order = fields.get('order');
    if (typeof column !== 'string' || !NAME.test(column)) this.#problem(fields.get('column')?.line ?? at.line, at.where, 'needs `column`, the name of the column that holds the state');
    const ranks = isSeq(order?.value) ? order.value.items.map((rank) => (isSeq(rank) ? rank.items : [rank]).map(scalarOf)) : [];
    const states = ranks.flat();
    if (ranks.length < 2) this.#problem(order?.line ?? at.line, at.where, 'needs `order`, at least two states from the first to the last: [[new], [done, cancelled]]');
    const odd = states.filter((state) => typeof state !== 'string' || !STATE.test(state));
    if (odd.length > 0) this.#problem(order?.line ?? at.line, at.where, `states are plain texts; not ${odd.map(String).join(', ')}`);
    const twice = states.filter((state, i) => states.indexOf(state) !== i);
    if (twice.length > 0) this.#problem(order?.line ?? at.line, at.where, `each state has one place in the order; not so ${twice.map(String).join(', ')}`);
    if (typeof column !== 'string' || ranks.length === 0) return [];
    return [{ rule: 'state-machine', name, column, ranks: ranks as string[][], columns: [column, ...also] }];
  }

  #names(entry: { value: unknown; line: number } | undefined, at: { where: string; line: number; field: string; isOptional: boolean }): string[] {
    if (entry === undefined && at.isOptional) return [];
    const names = isSeq(entry?.value) ? entry.value.items.map(scalarOf) : [];
    const line = entry?.line ?? at.line;
    if (names.length === 0 && !at.isOptional) this.#problem(line, at.where, `needs \`${at.field}\`, a list of columns`);
    for (const name of names) if (typeof name !== 'string' || !NAME.test(name)) this.#problem(line, at.where, `\`${String(name)}\` is no name of a column`);
    return names.filter((name): name is string => typeof name === 'string' && NAME.test(name));
  }

  /** Name, value and line of each entry; with `known`, entries of other names are problems and left out. */
  #entries(node: unknown, where: string, known?: readonly string[]): [name: string, value: unknown, line: number][] {
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return [];
    if (!isMap(node)) {
      this.#problem(this.#lineOf(node, 1), where, 'must be a map of names');
      return [];
    }
    const all = (node as YAMLMap<unknown, unknown>).items.map(({ key, value }): [string, unknown, number] => [String(scalarOf(key)), value, this.#lineOf(key, 1)]);
    for (const [name, , line] of all) if (known?.includes(name) === false) this.#problem(line, where, `\`${name}\` is not known here; ${known.join(', ')} are`);
    return all.filter(([name]) => known?.includes(name) ?? true);
  }

  #lineOf(node: unknown, otherwise: number): number {
    const offset = (node as Node | null | undefined)?.range?.[0];
    return offset === undefined ? otherwise : this.#lines.linePos(offset).line;
  }

  #problem(line: number, where: string, text: string): void {
    this.#problems.push({ line, where, text });
  }
}

function scalarOf(node: unknown): unknown {
  return isScalar(node) ? node.value : node;
}

function isRule(name: unknown): name is RuleName {
  return RULE_NAMES.includes(name as RuleName);
}
