/**
 * `tandem bench cdc`: replication from one database into another, by Tandem, by MariaDB itself, by Debezium with its JDBC sink.
 *
 * Every contender reads the same source and writes a target of its own, one after the other: the same backlogs are drained, the same
 * steady load is followed. Nobody else works meanwhile. test/bench/README.md says how each figure is taken.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EXIT } from '../../deploy/local/commands/outcome.ts';
import { sayOnStderr } from '../../deploy/local/console.ts';
import { kafkaConnectIsHere } from '../harness/kafka-connect.ts';
import { startKafka } from '../harness/kafka.ts';
import { startMysql } from '../harness/mysql.ts';
import type { Contender, Source } from './cdc/contender.ts';
import { sharesOf } from './cdc/cpu-shares.ts';
import type { CpuProfile, Shares } from './cdc/cpu-shares.ts';
import { attachDebezium } from './cdc/debezium.ts';
import { drain } from './cdc/drain.ts';
import type { Drain } from './cdc/drain.ts';
import { measureLag } from './cdc/lag.ts';
import type { Lag } from './cdc/lag.ts';
import { RideLoad } from './cdc/load.ts';
import { attachMariadb } from './cdc/mariadb.ts';
import { PEERS, parseOptions } from './cdc/options.ts';
import type { Options } from './cdc/options.ts';
import { reportOf } from './cdc/render.ts';
import type { Measured } from './cdc/render.ts';
import { BUFFER_POOL_MIB, SOURCE_ORIGIN, openSql } from './cdc/servers.ts';
import { attachTandem } from './cdc/tandem.ts';
import type { TandemContender } from './cdc/tandem.ts';
import { printReport } from './report.ts';

const LAG_TRANSACTIONS_PER_SECOND = 500;
const WARM_UP_ROWS = 4_000;
/** Ids below are nobody's here. */
const FIRST_ID = 1_000_000;
/** Transactions of one row are the slower ones: a third as many rows keep the whole within its time. */
const SINGLES_SHARE = 1 / 3;

const options = usable(process.argv.slice(2));
if (options === null) process.exitCode = EXIT.usage;
else await main(options);

/** Null, and a line that says why, for arguments that make no sense. */
function usable(args: readonly string[]): Options | null {
  try {
    return parseOptions(args);
  } catch (e) {
    process.stderr.write(`bench cdc: ${(e as Error).message}\n`);
    return null;
  }
}

async function main(options: Options): Promise<void> {
  const say = sayOnStderr;
  say(`starting a source (${options.engine}), Kafka, and the contenders`);
  await using stack = new AsyncDisposableStack();
  const mysql = stack.use(await startMysql({ engine: options.engine, origin: SOURCE_ORIGIN, grants: true, bufferPoolMib: BUFFER_POOL_MIB }));
  const kafka = stack.use(await startKafka());
  const source: Source = { mysql, broker: kafka.broker, kafkaPid: kafka.pid };
  const { contenders, tandem, absent } = await attachAll(source, options, stack);
  const measured: Measured = { options, absent, settings: Object.fromEntries(contenders.map(({ name, settings }) => [name, settings])), singles: {}, bulks: {}, lags: {}, shares: null };
  const load = new RideLoad(mysql.config, FIRST_ID);

  await round('warm-up', () => load.writeBulks(WARM_UP_ROWS), { load, source, contenders });
  Object.assign(measured.singles, await round('transactions of 1 row', () => load.writeSingles(options.rows * SINGLES_SHARE), { load, source, contenders }));
  Object.assign(measured.bulks, await round('transactions of 100 rows', () => load.writeBulks(options.rows), { load, source, contenders }));
  measured.shares = await profile(tandem, { load, source, options });
  // Whoever drains slowest is measured first: the load of one phase is a backlog for those that come later.
  if (options.seconds > 0) for (const contender of contenders.toReversed()) measured.lags[contender.name] = await lagOf(contender, { load, source, options });
  printReport(reportOf(measured), { json: options.json });
}

