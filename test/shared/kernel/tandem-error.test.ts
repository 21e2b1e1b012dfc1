/** Errors of operation carry code, cause and details; assertions are another kind. */
import { expect, test } from 'vitest';
import { assert, AssertionFailure, unreachable } from '../../../shared/kernel/assert.ts';
import { isTandemError, TandemError } from '../../../shared/kernel/tandem-error.ts';

test('an error carries its code, cause and details; whether to retry follows from the code', () => {
  const cause = new Error('connect ECONNREFUSED');
  const e = new TandemError('db-unavailable', 'the database is away', { cause, details: { port: 3306 } });
  expect(e).toMatchObject({ code: 'db-unavailable', message: 'the database is away', retryable: true, details: { port: 3306 } });
  expect(e.cause).toBe(cause);
  expect(`${e}`).toBe('TandemError: the database is away');
  expect(new TandemError('validation-failed', 'no').retryable).toBe(false);
});

test('an error without a cause has none, not an undefined one', () => {
  expect('cause' in new TandemError('internal', 'x')).toBe(false);
});

test('isTandemError tells codes apart', () => {
  const e = new TandemError('not-home', 'x');
  expect([isTandemError(e), isTandemError(e, 'not-home'), isTandemError(e, 'internal')]).toEqual([true, true, false]);
  expect(isTandemError({ code: 'not-home', message: 'x' })).toBe(false);
});

test('assertions are no TandemErrors: nobody handles them by mistake', () => {
  expect(() => assert(0, 'must hold')).toThrow(AssertionFailure);
  expect(() => assert('yes', 'holds')).not.toThrow();
  expect(() => unreachable('north' as never)).toThrow('unreachable value: north');
  expect(isTandemError(new AssertionFailure('x'))).toBe(false);
});
