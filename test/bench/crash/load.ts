/**
 * Load of which every commit is remembered: entries nobody touches again, rows both regions fight over, unique values both want.
 *
 * Invariant: what is told afterwards is what the server acknowledged; a commit whose answer was lost is told as in doubt, a
 * transaction that failed before its commit is not told at all. Everything a client does to a row it does under that row's lock.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { randomOf } from '../../cdc/workload.ts';
import type { Entry, Increment, Told, Write } from './account.ts';

/** Few enough that both regions meet in them, many enough that locks do not eat the load. */
const FOUGHT_ROWS = 80;
const CARDS = 40;
const CARD_VERSIONS = 30;
/** Below these ids, versions and tokens other loads may write what they like (test/cdc/workload.ts). */
export const FIRST_FOUGHT_ROW = 1_000_000;
export const FIRST_CARD = 1_000_000;
export const FIRST_ENTRY = 1_000_000;
const FIRST_CARD_VERSION = 500_000;
const PARKED_CARD_VERSION = 1_000_000;
const FIRST_TOKEN = 10_000;
const UNITS = 8;
const RECONNECT_AFTER_MS = 50;

export interface LoadOptions {
  readonly connect: () => Promise<RawConnection>;
  /** Different for each client of a run. */
  readonly client: number;
  readonly clients: number;
  readonly seed: number;
  readonly pauseMs: number;
  readonly signal: AbortSignal;
}

interface Draft { readonly writes: Write[]; readonly entries: Entry[]; readonly increments: Increment[] }

