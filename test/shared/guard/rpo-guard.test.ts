/** The RPO guard's rule: when it engages, lets go, what it refuses, and when it must not stand in the way. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_GUARD_POLICY, parseGuardPolicy } from '../../../shared/guard/guard-policy.ts';
import type { GuardAction } from '../../../shared/guard/guard-policy.ts';
import { RpoGuard } from '../../../shared/guard/rpo-guard.ts';

const policyOf = (action: GuardAction, override: { who: string; why: string; untilMs: number } | null = null) => ({ limitMs: 2_000, action, override });
const look = (exposureMs: number | null, peerState: string | null = 'active', nowMs = 0) => ({ exposureMs, peerState, nowMs });
const taken = (guard: RpoGuard, writes: number): number => Array.from({ length: writes }, () => guard.refusal()).filter((after) => after === null).length;

test('by default it warns and refuses nothing, however far behind the peer is, or where it has never answered', () => {
  const guard = new RpoGuard();
  for (const exposureMs of [0, 1_999, 2_001, 3_600_000, null]) {
    guard.observe(look(exposureMs), DEFAULT_GUARD_POLICY);
    expect(taken(guard, 50)).toBe(50);
  }
  expect(guard.state).toBe('warning');
});

test('pause refuses every write past the limit, and says when to come back', () => {
  const guard = new RpoGuard();
  expect(guard.observe(look(2_000), policyOf('pause'))).toBe('clear');
  expect(guard.observe(look(2_001), policyOf('pause'))).toBe('pausing');
  expect(guard.refusal()).toBe(2); // 2.0 s behind, released at 1 s
  guard.observe(look(3_600_000), policyOf('pause'));
  expect(guard.refusal()).toBe(30);
  guard.observe(look(null), policyOf('pause'));
  expect(guard.refusal()).toBe(30);
});

test('once engaged it lets go at half of the limit only, so that an exposure about the limit does not make it flap', () => {
  const guard = new RpoGuard();
  const states = [1_900, 2_100, 1_900, 1_100, 2_100, 1_001, 1_000, 1_900].map((exposureMs) => guard.observe(look(exposureMs), policyOf('pause')));
  expect(states).toEqual(['clear', 'pausing', 'pausing', 'pausing', 'pausing', 'pausing', 'clear', 'clear']);
});

test('throttle takes a share that falls with the exposure, exactly, down to one in twenty', () => {
  expect(shareAt(1_500)).toBe(1_000);
  expect(shareAt(3_000)).toBeGreaterThanOrEqual(749);
  expect(shareAt(3_000)).toBeLessThanOrEqual(750);
  expect([shareAt(4_000), shareAt(5_000)].map((n) => Math.round(n / 10))).toEqual([50, 25]);
  for (const far of [6_000, 600_000, null]) expect(Math.abs(shareAt(far) - 50)).toBeLessThanOrEqual(1);
});

describe('a peer that is known to be lost does not stop the region that is left', () => {
  test.each(['warn', 'throttle', 'pause'] as const)('under %s, where etcd says lost', (action) => {
    const guard = new RpoGuard();
    expect(guard.observe(look(3_600_000, 'lost'), policyOf(action))).toBe('off');
    expect(taken(guard, 20)).toBe(20);
    expect(guard.observe(look(3_600_000, 'active'), policyOf('pause'))).toBe('pausing');
  });

  test('by an operator\'s override, until it runs out', () => {
    const guard = new RpoGuard();
    const policy = policyOf('pause', { who: 'kim', why: 'west burns', untilMs: 1_000 });
    expect(guard.observe(look(null, null, 999), policy)).toBe('off');
    expect(guard.observe(look(null, null, 1_000), policy)).toBe('pausing');
  });
});

test('a policy is refused whole, with every bad field named', () => {
  expect(parseGuardPolicy({})).toEqual(DEFAULT_GUARD_POLICY);
  expect(parseGuardPolicy({ action: 'pause', override: { who: 'kim', why: 'x', until: '2026-03-01T12:00:00Z' } })).toEqual({
    limitMs: 2_000, action: 'pause', override: { who: 'kim', why: 'x', untilMs: Date.parse('2026-03-01T12:00:00Z') },
  });
  expect(problemsOf({ limitMs: 1, action: 'stop', colour: 'red', override: { who: '', until: 'soon' } })).toEqual([
    'colour', 'limitMs', 'action', 'override.who', 'override.why', 'override.until',
  ]);
  expect(problemsOf([])).toEqual(['the policy is not a JSON object']);
});

/** How many of a thousand writes a guard takes that has engaged and now sees this exposure. */
function shareAt(exposureMs: number | null): number {
  const guard = new RpoGuard();
  guard.observe(look(2_001), policyOf('throttle'));
  guard.observe(look(exposureMs), policyOf('throttle'));
  return taken(guard, 1_000);
}

function problemsOf(raw: unknown): unknown {
  try {
    return parseGuardPolicy(raw);
  } catch (e) {
    return (e as { details: { problems: string[] } }).details.problems.map((line) => line.split(':')[0]);
  }
}
