/** Claims of the boarding password: four digits, five tries, and then not even the right one. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideBoarding, drawOtp, OTP_TRIES_MAX } from '../../../../services/dispatch/domain/otp.ts';

describe('the boarding password', () => {
  test('is always four digits, leading zeros kept', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 9999 }), (drawn) => {
      const otp = drawOtp(() => drawn);
      expect(otp).toMatch(/^[0-9]{4}$/);
      expect(Number(otp)).toBe(drawn);
    }));
  });

  test('boards with the right digits while tries are left', () => {
    for (let failures = 0; failures < OTP_TRIES_MAX; failures += 1) {
      expect(decideBoarding({ otp: '0417', given: '0417', failures })).toEqual({ kind: 'match' });
    }
  });

  test('counts down, then locks out even the right digits', () => {
    expect(decideBoarding({ otp: '0417', given: '0418', failures: 0 })).toEqual({ kind: 'mismatch', triesLeft: OTP_TRIES_MAX - 1 });
    expect(decideBoarding({ otp: '0417', given: '0418', failures: OTP_TRIES_MAX - 1 })).toEqual({ kind: 'mismatch', triesLeft: 0 });
    expect(decideBoarding({ otp: '0417', given: '0417', failures: OTP_TRIES_MAX })).toEqual({ kind: 'locked', triesLeft: 0 });
  });

  test('never boards with anything else, of whatever length', () => {
    fc.assert(fc.property(fc.string(), (given) => {
      fc.pre(given !== '0417');
      expect(decideBoarding({ otp: '0417', given, failures: 0 }).kind).toBe('mismatch');
    }));
  });
});
