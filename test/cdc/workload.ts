/**
 * Random DML as operators and services type it, on both regions at once: single rows, many rows, transactions over tables
 * and units, rows both regions fight over, unique values both want.
 *
 * Invariant: what a seed does depends on nothing but the seed and the timing of the servers. Statements that the server
 * refuses (a duplicate key, a deadlock) are part of the game.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';

const ROWS = 60;
const UNITS = 8;
const VERSIONS = 12;

/** Mulberry32: small, seeded, good enough to choose statements. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Writes until the signal aborts; returns how many statements the server took. */
export async function runWorkload(
  { connect, seed, pauseMs, signal }: { connect: () => Promise<RawConnection>; seed: number; pauseMs: number; signal: AbortSignal },
): Promise<number> {
  const random = randomOf(seed);
  let taken = 0;
  let connection: RawConnection | undefined;
  while (!signal.aborted) {
    try {
      if (connection === undefined || connection.isLost) connection = await connect();
      taken += random(3) === 0 ? await transaction(connection, random) : await statement(connection, random);
    } catch (e) {
      // The server is away for a while.
      if (!isTandemError(e)) throw e;
      await sleep(50);
    }
    await sleep(random(pauseMs * 2));
  }
  await connection?.close();
  return taken;
}

async function transaction(connection: RawConnection, random: (below: number) => number): Promise<number> {
  await connection.execute('START TRANSACTION');
  let taken = 0;
  for (let left = 1 + random(5); left > 0; left -= 1) taken += await statement(connection, random);
  await connection.execute(random(8) === 0 ? 'ROLLBACK' : 'COMMIT');
  return taken;
}

async function statement(connection: RawConnection, random: (below: number) => number): Promise<number> {
  const [sql, params] = choose(random);
  try {
    await connection.execute(sql, params);
    return 1;
  } catch (e) {
    if (connection.isLost || !isTandemError(e)) throw e;
    return 0;
  }
}

function choose(random: (below: number) => number): [sql: string, params: unknown[]] {
  const id = 1 + random(ROWS);
  const text = `t${random(1_000_000)}`;
  switch (random(12)) {
    case 0:
    case 1:
      return ['INSERT INTO accounts (id, display_name, unit) VALUES (?, ?, ?)', [id, text, id % UNITS]];
    case 2:
      return ['INSERT IGNORE INTO vehicles (id, driver_id, plate, seats, unit) VALUES (?, ?, ?, 4, ?), (?, ?, ?, 2, ?)',
        [id, id, text.slice(0, 8), id % UNITS, id + 1, id, 'second', (id + 1) % UNITS]];
    case 3:
      return ['UPDATE accounts SET display_name = ? WHERE id BETWEEN ? AND ?', [text, id, id + random(10)]];
    case 4:
    case 5:
      return ['UPDATE accounts SET display_name = ? WHERE id = ?', [text, id]];
    case 6:
      return ['DELETE FROM accounts WHERE id = ?', [id]];
    case 7:
      return ['DELETE FROM vehicles WHERE id BETWEEN ? AND ?', [id, id + random(4)]];
    case 8:
      return ['REPLACE INTO accounts (id, display_name, unit) VALUES (?, ?, ?)', [id, text, id % UNITS]];
    case 9:
      return ["INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (?, ?, NOW(3), '{}', ?)", [100 + random(10_000), 1000 + random(VERSIONS), random(UNITS)]];
    case 10:
      return ['UPDATE fare_cards SET version = ? WHERE id BETWEEN 100 AND 11000 ORDER BY id LIMIT 1', [1000 + random(VERSIONS)]];
    default:
      return random(3) === 0
        ? ['DELETE FROM fare_cards WHERE version = ?', [1000 + random(VERSIONS)]]
        : ['UPDATE vehicles SET plate = ?, seats = seats % 7 + 1 WHERE driver_id = ?', [text.slice(0, 8), id]];
  }
}
