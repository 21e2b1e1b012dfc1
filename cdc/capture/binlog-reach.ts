/**
 * Does the oldest binlog tell of every row that stands here? Asked once, before an empty topic is filled from it.
 *
 * Invariant: no means that a row was last written before the oldest binlog begins: reading it would leave that row out. Rows
 * are versioned, so this needs no trust in what was purged, reset or restored: each row says when it was written.
 * HAZARD: rows that were loaded with sql_log_bin=0 since then look as if they stood in the binlog; `tandem diff` shows them.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { withDeadline } from '../../shared/kernel/deadline.ts';
import type { MysqlConfig, Sql } from '../../shared/mysql/database.ts';
import { openReplicationConnection } from '../../shared/mysql/replication-connection.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { formatPosition } from '../change/position.ts';
import { translateBinlogError } from './binlog-errors.ts';
import type { ServerPosition } from './server-position.ts';
import { oldestOf, resetCommand } from './start-check.ts';

const FIRST_EVENT_DEADLINE_MS = 15_000;
/** One pass over each table without an index on the version. */
const SCAN_DEADLINE_MS = 900_000;
/** Event headers count in seconds. */
const HEADER_GRAIN_MS = 1_000;
const HLC_COUNTER_BITS = 16n;
const COM_BINLOG_DUMP = 0x12;
const FIRST_EVENT_POSITION = 4;

export interface ReachOptions {
  readonly region: string;
  readonly mysql: MysqlConfig;
  readonly database: Sql;
  readonly server: ServerPosition;
  readonly replicaId: number;
  readonly tables: readonly string[];
}

/** Throws capture-needs-snapshot, naming a table, a row and where the binlog begins. */
export async function checkBinlogReach({ region, mysql, database, server, replicaId, tables }: ReachOptions): Promise<void> {
  const beginMs = await beginningOf(mysql, server.oldestFile, replicaId);
  const purged = formatPosition(oldestOf(server));
  const [schema] = await database.query<{ at: Date | null }>('SELECT MIN(done_at) AS at FROM _migrations');
  // A binlog that is older than the schema has seen every row come.
  if (purged === '' && schema?.at != null && schema.at.getTime() >= beginMs) return;
  const below = BigInt(beginMs + HEADER_GRAIN_MS) << HLC_COUNTER_BITS;
  const connection = await openRawConnection(mysql, { role: 'capture-reach', queryDeadlineMs: SCAN_DEADLINE_MS });
  try {
    for (const table of tables) {
      const [row] = await connection.query<{ id: string }>(`SELECT id FROM \`${table}\` WHERE _hlc < ? LIMIT 1`, [below]);
      if (row === undefined) continue;
      const began = new Date(beginMs).toISOString();
      throw new TandemError(
        'capture-needs-snapshot',
        `the topic is empty and the oldest binlog (${server.oldestFile}) begins at ${began}${purged === '' ? '' : `, after ${purged} was purged`}, ` +
        `but ${table} holds rows that were written before (id ${row.id} is one): run ${resetCommand(region, 'snapshot')}, or --to now where the peer has them`,
        { details: { table, id: row.id, oldestFile: server.oldestFile, began, purged } },
      );
    }
  } finally {
    await connection.close();
  }
}

/** When the server began to write that file, ms since 1970, by the header of its first event. */
async function beginningOf(mysql: MysqlConfig, file: string, replicaId: number): Promise<number> {
  const first = Promise.withResolvers<number>();
  first.promise.catch(() => {});
  const connection = await openReplicationConnection(mysql).catch((error: unknown) => {
    throw translateBinlogError(error);
  });
  try {
    await connection.query('SET @master_binlog_checksum = @@GLOBAL.binlog_checksum');
    connection.dump(dumpCommand(file, replicaId), {
      // The artificial rotate ahead of the file's own first event has no time.
      onEvent: (bytes, start) => {
        const seconds = bytes.readUInt32LE(start);
        if (seconds > 0) first.resolve(seconds * 1_000);
      },
      onError: (error) => first.reject(translateBinlogError(error)),
    });
    return await withDeadline(`binlog: the first event of ${file}`, FIRST_EVENT_DEADLINE_MS, () => first.promise);
  } finally {
    connection.destroy();
  }
}

/** COM_BINLOG_DUMP from the file's first event: position, flags, replica id, name. */
function dumpCommand(file: string, replicaId: number): Buffer {
  const command = Buffer.alloc(11);
  command.writeUInt8(COM_BINLOG_DUMP, 0);
  command.writeUInt32LE(FIRST_EVENT_POSITION, 1);
  command.writeUInt32LE(replicaId, 7);
  return Buffer.concat([command, Buffer.from(file)]);
}
