/** MariaDB's own replication by GTID, with four parallel workers in the mode that was the fastest on this load. */
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { startMysql } from '../../harness/mysql.ts';
import { BUFFER_POOL_MIB, TARGET_ORIGIN } from './servers.ts';
import type { Contender, Source } from './contender.ts';

const SETTINGS = { slave_parallel_threads: 4, slave_parallel_mode: 'optimistic', slave_parallel_max_queued: 4 * 1024 * 1024 } as const;

/** The target begins at the source's position of now; both have the same schema and no data. */
export async function attachMariadb({ mysql: source }: Source): Promise<Contender> {
  const target = await startMysql({ engine: 'mariadb', origin: TARGET_ORIGIN, schema: true, bufferPoolMib: BUFFER_POOL_MIB });
  const sql = await openRawConnection(target.config, { role: 'bench', queryDeadlineMs: 60_000 });
  // Its own binlog so far is its migrations, which a replica would have to have seen.
  await sql.execute('RESET MASTER');
  const [position] = await positionOf(source.config);
  await sql.execute(`SET GLOBAL gtid_slave_pos = '${position}'`);
  for (const [name, value] of Object.entries(SETTINGS)) await sql.execute(`SET GLOBAL ${name} = ${typeof value === 'string' ? `'${value}'` : value}`);
  await sql.execute(`CHANGE MASTER TO MASTER_HOST = '${source.host}', MASTER_PORT = ${source.port}, MASTER_USER = 'root', MASTER_PASSWORD = '${source.password}',
    MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1`);
  return {
    name: 'mariadb',
    target,
    settings: `${Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`).join(' ')} log_slave_updates=1 master_use_gtid=slave_pos`,
    start: async () => void (await sql.execute('START SLAVE')),
    stop: async () => {
      await refuseBroken(sql);
      await sql.execute('STOP SLAVE');
    },
    pids: () => ({ source: source.pid, target: target.pid }),
    measured: [],
    [Symbol.asyncDispose]: async () => {
      await sql.close();
      await target.stop();
    },
  };
}

async function positionOf(config: Parameters<typeof openRawConnection>[0]): Promise<string[]> {
  const sql = await openRawConnection(config, { role: 'bench' });
  const rows = await sql.query<{ at: string }>('SELECT @@gtid_binlog_pos AS at');
  await sql.close();
  return rows.map(({ at }) => at);
}

async function refuseBroken(sql: RawConnection): Promise<void> {
  const [status] = await sql.query<Record<string, string>>('SHOW SLAVE STATUS');
  if (status?.['Last_SQL_Error'] || status?.['Last_IO_Error']) throw new Error(`replication broke: ${status['Last_SQL_Error'] || status['Last_IO_Error']}`);
}
