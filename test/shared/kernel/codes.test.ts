/** The shape of the code table: whoever adds a code keeps to it. */
import { expect, test } from 'vitest';
import { CODES, isErrorCode } from '../../../shared/kernel/codes.ts';
import type { CodeEntry } from '../../../shared/kernel/codes.ts';

const entries: [string, CodeEntry][] = Object.entries(CODES);

test('the table is sorted', () => {
  const codes = Object.keys(CODES);
  expect(codes).toEqual(codes.toSorted());
});

test.each(entries)('%s is kebab-case, has an error status, and says what it means and what to do', (code, entry) => {
  expect(code).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  expect(entry.http).toBeGreaterThanOrEqual(400);
  expect(entry.http).toBeLessThan(600);
  for (const sentence of [entry.meaning, entry.action]) expect(sentence).toMatch(/^\S.*[.]$/s);
});

test('what the caller has to change first is not retryable', () => {
  expect(entries.filter(([, { http, retryable }]) => [400, 401, 403, 404, 422].includes(http) && retryable)).toEqual([]);
});

test('isErrorCode knows the table and nothing else', () => {
  expect(isErrorCode('not-home')).toBe(true);
  expect(isErrorCode('toString')).toBe(false);
});
