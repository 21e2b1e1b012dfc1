/** hash63 is stored data: these values were computed apart from it, with Python's hashlib. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hash63 } from '../../../shared/kernel/hash.ts';

test.each<[string[], bigint]>([
  [['idem', '42', 'k'], 8085394202523712324n],
  [[], 8203414616412130826n],
  [['é'], 7562948061694705001n],
])('%j hashes to what it always did', (parts, expected) => {
  expect(hash63(...parts)).toBe(expected);
});

test('where one part ends and the next begins matters', () => {
  expect(hash63('ab', 'c')).not.toBe(hash63('a', 'bc'));
  expect(hash63('ab')).not.toBe(hash63('ab', ''));
});

test('it is a positive signed BIGINT, and the same every time', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (parts) => {
      const id = hash63(...parts);
      expect(id > 0n && id < 2n ** 63n).toBe(true);
      expect(hash63(...parts)).toBe(id);
    }),
  );
});
