/**
 * The load of the replication bench: rides as the services write them, over rides, ride_events, offers and accounts.
 *
 * Invariant: what is written depends on the ids alone, so each run writes the same rows; statuses only move forward. Of each backlog one
 * half of the rows is inserts, the other updates of rows of the same backlog, and all of it fires the version triggers.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { UNIT_COUNT } from '../../../shared/unit/unit.ts';
import type { MysqlConfig } from '../../../shared/mysql/database.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';

export const LOADED_TABLES = ['rides', 'ride_events', 'offers', 'accounts'] as const;
/** Connections that write side by side; enough for group commit to work at the source. */
const WRITERS = 16;
/** Row changes that one ride makes: four inserts, four updates. */
const ROWS_A_RIDE = 8;
/** Rides whose inserts (or updates) fill a transaction of a hundred rows. */
const RIDES_A_BULK = 25;
const BREAKDOWN = JSON.stringify({ base: 250, distance: 1130, time: 480, surge: 1.0, discounts: [{ kind: 'pool', cents: -180 }], total: 1680, currency: 'USD' });

type Statement = readonly [sql: string, params: readonly unknown[]];

/** Four rows that are written last, one in each of the first four units, so that each partition of four ends with them. */
export const SENTINELS = 4;

/** Ids from `base` on; a ride's rows share its id, as each table has ids of its own. */
export class RideLoad {
  readonly #config: MysqlConfig;
  #next: number;

  constructor(config: MysqlConfig, base: number) {
    this.#config = config;
    this.#next = base;
  }

  /** About `rows` row changes, each a transaction of its own. Resolves with how many there were. */
  async writeSingles(rows: number): Promise<number> {
    const rides = this.#take(Math.ceil(rows / ROWS_A_RIDE));
    await this.#sideBySide(async (connection) => {
      for (let id = rides.take(); id !== undefined; id = rides.take()) {
        for (const [sql, params] of [...inserts([id]), ...updates([id])]) await connection.execute(sql, params);
      }
    });
    return rides.count * ROWS_A_RIDE;
  }

  /** The same in transactions of a hundred rows. */
  async writeBulks(rows: number): Promise<number> {
    const rides = this.#take(Math.ceil(rows / ROWS_A_RIDE / RIDES_A_BULK) * RIDES_A_BULK);
    await this.#sideBySide(async (connection) => {
      for (let first = rides.take(RIDES_A_BULK); first !== undefined; first = rides.take(RIDES_A_BULK)) {
        const ids = Array.from({ length: RIDES_A_BULK }, (_, i) => (first ?? 0) + i);
        await inTransaction(connection, inserts(ids));
        await inTransaction(connection, updates(ids));
      }
    });
    return rides.count * ROWS_A_RIDE;
  }

  /** The last transaction of a backlog: once its rows stand in the target, so does what came before them, give or take a partition. */
  async writeSentinels(): Promise<number> {
    const base = Math.ceil(this.#next / UNIT_COUNT) * UNIT_COUNT;
    this.#next = base + SENTINELS;
    const connection = await openRawConnection(this.#config, { role: 'bench' });
    await inTransaction(connection, inserts(Array.from({ length: SENTINELS }, (_, i) => base + i)));
    await connection.close();
    return base;
  }

  /**
   * `perSecond` transactions a second for `seconds`: five a ride. The account's name is the source's clock at its insert (Unix seconds): the
   * probe by which lag is measured, a fifth of the transactions. Resolves with the first probe's id and the rate reached.
   */
  async writeSteadily({ perSecond, seconds }: { perSecond: number; seconds: number }): Promise<{ transactions: number; rows: number; perSecond: number }> {
    const ridesPerSecond = perSecond / STEADY_TRANSACTIONS;
    const rides = this.#take(Math.round(ridesPerSecond * seconds));
    const startMs = performance.now();
    let started = 0;
    await this.#sideBySide(async (connection) => {
      for (let id = rides.take(); id !== undefined; id = rides.take()) {
        const dueMs = startMs + (started++ * 1000) / ridesPerSecond;
        if (dueMs > performance.now()) await sleep(dueMs - performance.now());
        for (const statements of steady(id)) await (statements.length === 1 ? connection.execute(...(statements[0] as [string, unknown[]])) : inTransaction(connection, statements));
      }
    });
    const transactions = rides.count * STEADY_TRANSACTIONS;
    return { transactions, rows: rides.count * STEADY_ROWS, perSecond: (transactions * 1000) / (performance.now() - startMs) };
  }

  /** The id that the next row gets. */
  get next(): number {
    return this.#next;
  }

  #take(count: number): { readonly count: number; take: (many?: number) => number | undefined } {
    let at = this.#next;
    const end = at + count;
    this.#next = end;
    return {
      count,
      take: (many = 1) => {
        const first = at;
        at += many;
        return first < end ? first : undefined;
      },
    };
  }

  async #sideBySide(write: (connection: RawConnection) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: WRITERS }, async () => {
      const connection = await openRawConnection(this.#config, { role: 'bench' });
      try {
        // Side by side over neighbouring ids, locks on gaps would make writers wait for each other.
        await connection.execute('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
        await write(connection);
      } finally {
        await connection.close();
      }
    }));
  }
}

