/**
 * The servers of the bench: one source, a target for each contender, one Kafka.
 *
 * Invariant: all databases run with the same settings, those of the local stack (durable: sync_binlog=1, flush at each commit); only
 * the buffer pool is larger, so that no contender is measured by what the disk reads.
 */
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { LOADED_TABLES } from './load.ts';

export const BUFFER_POOL_MIB = 256;
export const SOURCE_ORIGIN = 1;
export const TARGET_ORIGIN = 2;
const DUMP_POLL_MS = 5;

/** A digest of each loaded table, versions included: equal digests are equal rows. */
export async function fingerprint(sql: RawConnection): Promise<string> {
  const sums = await Promise.all(LOADED_TABLES.map(async (table) => {
    const [row] = await sql.query<{ n: string; s: string | null }>(`SELECT COUNT(*) AS n, SUM(CRC32(CONCAT_WS('/', id, _hlc, _origin))) AS s FROM ${table}`);
    return `${table} ${row?.n} ${row?.s ?? 0}`;
  }));
  return sums.join(', ');
}

/** Tells when somebody new begins to read the binlog: the same moment for every contender. */
export class DumpWatch {
  readonly #sql: RawConnection;
  readonly #known: ReadonlySet<string>;

  private constructor(sql: RawConnection, known: ReadonlySet<string>) {
    this.#sql = sql;
    this.#known = known;
  }

  static async begin(sql: RawConnection): Promise<DumpWatch> {
    return new DumpWatch(sql, new Set(await dumpThreads(sql)));
  }

  async appeared(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!(await dumpThreads(this.#sql)).some((id) => !this.#known.has(id))) {
      if (performance.now() > end) throw new Error(`nobody began to read the binlog within ${deadlineMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, DUMP_POLL_MS));
    }
  }
}

async function dumpThreads(sql: RawConnection): Promise<string[]> {
  const rows = await sql.query<{ id: string }>("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'");
  return rows.map(({ id }) => String(id));
}

export async function openSql(config: Parameters<typeof openRawConnection>[0]): Promise<RawConnection> {
  return openRawConnection(config, { role: 'bench', queryDeadlineMs: 60_000 });
}
