/**
 * A lease that knows how long it surely holds.
 *
 * Invariant: remainingMs() never says more than etcd will grant: it counts from the moment the last answered renewal was
 * SENT, by the monotonic clock. etcd3's own Lease reports a loss only after twice the TTL and is not used.
 *
 * HAZARD: this process may be paused (GC, SIGSTOP, a sleeping laptop) past the end of the lease; onLost then comes late.
 * Whoever must not act without the lease asks remainingMs() right before, and fences the act itself (an epoch, a
 * compare-and-swap); no lease alone makes a write safe.
 */
import { performance } from 'node:perf_hooks';
import type { Etcd3 } from 'etcd3';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import { ATTEMPT_MS } from './members.ts';
import type { Attempt, Members } from './members.ts';

const GRANT_DEADLINE_MS = 5000;
const REVOKE_DEADLINE_MS = 2000;

export interface Lease {
  /** The lease's number as decimal text, for put and compareAndSwap. */
  readonly id: string;
  /** How long it surely still holds, by the local monotonic clock; 0 once lost or revoked. */
  remainingMs(): number;
  /** Renews it now, beside the renewals that run by themselves every third of the TTL. Throws etcd-lease-lost, etcd-unavailable. */
  keepAlive(): Promise<void>;
  /** Gives it up: its keys vanish at once, or at the end of the TTL where etcd cannot be reached. Never throws. */
  revoke(): Promise<void>;
  /** Called once when it may have run out (never after revoke); at once where that is already so. */
  onLost(callback: () => void): void;
}

export async function grantLease(members: Members, ttlS: number, log: LogSink): Promise<Lease> {
  let sentAtMs = performance.now();
  const { ID, TTL } = await members.call('lease grant', GRANT_DEADLINE_MS, ({ client, options }) => {
    // A grant that was carried out but not answered leaves a lease without keys, which runs out by itself.
    sentAtMs = performance.now();
    return client.leaseClient.leaseGrant({ TTL: ttlS }, options);
  });
  return new RenewedLease({ members, log, id: ID, ttlMs: Number(TTL) * 1000, endsAtMs: sentAtMs + Number(TTL) * 1000 });
}

class RenewedLease implements Lease {
  readonly id: string;
  readonly #members: Members;
  readonly #log: LogSink;
  readonly #ttlMs: number;
  readonly #renewal: NodeJS.Timeout;
  readonly #callbacks: (() => void)[] = [];
  #end: NodeJS.Timeout;
  #endsAtMs: number;
  #state: 'held' | 'lost' | 'revoked' = 'held';

  constructor({ members, log, id, ttlMs, endsAtMs }: { members: Members; log: LogSink; id: string; ttlMs: number; endsAtMs: number }) {
    this.id = id;
    this.#members = members;
    this.#log = log;
    this.#ttlMs = ttlMs;
    this.#endsAtMs = endsAtMs;
    this.#renewal = setInterval(() => void this.#renewQuietly(), ttlMs / 3);
    this.#end = this.#armEnd();
  }

  remainingMs(): number {
    return this.#state === 'held' ? Math.max(0, this.#endsAtMs - performance.now()) : 0;
  }

  async keepAlive(): Promise<void> {
    if (this.#state !== 'held') throw this.#lostError();
    let sentAtMs = 0;
    const deadlineMs = Math.min(this.#ttlMs / 3, ATTEMPT_MS * 3);
    const ttlS = await this.#members.call('lease renewal', deadlineMs, ({ client, options }) => {
      sentAtMs = performance.now();
      return renewOnce(client, this.id, options);
    });
    if (ttlS <= 0) {
      this.#lose('etcd no longer knows it');
      throw this.#lostError();
    }
    if (this.#state !== 'held') throw this.#lostError();
    this.#endsAtMs = Math.max(this.#endsAtMs, sentAtMs + ttlS * 1000);
    clearTimeout(this.#end);
    this.#end = this.#armEnd();
  }

  async revoke(): Promise<void> {
    if (this.#state !== 'held') return;
    this.#stop('revoked');
    try {
      await this.#members.call('lease revoke', REVOKE_DEADLINE_MS, ({ client, options }) => client.leaseClient.leaseRevoke({ ID: this.id }, options));
    } catch (e) {
      this.#log.debug({ err: e, leaseId: this.id }, 'etcd: a lease could not be revoked and will run out by itself');
    }
  }

  onLost(callback: () => void): void {
    if (this.#state === 'lost') callback();
    else this.#callbacks.push(callback);
  }

  async #renewQuietly(): Promise<void> {
    try {
      await this.keepAlive();
    } catch (e) {
      if (this.#state !== 'held' || isTandemError(e, 'etcd-lease-lost')) return; // said already
      this.#log.warn({ err: e, leaseId: this.id, remainingMs: Math.round(this.remainingMs()) }, 'etcd: a lease could not be renewed');
    }
  }

  #armEnd(): NodeJS.Timeout {
    return setTimeout(() => this.#lose('it was not renewed in time'), Math.max(0, this.#endsAtMs - performance.now()));
  }

  #lose(why: string): void {
    if (this.#state !== 'held') return;
    this.#stop('lost');
    this.#log.error({ leaseId: this.id, why }, 'etcd: a lease is lost');
    for (const callback of this.#callbacks) callback();
  }

  #stop(state: 'lost' | 'revoked'): void {
    this.#state = state;
    clearInterval(this.#renewal);
    clearTimeout(this.#end);
  }

  #lostError(): TandemError {
    return new TandemError('etcd-lease-lost', `lease ${this.id} is ${this.#state}`, { details: { leaseId: this.id } });
  }
}

/** Resolves to the TTL in seconds that etcd granted anew; 0 where the lease is gone. */
async function renewOnce(client: Etcd3, id: string, options: Attempt['options']): Promise<number> {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  try {
    return await new Promise<number>((resolve, reject) => {
      stream.on('data', ({ TTL }) => resolve(Number(TTL)));
      stream.on('error', (e) => reject(asMemberFault(e)));
      stream.on('end', () => reject(new TandemError('etcd-unavailable', 'the renewal stream ended without an answer')));
      stream.write({ ID: id });
    });
  } finally {
    stream.end();
  }
}

/** A stream's error is raw gRPC: whatever it is, this member did not renew. */
function asMemberFault(cause: Error): TandemError {
  return new TandemError('etcd-unavailable', `the renewal stream broke: ${cause.message}`, { cause });
}
