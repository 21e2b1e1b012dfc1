/** The 63 bits of an id, to the bit. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { END_MS, EPOCH_MS, formatId, NODE_COUNT, packId, parseId, REGION_MAX, SEQUENCE_MAX, unpackId } from '../../../shared/id/id-layout.ts';
import { AssertionFailure } from '../../../shared/kernel/assert.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

const parts = fc.record({
  ms: fc.integer({ min: EPOCH_MS, max: END_MS - 1 }),
  region: fc.integer({ min: 1, max: REGION_MAX }),
  node: fc.integer({ min: 0, max: NODE_COUNT - 1 }),
  sequence: fc.integer({ min: 0, max: SEQUENCE_MAX }),
});

test('an id gives back its parts, over the text form too, and is a positive signed BIGINT', () => {
  fc.assert(
    fc.property(parts, (p) => {
      const id = packId(p);
      expect(id > 0n && id < 2n ** 63n).toBe(true);
      expect(unpackId(parseId(formatId(id)))).toEqual(p);
    }),
  );
});

test('ids sort by time first', () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      fc.pre(a.ms !== b.ms);
      expect(packId(a) < packId(b)).toBe(a.ms < b.ms);
    }),
  );
});

test('the bits lie where the contract puts them: 41 ms, 4 region, 6 node, 12 sequence', () => {
  expect(EPOCH_MS).toBe(Date.parse('2024-01-01T00:00:00Z'));
  expect(packId({ ms: EPOCH_MS, region: 1, node: 0, sequence: 0 })).toBe(1n << 18n);
  expect(packId({ ms: EPOCH_MS + 1, region: 1, node: 2, sequence: 3 })).toBe((1n << 22n) | (1n << 18n) | (2n << 12n) | 3n);
  expect(packId({ ms: END_MS - 1, region: REGION_MAX, node: NODE_COUNT - 1, sequence: SEQUENCE_MAX })).toBe(2n ** 63n - 1n);
});

test.each([{ ms: END_MS }, { ms: EPOCH_MS - 1 }, { ms: EPOCH_MS + 0.5 }, { region: 0 }, { region: 16 }, { node: 64 }, { sequence: 4096 }])(
  'no id is made of %o',
  (wrong) => {
    expect(() => packId({ ms: EPOCH_MS, region: 1, node: 0, sequence: 0, ...wrong })).toThrow(AssertionFailure);
  },
);

test.each(['1', '42', '9223372036854775807'])('"%s" is an id', (text) => {
  expect(formatId(parseId(text))).toBe(text);
});

test.each(['', '0', '-1', '+1', '01', '1.0', '1e3', ' 1', '0x1', '9223372036854775808', '99999999999999999999'])('"%s" is no id', (text) => {
  expect(() => parseId(text)).toThrow(expect.toSatisfy((e) => isTandemError(e, 'validation-failed')));
});

test('the refusal names the field, as every bad field is named', () => {
  for (const [parse, field] of [[() => parseId('0'), 'id'], [() => parseId('0', 'quoteId'), 'quoteId']] as const) {
    expect(parse).toThrow(expect.objectContaining({ details: { errors: [expect.objectContaining({ field })] } }));
  }
});