async function attachAll(source: Source, { peers }: Options, stack: AsyncDisposableStack): Promise<{ contenders: Contender[]; tandem: TandemContender; absent: Record<string, string> }> {
  const absent: Record<string, string> = {};
  const tandem = stack.use(await attachTandem(source));
  const contenders: Contender[] = [tandem];
  if (peers.includes('mariadb')) {
    if (source.mysql.engine === 'mariadb') contenders.push(stack.use(await attachMariadb(source)));
    else absent['mariadb'] = 'the source is MySQL';
  }
  if (peers.includes('debezium')) {
    if (kafkaConnectIsHere()) contenders.push(stack.use(await attachDebezium(source)));
    else absent['debezium'] = 'its jars could not be fetched';
  }
  for (const peer of PEERS) if (!peers.includes(peer)) absent[peer] = 'left out by --peers';
  return { contenders, tandem, absent };
}

interface Scene { readonly load: RideLoad; readonly source: Source; readonly contenders: readonly Contender[] }

/** Writes a backlog while everyone is stopped, then lets one after the other drain it. */
async function round(what: string, write: () => Promise<number>, { load, source, contenders }: Scene): Promise<Record<string, Drain>> {
  const say = sayOnStderr;
  const startMs = performance.now();
  const rows = await write();
  const sentinel = await load.writeSentinels();
  say(`${what}: ${rows} rows written at ${Math.round((rows * 1000) / (performance.now() - startMs))} rows/s`);
  const drains: Record<string, Drain> = {};
  const sql = await openSql(source.mysql.config);
  for (const contender of contenders) {
    drains[contender.name] = await drain({ contender, source: sql, rows, sentinel });
    await contender.stop();
    say(`${what}: ${contender.name} ${Math.round(drains[contender.name]?.rowsPerSecond ?? 0)} rows/s`);
  }
  await sql.close();
  return drains;
}

async function lagOf(contender: Contender, { load, source, options }: { load: RideLoad; source: Source; options: Options }): Promise<Lag> {
  const sql = await openSql(source.mysql.config);
  const target = await openSql(contender.target.config);
  try {
    await drain({ contender, source: sql, rows: 1, sentinel: await load.writeSentinels() });
    const lag = await measureLag({ load, target, perSecond: LAG_TRANSACTIONS_PER_SECOND, seconds: options.seconds });
    sayOnStderr(`lag: ${contender.name} p50 ${lag.p50Ms.toFixed(1)} p99 ${lag.p99Ms.toFixed(1)} ms at ${Math.round(lag.transactionsPerSecond)} transactions/s`);
    return lag;
  } finally {
    await Promise.all([sql.close(), target.close()]);
    await contender.stop();
  }
}

/** A backlog of both kinds, drained under V8's profiler: slower than the real thing, but in the same proportions. */
async function profile(tandem: TandemContender, { load, source, options }: { load: RideLoad; source: Source; options: Options }): Promise<Record<'capture' | 'apply', Shares>> {
  const dir = options.profiles ?? (await mkdtemp(path.join(tmpdir(), 'tandem-profiles-')));
  try {
    tandem.profileInto(dir);
    const write = async (): Promise<number> => (await load.writeSingles(options.rows / 8)) + (await load.writeBulks(options.rows / 4));
    await round('profiled', write, { load, source, contenders: [tandem] });
    tandem.profileInto(null);
    const read = async (part: string): Promise<CpuProfile> => JSON.parse(await readFile(path.join(dir, `${part}.cpuprofile`), 'utf8')) as CpuProfile;
    return { capture: sharesOf(await read('capture'), 'encoding'), apply: sharesOf(await read('apply'), 'decoding') };
  } finally {
    if (options.profiles === undefined) await rm(dir, { recursive: true, force: true });
  }
}
