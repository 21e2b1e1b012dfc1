/**
 * Whether a replay went well, as three claims that `up` and `chaos` hold it to; any that does not hold is exit code 1.
 *
 * Invariant: a proper rejection is an answer; silence is none, and a ride that was asked for and never begun is silence too.
 */
import type { Verdict } from '../../chaos/judge.ts';
import type { JournalRide } from '../../chaos/workloads/journal.ts';

/** A few rides may still be under way, or waiting for a car, when a replay ends. */
export const ANSWERED_SHARE_MIN = 0.95;

export interface ReplayCheck {
  readonly claim: string;
  readonly held: boolean;
}

export interface ReplayChecks {
  readonly isWell: boolean;
  readonly checks: readonly ReplayCheck[];
  /** What neither ended nor was refused. */
  readonly unanswered: readonly JournalRide[];
}

/** @param parts.requested how many rides were to be driven */
export function checkReplay({ requested, rides, verdict }: { readonly requested: number; readonly rides: readonly JournalRide[]; readonly verdict: Verdict }): ReplayChecks {
  const unanswered = rides.filter(({ end }) => end === 'unfinished');
  const answeredShare = requested === 0 ? 1 : (rides.length - unanswered.length) / requested;
  // Rounded down: 94.96 % must not read as 95.0 %.
  const percent = (Math.floor(answeredShare * 1_000) / 10).toFixed(1);
  const checks = [
    { claim: 'nothing lost, nothing doubled', held: verdict.violations.length === 0 && verdict.ids.duplicates === 0 },
    { claim: 'both regions identical', held: verdict.rowsDifferent === 0 },
    { claim: `rides answered: ${percent} % (at least ${ANSWERED_SHARE_MIN * 100} %)`, held: answeredShare >= ANSWERED_SHARE_MIN },
  ];
  return { isWell: checks.every(({ held }) => held), checks, unanswered };
}

/** One line for a person, without the end of line. */
export function tellUnanswered({ requestId, rideId, reason }: JournalRide): string {
  return `request ${requestId}, ride ${rideId ?? '-'}: ${reason ?? 'no answer'}`;
}
