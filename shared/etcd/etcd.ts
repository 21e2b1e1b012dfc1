/**
 * The one way to reach etcd: reads, writes, compare-and-swap, watched prefixes and leases, with fail-over over members.
 *
 * Invariant: reads are linearizable (answered by a majority), every call settles by its deadline, and a call that is
 * sent again to another member never acts twice. It parses no values and knows no keys.
 */
import { assert } from '../kernel/assert.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import { grantLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { Members } from './members.ts';
import type { Attempt } from './members.ts';
import { listPrefix } from './prefix.ts';
import { startWatch } from './watch.ts';
import type { Watch } from './watch.ts';

/** Outlasts an election after the leader died, one split vote included (2 s each with etcd's default time-outs). */
export const CALL_DEADLINE_MS = 6000;

export interface EtcdConfig {
  /** host:port of every member; the first is asked first, so name the nearest first. */
  readonly endpoints: readonly string[];
  readonly log: LogSink;
  /** Budget of one call, fail-over to other members included. */
  readonly deadlineMs?: number;
}

export interface EtcdValue {
  readonly value: string;
  /** The cluster's revision at which the key was last written: what compareAndSwap expects. */
  readonly modRevision: bigint;
}

/** All calls throw etcd-unavailable (no majority in time) or etcd-failed (refused). */
export interface Etcd {
  get(key: string): Promise<EtcdValue | null>;
  getPrefix(prefix: string): Promise<Map<string, EtcdValue>>;
  put(key: string, value: string, options?: { readonly leaseId?: string }): Promise<void>;
  /** Idempotent. */
  delete(key: string): Promise<void>;
  /**
   * Writes `value` if the key's modRevision is still `expected` (0n: if it is absent); false where it is not.
   * HAZARD: when a member dies while it carries the swap out, and the key then holds our very value, nobody can tell
   * whether we or another wrote it: throws etcd-outcome-unknown; read, and decide anew.
   */
  compareAndSwap(key: string, expected: bigint, value: string, options?: { readonly lease?: Pick<Lease, 'id'> }): Promise<boolean>;
  /** Deletes the key if its modRevision is still `expected`; false where it is not, or where the key is gone. */
  compareAndDelete(key: string, expected: bigint): Promise<boolean>;
  /** Delivers the full snapshot first, then after every change; see watch.ts for what it does not promise. */
  watchPrefix(prefix: string, onChange: (snapshot: ReadonlyMap<string, string>) => void, signal?: AbortSignal): Promise<Watch>;
  lease(ttlS: number): Promise<Lease>;
  /** Throws etcd-unavailable unless a majority answers in time. */
  ping(deadlineMs: number): Promise<void>;
  /** Stops what was opened here; leases run out by themselves unless they were revoked. */
  close(): Promise<void>;
}

export function openEtcd(config: EtcdConfig): Etcd {
  return new EtcdClient(config);
}

class EtcdClient implements Etcd {
  readonly #members: Members;
  readonly #log: LogSink;
  readonly #deadlineMs: number;
  readonly #watches = new Set<Watch>();

  constructor({ endpoints, log, deadlineMs = CALL_DEADLINE_MS }: EtcdConfig) {
    this.#members = new Members(endpoints, log);
    this.#log = log;
    this.#deadlineMs = deadlineMs;
  }

  async get(key: string): Promise<EtcdValue | null> {
    const { kvs } = await this.#call(`get ${key}`, ({ client, options }) => client.kv.range({ key: Buffer.from(key) }, options));
    const kv = kvs[0];
    return kv === undefined ? null : { value: kv.value.toString(), modRevision: BigInt(kv.mod_revision) };
  }

  async getPrefix(prefix: string): Promise<Map<string, EtcdValue>> {
    return (await listPrefix(this.#members, prefix, this.#deadlineMs)).entries;
  }

  async put(key: string, value: string, { leaseId }: { readonly leaseId?: string } = {}): Promise<void> {
    await this.#call(`put ${key}`, ({ client, options }) => client.kv.put(putOf(key, value, leaseId), options));
  }

  async delete(key: string): Promise<void> {
    await this.#call(`delete ${key}`, ({ client, options }) => client.kv.deleteRange({ key: Buffer.from(key) }, options));
  }

  compareAndSwap(key: string, expected: bigint, value: string, { lease }: { readonly lease?: Pick<Lease, 'id'> } = {}): Promise<boolean> {
    assert(expected >= 0n, 'a modRevision is never negative');
    return this.#call(`swap ${key}`, async ({ client, options, mayHaveHappened }) => {
      const { succeeded, responses } = await client.kv.txn({
        compare: [unchanged(key, expected)],
        success: [{ request_put: putOf(key, value, lease?.id) }],
        failure: [{ request_range: { key: Buffer.from(key) } }],
      }, options);
      if (succeeded) return true;
      const current = responses[0]?.response_range.kvs[0]?.value.toString();
      if (mayHaveHappened && current === value) {
        throw new TandemError('etcd-outcome-unknown', `etcd swap ${key}: an answer was lost, and the key holds what was to be written`, { details: { key } });
      }
      return false;
    });
  }

  compareAndDelete(key: string, expected: bigint): Promise<boolean> {
    assert(expected > 0n, 'only a key that exists can be deleted');
    return this.#call(`delete ${key}`, async ({ client, options, mayHaveHappened }) => {
      const { succeeded, responses } = await client.kv.txn({
        compare: [unchanged(key, expected)],
        success: [{ request_delete_range: { key: Buffer.from(key) } }],
        failure: [{ request_range: { key: Buffer.from(key) } }],
      }, options);
      if (succeeded) return true;
      if (mayHaveHappened && responses[0]?.response_range.kvs.length === 0) {
        throw new TandemError('etcd-outcome-unknown', `etcd delete ${key}: an answer was lost, and the key is gone`, { details: { key } });
      }
      return false;
    });
  }

  async watchPrefix(prefix: string, onChange: (snapshot: ReadonlyMap<string, string>) => void, signal?: AbortSignal): Promise<Watch> {
    const watch = await startWatch({ members: this.#members, log: this.#log }, prefix, onChange, signal);
    this.#watches.add(watch);
    return watch;
  }

  lease(ttlS: number): Promise<Lease> {
    return grantLease(this.#members, ttlS, this.#log);
  }

  async ping(deadlineMs: number): Promise<void> {
    await this.#members.call('ping', deadlineMs, ({ client, options }) => client.kv.range({ key: Buffer.from('/tandem/ping') }, options));
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    this.#members.close();
  }

  #call<T>(what: string, run: (attempt: Attempt) => Promise<T>): Promise<T> {
    return this.#members.call(what, this.#deadlineMs, run);
  }
}

function putOf(key: string, value: string, leaseId: string | undefined): { key: Buffer; value: Buffer; lease?: string } {
  return { key: Buffer.from(key), value: Buffer.from(value), ...(leaseId === undefined ? {} : { lease: leaseId }) };
}

/** An absent key has modRevision 0. The numbers are EQUAL and MOD of etcd's protocol. */
function unchanged(key: string, expected: bigint): { key: Buffer; result: 0; target: 2; mod_revision: string } {
  return { key: Buffer.from(key), result: 0, target: 2, mod_revision: String(expected) };
}
