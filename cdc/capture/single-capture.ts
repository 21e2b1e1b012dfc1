/**
 * The right to be a region's one capture: a leased key in etcd.
 *
 * Invariant: release() or the end of the lease frees it. Whoever loses it stops at once (crash-only). It keeps two
 * captures from doing the same work twice; that nothing is applied twice rests on apply, not on this.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Etcd } from '../../shared/etcd/etcd.ts';

export const LOCK_TTL_S = 6;
const ASK_EVERY_MS = 500;

export interface CaptureLock { release(): Promise<void> }

export interface CaptureLockOptions {
  readonly etcd: Etcd;
  readonly region: string;
  /** Written as the key's value, so that an operator can see who holds it. */
  readonly owner: string;
  readonly log: LogSink;
  readonly signal: AbortSignal;
  /** The lock may have gone to somebody else: stop now. */
  readonly onLost: () => void;
}

/** Waits until it is free. Throws the signal's reason when that aborts first, and etcd-* errors. */
export async function takeCaptureLock({ etcd, region, owner, log, signal, onLost }: CaptureLockOptions): Promise<CaptureLock> {
  const key = `/tandem/locks/capture-${region}`;
  const lease = await etcd.lease(LOCK_TTL_S);
  try {
    let hasWaited = false;
    while (!(await etcd.compareAndSwap(key, 0n, owner, { lease }))) {
      signal.throwIfAborted();
      if (!hasWaited) log.info({ key, holder: (await etcd.get(key))?.value }, 'another capture of this region is at work: waiting');
      hasWaited = true;
      await sleep(ASK_EVERY_MS, signal);
    }
  } catch (e) {
    await lease.revoke();
    throw e;
  }
  lease.onLost(onLost);
  return { release: () => lease.revoke() };
}
