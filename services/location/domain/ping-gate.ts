/**
 * Decides ping by ping, for one socket, which positions to believe.
 * Invariant: what it accepts never goes back in time and never moves faster than a car can, unless the new place was
 * confirmed; one noisy ping is refused and forgotten, it never moves a driver and never locks the true place out.
 * It does not count how many bad pings are too many (token-bucket.ts) and knows no sockets.
 *
 * HAZARD: if the very first ping is the noisy one, every true ping after it looks like a jump. Hence confirmation:
 * pings that are refused as jumps but agree with each other, CONFIRM_PINGS of them over at least CONFIRM_SPAN_MS, are
 * believed from then on.
 */
import { greatCircleM } from '../../../shared/unit/place.ts';
import type { Place } from '../../../shared/unit/place.ts';
import { isPlace } from './position.ts';

export type Ping = { readonly lat: unknown; readonly lon: unknown; readonly at?: unknown };
export type Verdict =
  | { readonly kind: 'accepted'; readonly place: Place; readonly atMs: number }
  | { readonly kind: 'refused'; readonly code: PingFault; readonly detail: string };
export type PingFault = 'ping-malformed' | 'ping-out-of-range' | 'ping-clock' | 'ping-out-of-order' | 'ping-jump';

/** A phone clock may be off by this much, either way. */
export const CLOCK_SKEW_MS_MAX = 60_000;
/** No car in a city is faster: 70 m/s = 252 km/h. Multiplied by the world's speed factor in a simulation. */
export const SPEED_MPS_MAX = 70;
/** What satellite positioning is off by between high buildings; added to every allowance. */
export const NOISE_M = 150;
/** Two pings closer together than this are judged as if this far apart: time stamps are coarse. */
const INTERVAL_MS_MIN = 1_000;
export const CONFIRM_PINGS = 3;
export const CONFIRM_SPAN_MS = 3_000;

type Fix = Place & { readonly atMs: number };

export class PingGate {
  #last: Fix | undefined;
  /** The first and the latest of the refused jumps that agree with each other, and how many they are. */
  #suspect: { readonly firstSeenMs: number; readonly latest: Fix; readonly count: number } | undefined;

  /** `nowMs` is the server's wall clock, `speedFactor` how many times faster than real time the world runs (≥ 1). */
  judge(ping: Ping, context: { readonly nowMs: number; readonly speedFactor: number }): Verdict {
    const { nowMs, speedFactor } = context;
    if (!isPlace({ lat: ping.lat, lon: ping.lon })) {
      return refused('ping-out-of-range', 'lat must be a number from -90 to 90 and lon one from -180 to 180');
    }
    const claimedMs = ping.at === undefined ? nowMs : parseAt(ping.at);
    if (claimedMs === undefined) return refused('ping-malformed', 'at must be an RFC 3339 time');
    const skewMs = claimedMs - nowMs;
    if (Math.abs(skewMs) > CLOCK_SKEW_MS_MAX) {
      return refused('ping-clock', `at is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the server's clock`);
    }
    const fix: Fix = { lat: ping.lat as number, lon: ping.lon as number, atMs: claimedMs };
    if (this.#last !== undefined && fix.atMs < this.#last.atMs) {
      return refused('ping-out-of-order', 'at is earlier than that of a ping already taken');
    }
    if (this.#last !== undefined && !isReachable(this.#last, fix, speedFactor) && !this.#confirms(fix, context)) {
      const km = (greatCircleM(this.#last, fix) / 1_000).toFixed(1);
      return refused('ping-jump', `${km} km from the last place, further than a car can have come`);
    }
    this.#last = fix;
    this.#suspect = undefined;
    return { kind: 'accepted', place: { lat: fix.lat, lon: fix.lon }, atMs: Math.min(claimedMs, nowMs) };
  }

  /** Remembers a jump; true once enough of them agree for long enough. */
  #confirms(fix: Fix, { nowMs, speedFactor }: { readonly nowMs: number; readonly speedFactor: number }): boolean {
    const before = this.#suspect;
    const agrees = before !== undefined && isReachable(before.latest, fix, speedFactor);
    this.#suspect = agrees
      ? { firstSeenMs: before.firstSeenMs, latest: fix, count: before.count + 1 }
      : { firstSeenMs: nowMs, latest: fix, count: 1 };
    return this.#suspect.count >= CONFIRM_PINGS && nowMs - this.#suspect.firstSeenMs >= CONFIRM_SPAN_MS;
  }
}

function isReachable(from: Fix, to: Fix, speedFactor: number): boolean {
  const seconds = Math.max(to.atMs - from.atMs, INTERVAL_MS_MIN) / 1_000;
  return greatCircleM(from, to) <= SPEED_MPS_MAX * speedFactor * seconds + NOISE_M;
}

/** RFC 3339 as text, or ms since 1970 as a number, which cheap devices send. */
function parseAt(at: unknown): number | undefined {
  if (typeof at === 'number') return Number.isFinite(at) ? Math.trunc(at) : undefined;
  if (typeof at !== 'string' || !RFC_3339.test(at)) return undefined;
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? undefined : ms;
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

function refused(code: PingFault, detail: string): Verdict {
  return { kind: 'refused', code, detail };
}
