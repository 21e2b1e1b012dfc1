/**
 * Tells a difference from a change that is still on its way.
 *
 * Invariant: a row is called different only if, after both sides had applied everything written before it was first seen to
 * differ, it still differed with the very same versions. A row that keeps changing, or that replication has not reached, is
 * 'unsettled' at the deadline and said to be so; it is neither called equal nor different.
 * Hazard: where nothing replicates (no checkpoint on a side) there is no watermark to wait for; then a row must stand still
 * for STILL_MS instead.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import { diffRows } from './diff.ts';
import type { DiffOptions, RowVersion, Verdict } from './diff.ts';
import { IDS_MAX } from './scan.ts';
import type { Side } from './scan.ts';
import type { Column } from './table-shape.ts';

export const SETTLE_DEADLINE_MS = 30_000;
/** How long a difference must stand still where no watermark can vouch for it. */
export const STILL_MS = 2_000;
/** A heartbeat's version may run ahead of its wall clock by the drift that clocks are allowed (500 ms), and as much again. */
const CLOCK_MARGIN_MS = 1_000;
const POLL_MS = 100;

export interface SettleRequest {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly options: DiffOptions;
  readonly left: Side;
  readonly right: Side;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Settled {
  readonly confirmed: readonly Verdict[];
  readonly unsettled: readonly Verdict[];
}

export async function settle(suspects: readonly Verdict[], request: SettleRequest): Promise<Settled> {
  const untilMs = request.nowMs() + (request.deadlineMs ?? SETTLE_DEADLINE_MS);
  const confirmed: Verdict[] = [];
  let open = suspects;
  while (open.length > 0) {
    const isPast = await waitForBoth(request, untilMs);
    const again = await readAgain(open, request);
    const changed: Verdict[] = [];
    for (const before of open) {
      const now = again.get(before.id);
      // Gone from the second look: it has arrived.
      if (now === undefined) continue;
      if (isPast && isSameSight(before, now)) confirmed.push(now);
      else changed.push(now);
    }
    open = changed;
    if (!isPast || request.nowMs() >= untilMs) break;
  }
  return { confirmed: confirmed.toSorted(byId), unsettled: open };
}

/** True once both sides have applied everything that was written anywhere before this call; false at the deadline. */
async function waitForBoth({ left, right, nowMs, signal }: SettleRequest, untilMs: number): Promise<boolean> {
  const beganMs = nowMs();
  const clocks = await Promise.all([left.nowHlc(), right.nowHlc()]);
  const target = (clocks[0] > clocks[1] ? clocks[0] : clocks[1]) + (BigInt(CLOCK_MARGIN_MS) << 16n);
  for (;;) {
    const marks = await Promise.all([left.watermark(), right.watermark()]);
    const stoodStill = nowMs() - beganMs >= STILL_MS;
    if (marks.every((mark) => (mark === null ? stoodStill : mark >= target))) return true;
    if (nowMs() >= untilMs) return false;
    await sleep(POLL_MS, signal);
  }
}

async function readAgain(suspects: readonly Verdict[], request: SettleRequest): Promise<Map<string, Verdict>> {
  const { table, columns, options, left, right } = request;
  const found = new Map<string, Verdict>();
  for (let at = 0; at < suspects.length; at += IDS_MAX) {
    request.signal?.throwIfAborted();
    const ids = suspects.slice(at, at + IDS_MAX).map((verdict) => verdict.id);
    const [lefts, rights] = await Promise.all([left.rowsOf(table, columns, ids), right.rowsOf(table, columns, ids)]);
    for (const verdict of diffRows(lefts, rights, options)) found.set(verdict.id, verdict);
  }
  return found;
}

function isSameSight(a: Verdict, b: Verdict): boolean {
  return a.kind === b.kind && isSameVersion(a.left, b.left) && isSameVersion(a.right, b.right);
}

function isSameVersion(a: RowVersion | null, b: RowVersion | null): boolean {
  return a?.hlc === b?.hlc && a?.origin === b?.origin;
}

function byId(a: Verdict, b: Verdict): number {
  return BigInt(a.id) < BigInt(b.id) ? -1 : 1;
}
