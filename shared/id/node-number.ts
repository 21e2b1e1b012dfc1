/**
 * A node number of a region, held by a lease, and the window of time reserved for ids under it.
 *
 * etcd keys: /tandem/nodes/<region>/<n> lives as long as its holder's lease; /tandem/node-floors/<region>/<n> stays, and
 * tells up to when ids of this number may have been issued by anyone, ever.
 *
 * Invariant: a window is used only after compare-and-swap has moved the floor key from its beginning to its end; so
 * windows of one number never overlap. That alone keeps ids unique: the lease merely keeps processes out of each other's
 * way. It runs nothing in the background (leased-ids.ts does).
 *
 * HAZARD two holders. A process that is paused, or cut off, learns late that its lease is gone; another holds the number
 * by then. The first goes on inside its own window, the second has the one behind it, and the first's next extension
 * fails: it must take another number.
 * HAZARD unknown outcome. A swap whose answer is lost may have happened. Each holder signs the floor with a token of its
 * own, so it knows its own writing when it reads the key again.
 */
import { randomUUID } from 'node:crypto';
import { isTandemError, TandemError } from '../kernel/tandem-error.ts';
import { END_MS, EPOCH_MS, NODE_COUNT } from './id-layout.ts';

/** A crashed holder's number is free again after this. */
export const LEASE_TTL_S = 15;
/** How far ahead of the clock a window reaches: how long ids go on without etcd. */
export const WINDOW_MS = 60_000;
/** A swap of the floor that fails means that a late holder, or a lost answer, came in between: rare, and rarer in a row. */
const SWAP_ATTEMPTS_MAX = 3;

/** What is asked of etcd; shared/etcd's Etcd fits. Each call has its own deadline and throws a TandemError. */
export interface NodeStore {
  get(key: string): Promise<StoredValue | null>;
  getPrefix(prefix: string): Promise<ReadonlyMap<string, StoredValue>>;
  /** Writes where the key still has revision `expected` (0n: is absent), and tells whether it did. */
  compareAndSwap(key: string, expected: bigint, value: string, options?: { lease?: { id: string } }): Promise<boolean>;
  lease(ttlS: number): Promise<NodeLease>;
}

export interface StoredValue {
  readonly value: string;
  readonly modRevision: bigint;
}

export interface NodeLease {
  readonly id: string;
  revoke(): Promise<void>;
  onLost(callback: () => void): void;
}

export interface AcquireOptions {
  readonly etcd: NodeStore;
  readonly region: string;
  /** Who holds the number, for people who look: "dispatch-east-1". */
  readonly owner: string;
  /** The newest migration that the holder's code carries; told with the number, so that a migrator knows who writes which shape. */
  readonly schema?: number;
  readonly nowMs: () => number;
}

interface Floor {
  readonly ceilingMs: number;
  readonly token: string;
}

/**
 * Leases the free number whose floor lies furthest in the past and reserves a window of WINDOW_MS.
 * Throws id-node-unavailable where all are taken, and what etcd throws; nothing stays leased then.
 */
export async function acquireNodeNumber(options: AcquireOptions): Promise<NodeNumber> {
  const { etcd, region, owner, schema = 0, nowMs } = options;
  const lease = await etcd.lease(LEASE_TTL_S);
  try {
    const [taken, floors] = await Promise.all([etcd.getPrefix(nodeKey(region, '')), etcd.getPrefix(floorKey(region, ''))]);
    const holder = JSON.stringify({ owner, schema, sinceMs: nowMs() });
    for (const node of freeNumbers(region, taken, floors)) {
      if (!(await etcd.compareAndSwap(nodeKey(region, node), 0n, holder, { lease }))) continue;
      return await NodeNumber.reserve({ ...options, node, lease });
    }
    throw new TandemError('id-node-unavailable', `all ${NODE_COUNT} node numbers of ${region} are leased`);
  } catch (e) {
    // Best effort: the lease ends by itself, and the error worth reporting is the first.
    await lease.revoke().catch(() => {});
    throw e;
  }
}

export class NodeNumber {
  readonly node: number;
  readonly lease: NodeLease;
  readonly #etcd: NodeStore;
  readonly #key: string;
  readonly #token = randomUUID();
  #floorMs = EPOCH_MS;
  #ceilingMs = EPOCH_MS;
  #revision = 0n;

