/**
 * The coordinator: charges every completed ride whose payer is at home here and that has no payment yet.
 * Invariant: it may run twice, in two processes, or after a crash: charges.ts charges once. It keeps nothing that
 * matters: a restart finds the unpaid fares again. A fare that cannot be charged is set aside for a growing while and
 * tried again; it never holds up the others.
 *
 * HAZARD: between the check of the unit's home and the commit, the home may move. Until a region fences its units at
 * the database, two regions could then both charge; hence the check right before each charge and short transactions.
 */
import { sleep, withDeadline } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { UNIT_COUNT } from '../../../shared/unit/unit.ts';
import type { Fare } from '../domain/payment.ts';
import { chargeFare } from '../store/charges.ts';
import { listUnpaidFares } from '../store/fares.ts';
import type { IdSource } from '../store/ledger.ts';

/** The quick look: what was completed lately, here or in a peer that replicates in time. */
export const LOOK_EVERY_MS = 250;
export const LOOK_BACK_MS = 15 * 60_000;
/** The sweep: what came late, after an outage or a move of homes. */
export const SWEEP_EVERY_MS = 60_000;
export const SWEEP_BACK_MS = 7 * 24 * 60 * 60_000;
export const BATCH_MAX = 200;
/** Charges under way at once; each holds a database connection. */
const CHARGES_AT_ONCE = 4;
const CHARGE_DEADLINE_MS = 5_000;
const SET_ASIDE = { baseMs: 1_000, maxMs: 10 * 60_000, countMax: 1_000 } as const;

export type ChargeCounts = {
  readonly charged: (fares: number) => void;
  readonly failed: () => void;
  /** Rides whose charge failed and that wait for another try. */
  readonly setAside: (rides: number) => void;
};

type HomeCheck = { isHome(unit: number): boolean };
type Trouble = { readonly failures: number; readonly againAtMs: number };

export class ChargeLoop {
  readonly #db: Database;
  readonly #clock: { now(): bigint };
  readonly #ids: IdSource;
  readonly #units: HomeCheck;
  readonly #log: LogSink;
  readonly #nowMs: () => number;
  readonly #counts: ChargeCounts;
  readonly #trouble = new Map<bigint, Trouble>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #lastRoundMs: number | undefined;

  constructor(options: {
    readonly db: Database;
    readonly clock: { now(): bigint };
    readonly ids: IdSource;
    readonly units: HomeCheck;
    readonly log: LogSink;
    readonly nowMs: () => number;
    readonly counts: ChargeCounts;
  }) {
    this.#db = options.db;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#units = options.units;
    this.#log = options.log;
    this.#nowMs = options.nowMs;
    this.#counts = options.counts;
  }

  /** When the last round ended well, ms since 1970; undefined before the first. */
  get lastRoundMs(): number | undefined {
    return this.#lastRoundMs;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One round over the fares of the last `lookBackMs`; how many it charged and whether more may be waiting. */
  async round(lookBackMs: number): Promise<{ readonly charged: number; readonly isFull: boolean }> {
    const fares = await listUnpaidFares(this.#db, {
      units: this.#homeUnits(),
      since: new Date(this.#nowMs() - lookBackMs),
      limit: BATCH_MAX,
      except: this.#notYet(),
    });
    let charged = 0;
    const queue = fares.values();
    const worker = async (): Promise<void> => {
      for (const fare of queue) if (await this.#charge(fare)) charged += 1;
    };
    await Promise.all(Array.from({ length: CHARGES_AT_ONCE }, worker));
    if (charged > 0) this.#counts.charged(charged);
    this.#lastRoundMs = this.#nowMs();
    return { charged, isFull: fares.length === BATCH_MAX };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let sweepAtMs = this.#nowMs();
    let isFailing = false;
    while (!signal.aborted) {
      const isSweep = this.#nowMs() >= sweepAtMs;
      let pauseMs = LOOK_EVERY_MS;
      try {
        const { isFull } = await this.round(isSweep ? SWEEP_BACK_MS : LOOK_BACK_MS);
        if (isSweep && !isFull) sweepAtMs = this.#nowMs() + SWEEP_EVERY_MS;
        if (isFull) pauseMs = 0;
        if (isFailing) this.#log.info({}, 'charging again');
        isFailing = false;
      } catch (err) {
        if (!isFailing) this.#log.error({ err }, 'unpaid fares cannot be read; trying again');
        isFailing = true;
      }
      await sleep(pauseMs, signal).catch(() => {});
    }
  }

  async #charge(fare: Fare): Promise<boolean> {
    if (this.#stopping.signal.aborted || !this.#units.isHome(fare.payerUnit)) return false;
    try {
      const outcome = await withDeadline('charging a fare', CHARGE_DEADLINE_MS, () =>
        this.#db.transaction((tx) => chargeFare(tx, this.#ids, fare), { clock: this.#clock }));
      this.#trouble.delete(fare.rideId);
      return outcome.kind === 'charged';
    } catch (err) {
      this.#counts.failed();
      this.#setAside(fare, err);
      return false;
    }
  }

  #setAside(fare: Fare, err: unknown): void {
    const failures = (this.#trouble.get(fare.rideId)?.failures ?? 0) + 1;
    const pauseMs = Math.min(SET_ASIDE.maxMs, SET_ASIDE.baseMs * 2 ** (failures - 1));
    this.#trouble.delete(fare.rideId);
    this.#trouble.set(fare.rideId, { failures, againAtMs: this.#nowMs() + pauseMs });
    if (this.#trouble.size > SET_ASIDE.countMax) this.#trouble.delete(this.#trouble.keys().next().value!);
    this.#counts.setAside(this.#trouble.size);
    this.#log.error({ err, rideId: String(fare.rideId), failures, pauseMs }, 'a fare could not be charged; set aside');
  }

  #notYet(): bigint[] {
    const nowMs = this.#nowMs();
    return [...this.#trouble].filter(([, trouble]) => trouble.againAtMs > nowMs).map(([rideId]) => rideId);
  }

  #homeUnits(): number[] {
    return Array.from({ length: UNIT_COUNT }, (_, unit) => unit).filter((unit) => this.#units.isHome(unit));
  }
}
