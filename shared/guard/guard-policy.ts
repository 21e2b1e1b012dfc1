/**
 * What the RPO guard does past its limit: /tandem/config/rpo-guard, JSON, the same for every service of both regions.
 *
 *   {"limitMs": 2000, "action": "pause",
 *    "override": {"who": "kim", "why": "west is being rebuilt", "until": "2026-03-01T12:00:00Z"}}
 *
 * Invariant: a policy in force is valid in every field; a bad one is refused whole, every bad field named. The default warns and
 * refuses nothing: to refuse writes is a decision that somebody has to have made.
 */
import { TandemError } from '../kernel/tandem-error.ts';

export const GUARD_ACTIONS = ['warn', 'throttle', 'pause'] as const;
export type GuardAction = (typeof GUARD_ACTIONS)[number];

/** An operator's word that the peer is to be counted as lost, for a while. */
export interface GuardOverride {
  readonly who: string;
  readonly why: string;
  readonly untilMs: number;
}

export interface GuardPolicy {
  /** How many ms of this region's writes the peer may lack. */
  readonly limitMs: number;
  readonly action: GuardAction;
  readonly override: GuardOverride | null;
}

/** Below the heartbeats' own way there and back nobody could stay; above ten minutes it guards nothing. */
const LIMIT_MS = { min: 500, max: 600_000 } as const;
const TEXT_MAX = 255;

/** Source: the design's table of promised numbers. */
export const DEFAULT_GUARD_POLICY: GuardPolicy = { limitMs: 2_000, action: 'warn', override: null };

/** Throws config-invalid, one line for each bad or unknown field (details.problems the same lines). */
export function parseGuardPolicy(raw: unknown): GuardPolicy {
  if (!isObject(raw)) throw invalid(['the policy is not a JSON object']);
  const { limitMs = DEFAULT_GUARD_POLICY.limitMs, action = DEFAULT_GUARD_POLICY.action, override = null, ...unknown } = raw;
  const problems = Object.keys(unknown).map((name) => `${name}: unknown field`);
  if (typeof limitMs !== 'number' || !(limitMs >= LIMIT_MS.min && limitMs <= LIMIT_MS.max)) {
    problems.push(`limitMs: expected a number from ${LIMIT_MS.min} to ${LIMIT_MS.max}, got ${JSON.stringify(limitMs)}`);
  }
  if (!(GUARD_ACTIONS as readonly unknown[]).includes(action)) problems.push(`action: expected ${GUARD_ACTIONS.join(', ')}, got ${JSON.stringify(action)}`);
  const parsed = override === null ? null : parseOverride(override, problems);
  if (problems.length > 0) throw invalid(problems);
  return { limitMs: limitMs as number, action: action as GuardAction, override: parsed };
}

function parseOverride(raw: unknown, problems: string[]): GuardOverride | null {
  const { who, why, until, ...unknown } = isObject(raw) ? raw : {};
  problems.push(...Object.keys(unknown).map((name) => `override.${name}: unknown field`));
  for (const [name, value] of Object.entries({ who, why })) {
    if (typeof value !== 'string' || value.trim() === '' || value.length > TEXT_MAX) problems.push(`override.${name}: expected 1 to ${TEXT_MAX} characters`);
  }
  const untilMs = typeof until === 'string' && /T.*(Z|[+-]\d\d:\d\d)$/.test(until) ? Date.parse(until) : Number.NaN;
  if (Number.isNaN(untilMs)) problems.push(`override.until: expected an RFC 3339 time, got ${JSON.stringify(until)}`);
  return { who: String(who), why: String(why), untilMs };
}

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function invalid(problems: readonly string[]): TandemError {
  return new TandemError('config-invalid', `/tandem/config/rpo-guard: ${problems.join('\n')}`, { details: { problems } });
}