  /** Reserves the window behind all earlier ones of this number. Throws conflict where others keep moving the floor. */
  static async reserve(options: AcquireOptions & { node: number; lease: NodeLease }): Promise<NodeNumber> {
    const number = new NodeNumber(options);
    for (let attempt = 1; attempt <= SWAP_ATTEMPTS_MAX; attempt += 1) {
      if (await number.#reserve(options.nowMs())) return number;
    }
    throw new TandemError('conflict', `the floor of node ${options.node} of ${options.region} keeps moving`);
  }

  private constructor({ etcd, region, node, lease }: AcquireOptions & { node: number; lease: NodeLease }) {
    this.node = node;
    this.lease = lease;
    this.#etcd = etcd;
    this.#key = floorKey(region, node);
  }

  /** The window begins here; ms since 1970. */
  get floorMs(): number {
    return this.#floorMs;
  }

  /** The window ends here, itself excluded; ms since 1970. */
  get ceilingMs(): number {
    return this.#ceilingMs;
  }

  /**
   * Makes the window reach WINDOW_MS beyond `fromMs`; never shrinks it. Tells whether this number is still ours: after
   * 'taken-over' what was reserved may be used up, and no more.
   */
  async extend(fromMs: number): Promise<'extended' | 'taken-over'> {
    const ceilingMs = windowEnd(fromMs);
    for (let attempt = 1; this.#ceilingMs < ceilingMs && attempt <= SWAP_ATTEMPTS_MAX; attempt += 1) {
      if (!(await this.#swap(ceilingMs))) return 'taken-over';
    }
    return 'extended';
  }

  /** Hands back what lies behind `unusedFromMs`, so that the next holder's ids are not dated ahead; and the number. */
  async release(unusedFromMs: number): Promise<void> {
    try {
      if (unusedFromMs < this.#ceilingMs) await this.#swap(unusedFromMs);
    } finally {
      await this.lease.revoke();
    }
  }

  async #reserve(nowMs: number): Promise<boolean> {
    const stored = await this.#etcd.get(this.#key);
    this.#floorMs = stored === null ? EPOCH_MS : parseFloor(this.#key, stored.value).ceilingMs;
    this.#revision = stored?.modRevision ?? 0n;
    return this.#swap(windowEnd(Math.max(this.#floorMs, nowMs)));
  }

  /**
   * One compare-and-swap of the floor; tells whether its last writer is this holder. It reads back instead of trusting
   * the answer: a "no" may come from the second sending of a swap that was done at the first, and an earlier swap whose
   * answer was lost may have been done. What it finds under our token is ours: only this chain of swaps writes it.
   */
  async #swap(ceilingMs: number): Promise<boolean> {
    try {
      await this.#etcd.compareAndSwap(this.#key, this.#revision, formatFloor({ ceilingMs, token: this.#token }));
    } catch (e) {
      if (!isTandemError(e, 'etcd-outcome-unknown')) throw e;
    }
    const stored = await this.#etcd.get(this.#key);
    if (stored === null) return false;
    const floor = parseFloor(this.#key, stored.value);
    if (floor.token !== this.#token) return false;
    this.#revision = stored.modRevision;
    this.#ceilingMs = floor.ceilingMs;
    return true;
  }
}

function nodeKey(region: string, node: number | ''): string {
  return `/tandem/nodes/${region}/${node}`;
}

function floorKey(region: string, node: number | ''): string {
  return `/tandem/node-floors/${region}/${node}`;
}

/** The numbers nobody leases, the one whose floor lies furthest in the past first. */
function freeNumbers(
  region: string,
  taken: ReadonlyMap<string, StoredValue>,
  floors: ReadonlyMap<string, StoredValue>,
): number[] {
  const floorOf = (node: number): number => {
    const key = floorKey(region, node);
    const stored = floors.get(key);
    return stored === undefined ? EPOCH_MS : parseFloor(key, stored.value).ceilingMs;
  };
  return Array.from({ length: NODE_COUNT }, (_, node) => ({ node, floorMs: floorOf(node) }))
    .filter(({ node }) => !taken.has(nodeKey(region, node)))
    .toSorted((a, b) => a.floorMs - b.floorMs || a.node - b.node)
    .map(({ node }) => node);
}

function windowEnd(fromMs: number): number {
  return Math.min(END_MS, Math.floor(fromMs) + WINDOW_MS);
}

function formatFloor(floor: Floor): string {
  return JSON.stringify(floor);
}

/** Throws internal: without a floor to trust this number cannot be used, as ids might repeat. */
function parseFloor(key: string, text: string): Floor {
  try {
    const { ceilingMs, token } = JSON.parse(text) as Partial<Floor>;
    if (Number.isSafeInteger(ceilingMs) && typeof token === 'string') return { ceilingMs: ceilingMs as number, token };
  } catch (cause) {
    throw new TandemError('internal', `etcd key ${key} is not JSON: ${text}`, { cause });
  }
  throw new TandemError('internal', `etcd key ${key} is no floor: ${text}`);
}
