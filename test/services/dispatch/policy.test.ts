/** Claims of the policy: complete by default, refused whole, every bad field named. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, parsePolicy } from '../../../services/dispatch/policy.ts';

describe('parsePolicy', () => {
  test('fills what is absent with the defaults', () => {
    expect(parsePolicy({ speedFactor: 30 })).toEqual({ ...DEFAULT_POLICY, speedFactor: 30 });
  });

  test('names every bad field at once, unknown ones too', () => {
    expect(() => parsePolicy({ speedFactor: 0, candidates: 2.5, offerTtlS: '15', surge: 2 })).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        details: {
          problems: [
            'surge: unknown field',
            'speedFactor: expected a number from 0.1 to 1000, got 0',
            'offerTtlS: expected a number from 1 to 600, got "15"',
            'candidates: expected a whole number from 1 to 200, got 2.5',
          ],
        },
      }),
    );
  });

  test.each([null, [], 'fast', 3])('%j is no policy', (raw) => {
    expect(() => parsePolicy(raw)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });
});