const STEADY_TRANSACTIONS = 5;
const STEADY_ROWS = 9;

function steady(id: number): Statement[][] {
  const [ride, event, offer] = inserts([id]) as [Statement, Statement, Statement, Statement];
  return [
    [ride, event],
    [['INSERT INTO accounts (id, display_name, unit) VALUES (?, UNIX_TIMESTAMP(NOW(6)), ?)', [id, unitOf(id)]]],
    [offer, ['UPDATE rides SET event_seq = 2 WHERE id = ?', [id]]],
    [[ASSIGN, [id, id]], [ACCEPT, [id, id]]],
    [[BOARD, [id, id]], ['INSERT INTO ride_events (id, ride_id, seq, type, data, unit) VALUES (?, ?, 2, ?, ?, ?)', [id + EVENT_ID_GAP, id, 'ride.assigned', '{"etaS":240}', unitOf(id)]]],
  ];
}

/** A second event of a ride stands this far from the first. */
const EVENT_ID_GAP = 1_000_000_000_000;
const ASSIGN = "UPDATE rides SET status = 'assigned', driver_id = 42, route_id = 4242, assigned_at = NOW(3), event_seq = 3 WHERE id BETWEEN ? AND ?";
const BOARD = "UPDATE rides SET status = 'onboard', boarded_at = NOW(3), event_seq = 4 WHERE id BETWEEN ? AND ?";
const ACCEPT = "UPDATE offers SET status = 'accepted' WHERE id BETWEEN ? AND ?";
const RENAME = "UPDATE accounts SET display_name = CONCAT(display_name, '!') WHERE id BETWEEN ? AND ?";

function inserts(ids: readonly number[]): Statement[] {
  const rows = (row: string): string => ids.map(() => row).join(', ');
  return [
    [`INSERT INTO rides (id, quote_id, rider_id, payer_unit, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, seats, pooled, fare_cents, currency,
        breakdown, otp, latest_pickup_at, latest_arrival_at, next_dispatch_at, unit)
      VALUES ${rows("(?, ?, ?, ?, 'requested', 40.7484405, -73.9856644, 40.7061927, -73.9969181, 1, 1, 1680, 'USD', ?, '4711', '2026-01-01 12:00:00', '2026-01-01 12:30:00', NOW(3), ?)")}`,
    ids.flatMap((id) => [id, id, id % 5000, unitOf(id), BREAKDOWN, unitOf(id)])],
    [`INSERT INTO ride_events (id, ride_id, seq, type, data, unit) VALUES ${rows("(?, ?, 1, 'ride.requested', ?, ?)")}`,
      ids.flatMap((id) => [id, id, `{"rideId":"${id}","status":"requested"}`, unitOf(id)])],
    [`INSERT INTO offers (id, ride_id, driver_id, route_id, status, expires_at, unit) VALUES ${rows("(?, ?, 42, 4242, 'open', '2026-01-01 12:00:15', ?)")}`,
      ids.flatMap((id) => [id, id, unitOf(id)])],
    [`INSERT INTO accounts (id, display_name, unit) VALUES ${rows('(?, ?, ?)')}`, ids.flatMap((id) => [id, `Rider ${id}`, unitOf(id)])],
  ];
}

/** As many row changes as inserts(ids), for ids that stand side by side. */
function updates(ids: readonly number[]): Statement[] {
  const range = [ids[0], ids.at(-1)];
  return [[ASSIGN, range], [ACCEPT, range], [BOARD, range], [RENAME, range]];
}

async function inTransaction(connection: RawConnection, statements: readonly Statement[]): Promise<void> {
  await connection.execute('START TRANSACTION');
  for (const [sql, params] of statements) await connection.execute(sql, params);
  await connection.execute('COMMIT');
}

function unitOf(id: number): number {
  return id % UNIT_COUNT;
}
