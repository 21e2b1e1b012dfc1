/** What a comparison says about two runs of rows: every planted difference, and nothing else. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffRows } from '../../../cdc/reconcile/diff.ts';
import type { Row, Verdict } from '../../../cdc/reconcile/diff.ts';
import { renderDiff } from '../../../cdc/reconcile/commands/render-diff.ts';
import { commonShape } from '../../../cdc/reconcile/table-shape.ts';
import type { TableShape } from '../../../cdc/reconcile/table-shape.ts';

const LARGE_ID = '9223372036854775807';

describe('comparing rows', () => {
  it('names what is missing, extra, different, and different in version only', () => {
    const left = [row('1'), row('2'), row('3', { fare: '10.0' }), row('4', { _hlc: '5' }), row('6')];
    const right = [row('2'), row('3', { fare: '10.00' }), row('4', { _hlc: '6' }), row('5'), row('6')];
    expect([...diffRows(left, right)]).toEqual([
      { id: '1', kind: 'missing', left: { hlc: '1', origin: 1 }, right: null },
      { id: '3', kind: 'different', columns: ['fare'], left: { hlc: '1', origin: 1 }, right: { hlc: '1', origin: 1 } },
      { id: '4', kind: 'version-only', left: { hlc: '5', origin: 1 }, right: { hlc: '6', origin: 1 } },
      { id: '5', kind: 'extra', left: null, right: { hlc: '1', origin: 1 } },
    ]);
  });

  it('orders 63-bit ids as numbers, and finds rows beyond the other side\'s last', () => {
    const verdicts = [...diffRows([row('9'), row('10')], [row('9'), row('10'), row(LARGE_ID)])];
    expect(verdicts.map(({ id, kind }) => [id, kind])).toEqual([[LARGE_ID, 'extra']]);
  });

  it('tells NULL from the empty string and from the word NULL', () => {
    expect([...diffRows([row('1', { fare: null })], [row('1', { fare: '' })])]).toHaveLength(1);
    expect([...diffRows([row('1', { fare: null })], [row('1', { fare: 'null' })])]).toHaveLength(1);
  });

  it('JSON columns are compared as values, other text by its spelling', () => {
    const left = [row('1', { fare: '{"a": 1, "b": [2, 3]}' })];
    const right = [row('1', { fare: '{"b":[2,3],"a":1}' })];
    expect([...diffRows(left, right)]).toHaveLength(1);
    expect([...diffRows(left, right, { jsonColumns: new Set(['fare']) })]).toEqual([]);
  });

  it('refuses rows that do not ascend', () => {
    expect(() => [...diffRows([row('2'), row('1')], [])]).toThrow('ascend');
  });

  it('finds exactly what was planted, whatever the rows are', () => {
    const value = fc.oneof(fc.constant(null), fc.string());
    const table = fc.dictionary(fc.bigInt({ min: 1n, max: 40n }).map(String), fc.record({ fare: value, _hlc: fc.nat(3).map(String) }));
    fc.assert(fc.property(table, table, (left, right) => {
      const expected = new Map<string, Verdict['kind']>();
      for (const id of new Set([...Object.keys(left), ...Object.keys(right)])) {
        const [l, r] = [left[id], right[id]];
        if (r === undefined) expected.set(id, 'missing');
        else if (l === undefined) expected.set(id, 'extra');
        else if (l.fare !== r.fare) expected.set(id, 'different');
        else if (l._hlc !== r._hlc) expected.set(id, 'version-only');
      }
      const found = new Map([...diffRows(rowsOf(left), rowsOf(right))].map(({ id, kind }) => [id, kind]));
      expect(found).toEqual(expected);
    }));
  });
});

describe('the shape of a table', () => {
  const names = { left: 'east', right: 'west' };

  it('refuses different columns and a missing table, by name', () => {
    const good = shape('_hlc', '_origin', 'id');
    expect(() => commonShape(shape('_hlc', '_origin', 'id', 'fare'), good, names)).toThrow('only east has rides.fare');
    expect(() => commonShape(good, shape(), names)).toThrow('west has no table rides');
    expect(() => commonShape(shape('id'), shape('id'), names)).toThrow('no column _hlc');
  });

  it('a column is JSON if it is on either side', () => {
    const left = { table: 't', columns: [column('_hlc'), column('_origin'), column('body', 'longtext'), column('id')] };
    const right = { table: 't', columns: [column('_hlc'), column('_origin'), column('body', 'json'), column('id')] };
    expect([...commonShape(left, right, names).jsonColumns]).toEqual(['body']);
  });
});

describe('the printed report', () => {
  const version = { hlc: '113580000000000000', origin: 2 };
  const report = {
    left: 'east', right: 'west', tookMs: 1_234, rowsCompared: 1_000_000, rowsDifferent: 25, rowsUnsettled: 1,
    tables: [{
      table: 'ledger_transactions', rowsCompared: 1_000_000, rowsDifferent: 25, rowsUnsettled: 1,
      byKind: { 'missing': 0, 'extra': 0, 'different': 25, 'version-only': 0 },
    }],
    differences: Array.from({ length: 25 }, (_, i) => ({
      table: 'ledger_transactions', id: `${LARGE_ID.slice(0, -2)}${i + 10}`, kind: 'different' as const,
      columns: ['amount_cents', 'currency'], versions: { east: version, west: null },
    })),
  };

  it('fits 80 columns and says how many it left out', () => {
    const text = renderDiff(report);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toContain('… and 5 more');
    expect(text).toContain('east and west DIFFER (1.2 s); 1 row(s) still on their way');
  });

  it('never calls identical what is not proven', () => {
    const open = { ...report, rowsDifferent: 0, differences: [] };
    expect(renderDiff(open)).toContain('not proven');
    expect(renderDiff({ ...open, rowsUnsettled: 0 })).toContain('east and west are identical');
  });
});

function row(id: string, values: Record<string, string | null> = {}): Row {
  return { id, fare: '10', _hlc: '1', _origin: '1', ...values };
}

function rowsOf(table: Record<string, { fare: string | null; _hlc: string }>): Row[] {
  return Object.entries(table)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([id, values]) => row(id, values));
}

function column(name: string, type = 'bigint'): { name: string; type: string } {
  return { name, type };
}

function shape(...names: string[]): TableShape {
  return { table: 'rides', columns: names.map((name) => column(name)) };
}
