/**
 * The RPO guard at work in a service: looks at the database several times a second, and refuses writes by what it saw.
 *
 * The look compares two versions of this region's own making: what the peer says it has applied of us (`seen_hlc` in the
 * peer's row of _heartbeats, which it writes with each beat) against now, by this database's clock. No other clock has a
 * say. Now, rather than our own newest beat: beats stop together with capture, and what is written then reaches nobody.
 *
 * Invariant: a database that cannot be read leaves the exposure growing by the time since it could, so that silence is never
 * taken for safety. It does not touch reads, heartbeats, capture or apply, nor what the process writes on its own.
 */
import { performance } from 'node:perf_hooks';
import type { Etcd } from '../etcd/etcd.ts';
import { watchPolicy } from '../etcd/policy.ts';
import type { Policy } from '../etcd/policy.ts';
import { watchRegionState } from '../etcd/regions.ts';
import type { RegionState } from '../etcd/regions.ts';
import type { WriteGate } from '../http/write-gate.ts';
import { sleep } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import type { Regions } from '../kernel/region.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { Sql } from '../mysql/database.ts';
import { HEARTBEAT_TABLE } from '../schema/tables.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { DEFAULT_GUARD_POLICY, parseGuardPolicy } from './guard-policy.ts';
import type { GuardPolicy } from './guard-policy.ts';
import { RpoGuard, STATE_NUMBERS } from './rpo-guard.ts';

/** A heartbeat's pace: more looks see nothing new. */
export const LOOK_EVERY_MS = 200;

export interface RpoWatchDeps {
  readonly region: string;
  readonly regions: Regions;
  /** A user that may read _heartbeats. */
  readonly db: Sql;
  readonly etcd: Etcd;
  readonly log: LogSink;
  readonly metrics: Metrics;
  /** Since 1970. */
  readonly nowMs: () => number;
}

/** Resolves once policy, region state and a first look are in. Throws etcd-unavailable. */
export async function startRpoWatch(deps: RpoWatchDeps): Promise<RpoWatch> {
  const policy = await watchPolicy(deps.etcd, 'rpo-guard', parseGuardPolicy, DEFAULT_GUARD_POLICY, deps);
  try {
    const peerState = await watchRegionState(deps.etcd, deps.regions.peerOf(deps.region));
    const watch = new RpoWatch(deps, policy, peerState);
    await watch.look();
    watch.start();
    return watch;
  } catch (e) {
    policy.stop();
    throw e;
  }
}

export class RpoWatch implements WriteGate {
  readonly #deps: RpoWatchDeps;
  readonly #policy: Policy<GuardPolicy>;
  readonly #peerState: RegionState;
  readonly #guard = new RpoGuard();
  readonly #stopping = new AbortController();
  readonly #refused: { add(value: number): void };
  #running: Promise<void> = Promise.resolve();
  /** What the last look that succeeded saw, and when (monotonic). */
  #seen: { exposureMs: number | null; atMs: number } = { exposureMs: null, atMs: 0 };

  /** For startRpoWatch. */
  constructor(deps: RpoWatchDeps, policy: Policy<GuardPolicy>, peerState: RegionState) {
    this.#deps = deps;
    this.#policy = policy;
    this.#peerState = peerState;
    this.#refused = deps.metrics.counter('tandem_rpo_guard_refused_total', 'Writes refused because the peer was too far behind.');
    deps.metrics.observe('tandem_rpo_exposure_ms', 'How many ms of writes here the peer has not told to have applied; absent where it has told nothing.', [], (report) => {
      const { exposureMs } = this.#guard;
      if (exposureMs !== null) report(exposureMs);
    });
    deps.metrics.observe('tandem_rpo_guard_state', '-1 off as the peer is lost, 0 clear, 1 warning, 2 throttling, 3 pausing.', [], (report) => {
      report(STATE_NUMBERS[this.#guard.state]);
    });
  }

  /** Throws rpo-guard with details.retryAfterS. */
  admit(): void {
    const retryAfterS = this.#guard.refusal();
    if (retryAfterS === null) return;
    this.#refused.add(1);
    const { exposureMs } = this.#guard;
    const behind = exposureMs === null ? 'has not told what it has applied' : `is ${Math.round(exposureMs)} ms behind`;
    throw new TandemError('rpo-guard', `the peer of ${this.#deps.region} ${behind}`, { details: { retryAfterS } });
  }

  /** For startRpoWatch. */
  start(): void {
    this.#running = this.#repeat(this.#stopping.signal);
  }

  async look(): Promise<void> {
    const before = this.#guard.state;
    const exposureMs = await this.#exposure();
    const state = this.#guard.observe({ exposureMs, peerState: this.#peerState.current(), nowMs: this.#deps.nowMs() }, this.#policy.current());
    if (state !== before) this.#deps.log.warn({ from: before, to: state, exposureMs, ...this.#policy.current() }, 'the RPO guard changes its state');
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#policy.stop();
    this.#peerState.stop();
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_EVERY_MS, signal).catch(() => {});
      if (!signal.aborted) await this.look();
    }
  }

  async #exposure(): Promise<number | null> {
    const { db, region, regions } = this.#deps;
    try {
      const exposureMs = await readExposure(db, regions.originOf(regions.peerOf(region)));
      this.#seen = { exposureMs, atMs: performance.now() };
      return exposureMs;
    } catch {
      // Writes fail at the same database, by themselves and with better words; here it only must not look safe.
      const { exposureMs, atMs } = this.#seen;
      return exposureMs === null ? null : exposureMs + performance.now() - atMs;
    }
  }
}

/** ms of this region's writes that the peer has not told to have applied; null where it has told nothing yet. */
export async function readExposure(db: Sql, peerOrigin: number): Promise<number | null> {
  const [row] = await db.query<{ seen: bigint; now: bigint }>(
    `SELECT seen_hlc >> 16 AS seen, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) AS now FROM ${HEARTBEAT_TABLE} WHERE id = ?`, [peerOrigin],
  );
  if (row === undefined || BigInt(row.seen) === 0n) return null;
  // A version may run ahead of the clock that it was stamped by.
  return Math.max(0, Number(BigInt(row.now) - BigInt(row.seen)));
}
