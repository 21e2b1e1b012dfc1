/**
 * A database server of one's own for a test, MariaDB or MySQL, with root access over TCP and an empty database `tandem`.
 *
 * engines() names what this machine has, so that a conformance suite runs on each: describe.each(await engines()).
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { databaseEngines, isWanted } from '../../deploy/local/programs/database-engines.ts';
import type { Engine, MysqlProgram } from '../../deploy/local/servers/mysql-program.ts';
import { mysqlServer } from '../../deploy/local/servers/mysql.ts';
import { LOOPBACK } from '../../deploy/local/servers/server-spec.ts';
import type { MysqlConfig } from '../../shared/mysql/database.ts';
import { freePort } from './free-port.ts';
import { createUsers, migrateSchema } from './mysql-schema.ts';
import { found, testCache } from './programs.ts';
import { makeTestDir, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

export interface TestMysql extends ServerProcess {
  readonly engine: Engine;
  readonly host: string;
  readonly port: number;
  readonly user: 'root';
  readonly password: string;
  readonly database: 'tandem';
  readonly socket: string;
  /** The five above as one plain object: root over TCP. */
  readonly config: MysqlConfig;
  /** By user name, when started with `grants`; the same database, generated passwords. */
  readonly users: Readonly<Record<string, MysqlConfig>>;
}

/** The engines of this machine, MariaDB first. TANDEM_TEST_ENGINES=mariadb narrows it. */
export async function engines(): Promise<Engine[]> {
  return [...(await programs()).keys()].filter((engine) => isWanted(engine));
}

/**
 * @param options.engine default: the first of engines()
 * @param options.origin the region's number: server id, MariaDB's GTID domain, and what the triggers stamp; default 1
 * @param options.schema apply the migrations
 * @param options.grants apply the migrations and create the application's users, as the launcher does
 */
export async function startMysql(
  options: { engine?: Engine; origin?: number; schema?: boolean; grants?: boolean; bufferPoolMib?: number } = {},
): Promise<TestMysql> {
  const engine = options.engine ?? found('a database server of the engines asked for', (await engines())[0] ?? null);
  const program = found(engine, (await programs()).get(engine) ?? null);
  const dir = await makeTestDir('mysql');
  const origin = options.origin ?? 1;
  const login = { host: LOOPBACK, port: await freePort(), user: 'root', password: randomBytes(12).toString('hex'), database: 'tandem' } as const;
  const socket = path.join(dir, 's.sock');
  const { port, database } = login;
  const server = await startServer(mysqlServer({
    program, dir, cache: testCache(), port, socket, serverId: origin, rootPassword: login.password, database, bufferPoolMib: options.bufferPoolMib ?? 64,
  }), dir);
  try {
    if (options.schema || options.grants) await migrateSchema(login, origin);
    const users = options.grants ? await createUsers(login) : {};
    return Object.assign(server, { engine, ...login, socket, config: { ...login }, users });
  } catch (e) {
    await server.stop();
    throw e;
  }
}

let known: Promise<ReadonlyMap<Engine, MysqlProgram>> | undefined;

function programs(): Promise<ReadonlyMap<Engine, MysqlProgram>> {
  known ??= databaseEngines(testCache());
  return known;
}