export class Load {
  readonly told: Told & Draft = { writes: [], entries: [], increments: [] };
  acknowledged = 0;
  inDoubt = 0;
  /** By the server: duplicate values, deadlocks, and whatever else made it say no. */
  refused = 0;
  readonly #options: LoadOptions;
  readonly #random: (below: number) => number;
  #token: number;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#token = FIRST_TOKEN + options.client;
  }

  /** Writes until the signal aborts. */
  async run(): Promise<void> {
    const { connect, signal, pauseMs } = this.#options;
    let connection: RawConnection | undefined;
    while (!signal.aborted) {
      try {
        if (connection === undefined || connection.isLost) connection = await connect();
        await this.#transaction(connection);
      } catch (e) {
        // The server is away for a while.
        if (!isTandemError(e)) throw e;
        await sleep(RECONNECT_AFTER_MS);
      }
      await sleep(this.#random(pauseMs * 2));
    }
    await connection?.close();
  }

  async #transaction(connection: RawConnection): Promise<void> {
    const draft: Draft = { writes: [], entries: [], increments: [] };
    await connection.execute('START TRANSACTION');
    try {
      for (let left = 1 + this.#random(3); left > 0; left -= 1) await this.#step(connection, draft);
    } catch (e) {
      this.refused += 1;
      if (connection.isLost || !isTandemError(e)) throw e;
      await connection.execute('ROLLBACK');
      return;
    }
    try {
      await connection.execute('COMMIT');
      this.#tell(draft, true);
      this.acknowledged += 1;
    } catch (e) {
      this.#tell(draft, false);
      this.inDoubt += 1;
      throw e;
    }
  }

  #tell(draft: Draft, isAcknowledged: boolean): void {
    this.told.writes.push(...draft.writes.map((each) => ({ ...each, isAcknowledged })));
    this.told.entries.push(...draft.entries.map((each) => ({ ...each, isAcknowledged })));
    this.told.increments.push(...draft.increments.map((each) => ({ ...each, isAcknowledged })));
  }

  async #step(connection: RawConnection, draft: Draft): Promise<void> {
    const choice = this.#random(10);
    if (choice < 3) await this.#enter(connection, draft);
    else if (choice < 7) await this.#fight(connection, draft);
    else if (choice < 9) await this.#wantCard(connection, draft);
    else await this.#swapCards(connection, draft);
  }

  #nextToken(): number {
    this.#token += this.#options.clients;
    return this.#token;
  }

  /** Rows of several units, so that they arrive by several partitions. */
  async #enter(connection: RawConnection, { entries }: Draft): Promise<void> {
    const ids = Array.from({ length: 1 + this.#random(4) }, () => FIRST_ENTRY + this.#nextToken());
    const rows = ids.map((id) => `(${id}, 'entry', ${id % UNITS})`);
    await connection.execute(`INSERT INTO accounts (id, display_name, unit) VALUES ${rows.join(', ')}`);
    entries.push({ ids, isAcknowledged: false });
  }

  async #fight(connection: RawConnection, { writes }: Draft): Promise<void> {
    const id = FIRST_FOUGHT_ROW + this.#random(FOUGHT_ROWS);
    const over = await seen(connection, 'SELECT driver_id AS token FROM vehicles WHERE id = ? FOR UPDATE', id);
    const act = this.#random(10);
    if (over === null) {
      const token = this.#nextToken();
      await connection.execute("INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (?, ?, 'new', 4, ?)", [id, token, id % UNITS]);
      writes.push({ row: `vehicles:${id}`, token, over, isAcknowledged: false });
    } else if (act === 0) {
      await connection.execute('DELETE FROM vehicles WHERE id = ?', [id]);
      writes.push({ row: `vehicles:${id}`, token: null, over, isAcknowledged: false });
    } else if (act === 1) {
      const [to, token] = [FIRST_FOUGHT_ROW + this.#random(FOUGHT_ROWS), this.#nextToken()];
      await connection.execute('UPDATE vehicles SET id = ?, driver_id = ?, unit = ? WHERE id = ?', [to, token, to % UNITS, id]);
      if (to !== id) writes.push({ row: `vehicles:${id}`, token: null, over, isAcknowledged: false });
      writes.push({ row: `vehicles:${to}`, token, over: to === id ? over : null, isAcknowledged: false });
    } else {
      const token = this.#nextToken();
      await connection.execute("UPDATE vehicles SET driver_id = ?, plate = 'changed' WHERE id = ?", [token, id]);
      writes.push({ row: `vehicles:${id}`, token, over, isAcknowledged: false });
    }
  }

  async #wantCard(connection: RawConnection, { writes }: Draft): Promise<void> {
    const id = FIRST_CARD + this.#random(CARDS);
    const over = await seenCard(connection, id);
    const version = FIRST_CARD_VERSION + this.#random(CARD_VERSIONS);
    if (over !== null && this.#random(5) === 0) {
      await connection.execute('DELETE FROM fare_cards WHERE id = ?', [id]);
      writes.push({ row: `fare_cards:${id}`, token: null, over, isAcknowledged: false });
      return;
    }
    const token = this.#nextToken();
    if (over === null) await connection.execute('INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (?, ?, NOW(3), ?, ?)', [id, version, cardBody(token), id % UNITS]);
    else await connection.execute('UPDATE fare_cards SET version = ?, body = ? WHERE id = ?', [version, cardBody(token), id]);
    writes.push({ row: `fare_cards:${id}`, token, over, isAcknowledged: false });
  }

  /** Two cards exchange their unique values, by way of one that nobody has. */
  async #swapCards(connection: RawConnection, { writes }: Draft): Promise<void> {
    const rows = await connection.query<{ id: string; version: number; token: string | number }>(
      `SELECT id, version, JSON_VALUE(body, '$.t') AS token FROM fare_cards WHERE id IN (?, ?) ORDER BY id FOR UPDATE`,
      [FIRST_CARD + this.#random(CARDS), FIRST_CARD + this.#random(CARDS)],
    );
    const [a, b] = rows;
    if (a === undefined || b === undefined) return;
    const [one, two] = [this.#nextToken(), this.#nextToken()];
    const change = 'UPDATE fare_cards SET version = ?, body = ? WHERE id = ?';
    await connection.execute('UPDATE fare_cards SET version = ? WHERE id = ?', [PARKED_CARD_VERSION + one, a.id]);
    await connection.execute(change, [a.version, cardBody(two), b.id]);
    await connection.execute(change, [b.version, cardBody(one), a.id]);
    writes.push({ row: `fare_cards:${a.id}`, token: one, over: Number(a.token), isAcknowledged: false });
    writes.push({ row: `fare_cards:${b.id}`, token: two, over: Number(b.token), isAcknowledged: false });
  }
}

const cardBody = (token: number): string => JSON.stringify({ t: token });

async function seen(connection: RawConnection, sql: string, id: number): Promise<number | null> {
  const [row] = await connection.query<{ token: string | number }>(sql, [id]);
  return row === undefined ? null : Number(row.token);
}

function seenCard(connection: RawConnection, id: number): Promise<number | null> {
  return seen(connection, "SELECT JSON_VALUE(body, '$.t') AS token FROM fare_cards WHERE id = ? FOR UPDATE", id);
}
