/** Positions of both flavours: reading on from the earlier of two misses nothing; on doubt a transaction is not covered. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, earlier, formatPosition, parsePosition } from '../../../cdc/change/position.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '2c256447-3f0d-431b-9a25-bddf1f1f6ef6';

describe('a GTID position', () => {
  it.each([
    [`${A}:1-27`, `${A}:27`, true],
    [`${A}:1-27`, `${A.toUpperCase()}:1`, true],
    [`${A}:1-5:11-18`, `${A}:7`, false],
    [`${A}:1-27`, `${B}:3`, false],
    [`${A}:1-27:tag_a:1-3`, `${A}:tag_a:3`, true],
    [`${A}:1-27`, `${A}:tag_a:3`, false],
    ['1-1-1234', '1-1-1234', true],
    ['1-1-1234', '1-1-1235', false],
    ['1-1-1234', '1-2-12', false],
    ['1-1-1234', '2-1-12', false],
    ['', '1-1-1', false],
  ])('%s covers %s: %s', (position, gtid, expected) => {
    expect(covers(parsePosition(position), gtid)).toBe(expected);
  });

  it.each([
    [`${A}:1-27`, `${A}:1-20`, `${A}:1-20`],
    [`${A}:1-27,${B}:1-3`, `${A}:1-30`, `${A}:1-27`],
    ['1-1-20,2-1-4', '1-1-18,2-1-9', '1-1-18,2-1-4'],
    ['1-1-20', '', ''],
    [`${A}:1-3`, `${B}:1-3`, ''],
  ])('the earlier of %s and %s is %s', (a, b, expected) => {
    expect(formatPosition(earlier(parsePosition(a), parsePosition(b)))).toBe(expected);
  });

  it('what the earlier of two covers, both cover', () => {
    const set = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 5 })), { minLength: 1, maxLength: 4 })
      .map((spans) => `${A}:${spans.map(([from, length]) => `${from}-${from + length}`).join(':')}`);
    fc.assert(fc.property(set, set, fc.integer({ min: 1, max: 36 }), (a, b, number) => {
      const gtid = `${A}:${number}`;
      const [pa, pb] = [parsePosition(a), parsePosition(b)];
      expect(covers(earlier(pa, pb), gtid)).toBe(covers(pa, gtid) && covers(pb, gtid));
      expect(covers(parsePosition(formatPosition(pa)), gtid)).toBe(covers(pa, gtid));
    }));
  });

  it.each(['nonsense', '1-2', `${A}`, 'x:1-2'])('%s is refused', (text) => {
    expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: 'change-malformed' }));
  });
});
