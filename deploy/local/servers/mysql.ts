/**
 * MariaDB 10.11+ or MySQL 8.4/9.x for one region: durable, row binlog with full images and metadata, GTIDs, on loopback.
 *
 * Sessions are READ COMMITTED unless they say otherwise, as Tandem's own always are: at REPEATABLE READ, the engines' own default,
 * the insert trigger's look for a tombstone that is not there locks the gap where it would be, and an operator's open INSERT
 * would block others' deletes, and apply. Nothing relies on gap locks: rows are locked by key and looked at again.
 *
 * Invariant: what capture needs (ROW, FULL image, FULL metadata, GTID) is set here for both engines. Passwords reach the
 * server through a private init file that runs at every start, so secrets.json and the server never disagree.
 * It makes the application's database, empty; tables and users are the schema's business.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { PRIVATE_DIR, writeAtomic } from './files.ts';
import { asRoot, prepareMysqlData } from './mysql-data.ts';
import type { Engine, MysqlProgram } from './mysql-program.ts';
import { probeMysql } from './probes.ts';
import { LOOPBACK } from './server-spec.ts';
import type { ServerSpec } from './server-spec.ts';

export interface MysqlOptions {
  readonly program: MysqlProgram;
  readonly dir: string;
  /** Where templates of initialised data directories are kept. */
  readonly cache: string;
  readonly port: number;
  readonly socket: string;
  /** 1..2^32-1, differs between regions. */
  readonly serverId: number;
  /** Letters and digits: it is quoted into the init file. Root logs in over the socket and from loopback with it. */
  readonly rootPassword: string;
  /** Created empty when missing. */
  readonly database: string;
  readonly bufferPoolMib?: number;
}

export function mysqlServer(options: MysqlOptions): ServerSpec {
  const { program, dir, cache, socket } = options;
  return {
    command: program.mysqld,
    args: mysqlArgs(options),
    env: {},
    prepare: async () => {
      await prepareMysqlData(program, dir, cache);
      await mkdir(path.join(dir, 'tmp'), { recursive: true, mode: PRIVATE_DIR });
      await mkdir(path.dirname(socket), { recursive: true, mode: PRIVATE_DIR });
      await writeAtomic(initFile(dir), initSql(options));
      // A socket left by a killed server would make a client wait for nobody.
      await Promise.all([socket, `${socket}.lock`].map((file) => rm(file, { force: true })));
    },
    ready: () => probeMysql(options.port),
  };
}

function mysqlArgs(options: MysqlOptions): string[] {
  const { program, dir, port, socket, serverId, bufferPoolMib = 96 } = options;
  return [
    '--no-defaults', // must stand first
    ...asRoot(),
    `--datadir=${path.join(dir, 'data')}`,
    `--tmpdir=${path.join(dir, 'tmp')}`,
    `--pid-file=${path.join(dir, 'pid')}`,
    `--socket=${socket}`,
    `--init-file=${initFile(dir)}`,
    `--bind-address=${LOOPBACK}`,
    `--port=${port}`,
    '--skip-name-resolve',
    '--transaction-isolation=READ-COMMITTED',
    '--local-infile=0',
    '--max-connections=300',
    '--character-set-server=utf8mb4',
    '--default-time-zone=+00:00',
    `--server-id=${serverId}`,
    '--log-bin=binlog',
    '--binlog-format=ROW',
    '--binlog-row-image=FULL',
    '--binlog-row-metadata=FULL',
    '--sync-binlog=1',
    '--max-binlog-size=128M',
    // A row of 16 MiB is twice that in a statement of apply, and more with its escapes.
    '--max-allowed-packet=128M',
    `--binlog-expire-logs-seconds=${3 * 86_400}`,
    // The triggers that stamp versions are made by a user without SUPER.
    '--log-bin-trust-function-creators=1',
    '--innodb-flush-log-at-trx-commit=1',
    `--innodb-buffer-pool-size=${bufferPoolMib}M`,
    '--innodb-log-buffer-size=8M',
    '--innodb-lock-wait-timeout=10',
    '--performance-schema=OFF',
    '--table-open-cache=800',
    '--table-definition-cache=600',
    ...ENGINE_ARGS[program.engine](serverId),
  ];
}

const ENGINE_ARGS: Record<Engine, (serverId: number) => string[]> = {
  mariadb: (serverId) => [
    `--gtid-domain-id=${serverId}`,
    '--gtid-strict-mode=1',
    '--log-slave-updates=1',
    '--innodb-log-file-size=64M',
    '--key-buffer-size=1M',
    '--aria-pagecache-buffer-size=8M',
    '--log-warnings=1',
  ],
  mysql: () => [
    '--gtid-mode=ON',
    '--enforce-gtid-consistency=ON',
    '--innodb-redo-log-capacity=64M',
    '--temptable-max-ram=32M',
    '--log-error-verbosity=2',
    '--mysqlx=OFF',
  ],
};

function initFile(dir: string): string {
  return path.join(dir, 'init.sql');
}

/** Not written to the binlog: accounts are the region's own. One statement a line, as both engines read it. */
function initSql({ rootPassword, database }: MysqlOptions): string {
  return [
    'SET SESSION sql_log_bin=0;',
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${rootPassword}';`,
    `CREATE USER IF NOT EXISTS 'root'@'${LOOPBACK}' IDENTIFIED BY '${rootPassword}';`,
    `ALTER USER 'root'@'${LOOPBACK}' IDENTIFIED BY '${rootPassword}';`,
    `GRANT ALL PRIVILEGES ON *.* TO 'root'@'${LOOPBACK}' WITH GRANT OPTION;`,
    `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4;`,
    '',
  ].join('\n');
}
