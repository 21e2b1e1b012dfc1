/** A change is the same after its journey as JSON; readers cope with writers of other versions. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChange, encodeChange } from '../../../cdc/change/codec.ts';
import { baseVersionOf } from '../../../cdc/change/image.ts';
import type { Change, Image, Value } from '../../../cdc/change/envelope.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }).map(String),
  fc.uint8Array().map((bytes) => ({ $b64: Buffer.from(bytes).toString('base64') })),
);
const image: fc.Arbitrary<Image> = fc.dictionary(fc.string({ minLength: 1 }).filter((k) => k !== '__proto__'), value);
const natural = fc.nat();

const change: fc.Arbitrary<Change> = fc.record({
  op: fc.constantFrom('c', 'u', 'd', 'r'),
  table: fc.string(),
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  unit: fc.integer({ min: 0, max: 63 }),
  version: fc.record({ hlc: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => n as Hlc), origin: fc.integer({ min: 0, max: 15 }) }),
  before: fc.option(image),
  after: image,
  tsMs: natural,
  source: fc.record({ region: fc.constantFrom('east', 'west'), database: fc.string(), serverId: natural, gtid: fc.string(), file: fc.string(), pos: natural, row: natural, schema: fc.option(fc.constantFrom('00c0ffee', 'deadbeef'), { nil: undefined }) }),
  transaction: fc.record({ id: fc.string(), order: natural, tableOrder: natural }),
  last: fc.boolean(),
  position: fc.string(),
});

const sample = (): Change => fc.sample(change, 1)[0] as Change;

describe('the change codec', () => {
  it('gives back what it was given', () => {
    fc.assert(fc.property(change, (given) => {
      expect(decodeChange(encodeChange(given))).toEqual(given);
    }));
  });

  it('a reader of this version copes with a newer writer: unknown fields are ignored', () => {
    const given = sample();
    const newer = JSON.parse(encodeChange(given)) as Record<string, Record<string, unknown>>;
    Object.assign(newer, { schema: { anything: 1 } });
    Object.assign(newer['tandem'] as object, { v: 7, priority: 'high' });
    expect(decodeChange(JSON.stringify(newer))).toEqual(given);
  });

  it('a reader of this version copes with an older writer: no schema, no base, before first', () => {
    const given = { ...sample(), op: 'u' as const, before: { id: '1', _hlc: '5', _origin: 2 } };
    const { source, tandem, before, ...rest } = JSON.parse(encodeChange(given)) as Record<string, Record<string, unknown>>;
    delete source?.['schema'];
    delete tandem?.['base'];
    const older = decodeChange(JSON.stringify({ before, ...rest, source, tandem: { ...tandem, v: 1 } }));
    expect(older.source.schema).toBeUndefined();
    expect({ ...older, base: undefined }).toEqual({ ...given, source: { ...given.source, schema: undefined } });
    expect(baseVersionOf(older)).toEqual({ hlc: 5n, origin: 2 });
  });

  it('what is read the quick way is what JSON says: names with and without escapes, columns called before', () => {
    const plain = fc.constantFrom('rides', 'b', 'binlog.000001', '0-1-77', 'naïve "name"', 'tab\t');
    const row = fc.dictionary(fc.constantFrom('id', 'before', 'after', 'a,"before":{', '_hlc'), fc.oneof(value, fc.constant({ $b64: 'AA==' })));
    fc.assert(fc.property(change, plain, row, row, (any, name, before, after) => {
      const given: Change = {
        ...any, table: name, before, after, base: null,
        source: { ...any.source, database: name, gtid: name, file: name }, transaction: { ...any.transaction, id: name }, position: name,
      };
      const text = encodeChange(given);
      const { tandem, ...rest } = JSON.parse(text) as Record<string, unknown>;
      expect(decodeChange(text)).toEqual(decodeChange(JSON.stringify({ tandem, ...rest })));
      expect({ ...decodeChange(text), base: null }).toEqual(given);
    }));
  });

  it('-0 keeps its sign', () => {
    const { after } = decodeChange(encodeChange({ ...sample(), op: 'c', before: null, after: { id: '1', v: -0, w: 1.5 } }));
    expect(after).toEqual({ id: '1', v: -0, w: 1.5 });
  });

  it('the version that a change was made on travels beside its before image', () => {
    const given = { ...sample(), before: { id: '1', _hlc: '18446744073709551615', _origin: 2 } };
    const { base } = decodeChange(encodeChange(given));
    expect(base).toEqual({ hlc: 2n ** 64n - 1n, origin: 2 });
  });

  it.each(['op', 'source', 'transaction', 'tandem'])('a change without %s is refused by name', (field) => {
    const broken = JSON.parse(encodeChange(sample())) as Record<string, unknown>;
    delete broken[field];
    expect(() => decodeChange(JSON.stringify(broken))).toThrow(field);
  });

  it('text that is no JSON is a malformed change', () => {
    expect(() => decodeChange('{')).toThrow(expect.objectContaining({ code: 'change-malformed' }));
  });
});
