/**
 * This region's word in etcd: /tandem/leases/<region>, which exists while its ops process can reach a majority, and
 * /tandem/regions/<region> with its state, the hash of its configuration and when that was written.
 *
 * Invariant: a state that somebody else has set (a runbook) is kept; only its hash and time are brought up to date, by
 * compare-and-swap. Losing etcd loses the lease and nothing else here: it is taken again as soon as a majority answers.
 */
import type { Etcd } from '../../../shared/etcd/etcd.ts';
import type { Lease } from '../../../shared/etcd/lease.ts';
import { REGIONS_PREFIX } from '../../../shared/etcd/regions.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';

export const LEASES_PREFIX = '/tandem/leases/';
export const LEASE_TTL_S = 10;
const INITIAL_STATE = 'active';

export interface RegionEntry {
  readonly state: string;
  readonly configHash: string;
  readonly at: string;
}

export class RegionRegistry {
  readonly #etcd: Etcd;
  readonly #region: string;
  readonly #holder: string;
  readonly #log: LogSink;
  #lease: Lease | undefined;

  constructor(deps: { etcd: Etcd; region: string; holder: string; log: LogSink }) {
    this.#etcd = deps.etcd;
    this.#region = deps.region;
    this.#holder = deps.holder;
    this.#log = deps.log;
  }

  /** Takes the lease if it is not held. Throws etcd-unavailable. */
  async holdLease(): Promise<void> {
    if (this.#lease !== undefined) return;
    const lease = await this.#etcd.lease(LEASE_TTL_S);
    await this.#etcd.put(LEASES_PREFIX + this.#region, JSON.stringify({ holder: this.#holder }), { leaseId: lease.id });
    this.#lease = lease;
    lease.onLost(() => {
      this.#log.warn({ region: this.#region }, 'the lease of the region is lost; it is taken again when etcd answers');
      if (this.#lease === lease) this.#lease = undefined;
    });
  }

  /** Writes the hash beside the state that stands. Throws etcd-unavailable. */
  async publish(configHash: string, nowMs: number): Promise<void> {
    const key = REGIONS_PREFIX + this.#region;
    const found = await this.#etcd.get(key);
    const before = found === null ? {} : asObject(found.value);
    const state = typeof before['state'] === 'string' ? before['state'] : INITIAL_STATE;
    const entry = { ...before, state, configHash, at: new Date(nowMs).toISOString() };
    // Lost the race: somebody changed the state; the next round writes beside it.
    await this.#etcd.compareAndSwap(key, found?.modRevision ?? 0n, JSON.stringify(entry));
  }

  async stop(): Promise<void> {
    await this.#lease?.revoke();
  }
}

/** What stands in etcd about a region; null where nothing, or nothing readable, stands there. */
export function entryOf(snapshot: ReadonlyMap<string, string>, region: string): RegionEntry | null {
  const text = snapshot.get(REGIONS_PREFIX + region);
  const { state, configHash, at } = text === undefined ? {} : asObject(text);
  return typeof state === 'string' && typeof configHash === 'string' ? { state, configHash, at: String(at) } : null;
}

function asObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Not ours: a person has put something else there; it is written anew.
    return {};
  }
}
