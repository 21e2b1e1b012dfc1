/**
 * Two regions of real processes under load, each kind of part killed again and again; then: is everything there, once, and the same?
 *
 * Invariant: it judges only after everything runs again and both regions have heard of all. What it returns tells every fault it
 * found; it throws only where the run itself could not be brought to an end (the message names what was waited for).
 */
import { runDiff } from '../../../cdc/reconcile/run-diff.ts';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import { decodeChange } from '../../../cdc/change/codec.ts';
import { sleep } from '../../../shared/kernel/deadline.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { startEtcd } from '../../harness/etcd.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { startProcesses } from '../../cdc/processes.ts';
import type { CdcProcesses } from '../../cdc/processes.ts';
import { REGIONS, SIDES, dataSince, startTwin, topicEnds, until } from '../../cdc/twin.ts';
import type { Side, Twin } from '../../cdc/twin.ts';
import { randomOf, runWorkload } from '../../cdc/workload.ts';
import { countFaults, faultsOf } from './account.ts';
import type { Faults, Found, Told } from './account.ts';
import { FIRST_CARD, FIRST_ENTRY, FIRST_FOUGHT_ROW, Load } from './load.ts';
import { KINDS, killAgainAndAgain, victimsOf } from './victims.ts';
import type { Kind } from './victims.ts';

const CLIENTS_PER_REGION = 2;
/** After so many kills there is a backlog; it must go, but it may take its time. */
const SETTLE_MS_MAX = 300_000;
const READY_MS_MAX = 120_000;
/** How much of each partition's end is looked through for messages that were sent twice or echoed. */
const TAIL_MESSAGES = 20_000;
/** The first fare card: the same version in each region from the beginning, so that nobody has sent it to the other. */
const SEEDED_HLC = 1n;
const HISTORIES_MAX = 5;
const REST_MS = 1_500;

export interface CrashOptions {
  readonly engine: TestMysql['engine'];
  /** Of each kind. */
  readonly kills: number;
  readonly seed: number;
  readonly pauseMs: number;
  readonly say?: (progress: CrashProgress) => void;
}

export interface CrashProgress {
  readonly kills: Readonly<Record<Kind, number>>;
  readonly acknowledged: number;
}

export interface CrashResult {
  readonly kills: Readonly<Record<Kind, number>>;
  readonly acknowledged: number;
  readonly inDoubt: number;
  readonly refused: number;
  readonly conflicts: Readonly<Record<string, number>>;
  readonly rowsCompared: number;
  readonly rowsDifferent: number;
  readonly faults: Faults;
  /** Of each lost or reverted row: who wrote it, and what the regions keep of it. */
  readonly histories: Readonly<Record<string, readonly string[]>>;
  /** Changes found after everything had come to rest. */
  readonly echoes: readonly string[];
  /** Messages that a region's topic holds twice, or that another region wrote. */
  readonly sentTwice: readonly string[];
  /** Processes that ended by themselves; a supervisor starts them again. */
  readonly ownEnds: number;
  readonly killingMs: number;
  readonly settlingMs: number;
}

export async function runCrashes({ engine, kills, seed, pauseMs, say = () => {} }: CrashOptions): Promise<CrashResult> {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(await startEtcd());
  const twin = stack.use(await startTwin(engine, { kafkaEach: true }));
  const processes = stack.use(await startProcesses(twin, etcd, { supervised: true }));
  await untilAllReady(processes);

  const stop = new AbortController();
  const loads = SIDES.flatMap((side, i) => Array.from({ length: CLIENTS_PER_REGION }, (_, j) => loadOf(twin, side, { client: 1 + i * CLIENTS_PER_REGION + j, seed, pauseMs, signal: stop.signal })));
  const running = Promise.all([...loads.map((load) => load.run()), ...SIDES.map((side, i) => runWorkload({
    connect: () => openRawConnection(twin.of(side).mysql.config, { role: 'workload' }), seed: seed + 100 + i, pauseMs: pauseMs * 4, signal: stop.signal,
  }))]);
  const killed: Record<Kind, number> = { capture: 0, apply: 0, database: 0, kafka: 0 };
  const beganMs = performance.now();
  await Promise.race([killAll(twin, processes, { kills, seed, onKill: (kind) => {
    killed[kind] += 1;
    say({ kills: killed, acknowledged: sum(loads, (load) => load.acknowledged) });
  } }), running]);
  const killingMs = Math.round(performance.now() - beganMs);
  stop.abort();
  await running;

  await untilAllReady(processes);
  for (const side of SIDES) await twin.of(side).reconnect();
  await twin.settle(SETTLE_MS_MAX);
  const settlingMs = Math.round(performance.now() - beganMs - killingMs);
  const told: Told = {
    writes: loads.flatMap((load) => load.told.writes), entries: loads.flatMap((load) => load.told.entries), increments: loads.flatMap((load) => load.told.increments),
  };
  const faults = faultsOf(told, await foundIn(twin));
  return {
    kills: killed, killingMs, settlingMs, faults, histories: await historiesOf(twin, told, faults),
    acknowledged: sum(loads, (load) => load.acknowledged), inDoubt: sum(loads, (load) => load.inDoubt), refused: sum(loads, (load) => load.refused),
    ...(await compared(twin)),
    conflicts: await conflictCounts(twin),
    sentTwice: (await Promise.all(SIDES.map((side) => sentTwice(twin, side)))).flat(),
    echoes: await echoesAtRest(twin),
    ownEnds: processes.all.reduce((total, { ownEnds }) => total + ownEnds, 0),
  };
}

function loadOf(twin: Twin, side: Side, { client, seed, pauseMs, signal }: { client: number; seed: number; pauseMs: number; signal: AbortSignal }): Load {
  return new Load({
    connect: () => openRawConnection(twin.of(side).mysql.config, { role: 'load' }),
    client, clients: SIDES.length * CLIENTS_PER_REGION, seed: seed + client, pauseMs, signal,
  });
}

/** Everything that must be zero, by name. */
export function faultCounts(result: CrashResult): Record<string, number> {
  const { lost, reverted, foreign, torn, miscounted } = result.faults;
  return {
    'rows lost': lost.length + reverted.length,
    'rows doubled or torn': foreign.length + torn.length + miscounted.length,
    'rows different': result.rowsDifferent,
    'messages sent twice': result.sentTwice.length,
    'echoes at rest': result.echoes.length,
  };
}

export function isClean(result: CrashResult): boolean {
  return countFaults(result.faults) === 0 && Object.values(faultCounts(result)).every((count) => count === 0);
}

/** A kind's kills are shared out among its members. */
async function killAll(twin: Twin, processes: CdcProcesses, { kills, seed, onKill }: { kills: number; seed: number; onKill: (kind: Kind) => void }): Promise<void> {
  const victims = victimsOf(twin, processes);
  await Promise.all(KINDS.flatMap((kind) => {
    const members = victims.filter((victim) => victim.kind === kind);
    return members.map((victim, i) => killAgainAndAgain(victim, {
      times: Math.floor((kills + i) / members.length), random: randomOf(seed + 1_000 + victims.indexOf(victim)), onKill: () => onKill(kind),
    }));
  }));
}

async function untilAllReady(processes: CdcProcesses): Promise<void> {
  await Promise.all(processes.all.map((each) => until(`${each.part} of ${each.side}`,
    async () => (await fetch(`${each.url}/health/ready`).catch(() => undefined))?.ok ?? false, READY_MS_MAX)));
}

async function compared(twin: Twin): Promise<Pick<CrashResult, 'rowsCompared' | 'rowsDifferent'>> {
  const sideOf = (side: Side) => ({ name: side, mysql: twin.of(side).mysql.users['tandem_operator'] ?? twin.of(side).mysql.config });
  const { rowsCompared, rowsDifferent, rowsUnsettled } = await runDiff({ left: sideOf('east'), right: sideOf('west'), log: SILENT_LOG });
  // The digests of diff and the plain rows must agree that there is nothing.
  const [east, west] = [JSON.stringify(await twin.east.everything()), JSON.stringify(await twin.west.everything())];
  return { rowsCompared, rowsDifferent: rowsDifferent + rowsUnsettled + (east === west ? 0 : 1) };
}

/** Of the loads that are accounted for. Both regions are the same (see compared), so what stands is read in one of them. */
async function foundIn(twin: Twin): Promise<Found> {
  const { sql } = twin.east;
  const standing = new Map<string, number>();
  for (const { id, token } of await sql.query<{ id: string; token: string }>('SELECT id, driver_id AS token FROM vehicles WHERE id >= ?', [FIRST_FOUGHT_ROW])) standing.set(`vehicles:${id}`, Number(token));
  const cards = await sql.query<{ id: string; token: string }>("SELECT id, JSON_VALUE(body, '$.t') AS token FROM fare_cards WHERE id >= ?", [FIRST_CARD]);
  for (const { id, token } of cards) standing.set(`fare_cards:${id}`, Number(token));
  const entries = await sql.query<{ id: string }>('SELECT id FROM accounts WHERE id >= ?', [FIRST_ENTRY]);
  const named = new Set<number>();
  for (const side of SIDES) for (const { local_image, remote_image } of await twin.of(side).conflicts()) for (const image of [local_image, remote_image]) noteToken(named, image);
  return { standing, named, entryIds: new Set(entries.map(({ id }) => Number(id))), counters: new Map() };
}

function noteToken(named: Set<number>, image: unknown): void {
  if (typeof image !== 'string') return;
  const row = JSON.parse(image) as Record<string, unknown>;
  if (row['driver_id'] !== undefined) named.add(Number(row['driver_id']));
  if (typeof row['body'] === 'string') named.add(Number((JSON.parse(row['body']) as { t?: number }).t));
}

async function historiesOf(twin: Twin, { writes }: Told, { lost, reverted }: Faults): Promise<Record<string, string[]>> {
  const histories: Record<string, string[]> = {};
  for (const row of new Set([...lost, ...reverted].slice(0, HISTORIES_MAX).map((fault) => fault.split(' ')[0] ?? ''))) {
    const [table, id] = row.split(':');
    const lines = writes.filter((write) => write.row === row).map(({ token, over, isAcknowledged }) => `${token ?? 'delete'} over ${over}${isAcknowledged ? '' : ', in doubt'}`);
    for (const side of SIDES) {
      const conflicts = await twin.of(side).sql.query(
        `SELECT CONCAT_WS(' ', detected_at, kind, outcome, CONCAT(local_hlc, '/', local_origin), CONCAT(remote_hlc, '/', remote_origin), local_image, remote_image) AS line
         FROM _conflicts WHERE table_name = ? AND row_id = ? ORDER BY detected_at`, [table, id]);
      const tombstones = await twin.of(side).sql.query("SELECT CONCAT('tombstone ', _hlc, '/', _origin) AS line FROM _tombstones WHERE table_name = ? AND row_id = ?", [table, id]);
      lines.push(...[...conflicts, ...tombstones].map(({ line }) => `${side}: ${line}`));
    }
    histories[row] = lines;
  }
  return histories;
}

async function conflictCounts(twin: Twin): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const side of SIDES) for (const { kind } of await twin.of(side).conflicts()) counts[`${side} ${kind}`] = (counts[`${side} ${kind}`] ?? 0) + 1;
  return counts;
}

/** Looks through the end of each partition. What a region sends carries its own origin, or none where it set a row aside. */
async function sentTwice(twin: Twin, side: Side): Promise<string[]> {
  const { kafka } = twin.of(side);
  const faults: string[] = [];
  for (const [partition, messages] of await kafka.readTails(changeTopic(side), TAIL_MESSAGES)) {
    const known = new Set<string>();
    for (const { value, offset } of messages) {
      const { transaction, version, table, id } = decodeChange(value.toString());
      if (version.hlc <= SEEDED_HLC) continue;
      const place = `${transaction.id} ${transaction.order}`;
      if (known.has(place)) faults.push(`${side}/${partition} offset ${offset}: ${place} (${table} ${id}) again`);
      known.add(place);
      if (version.origin !== 0 && version.origin !== REGIONS.originOf(side)) faults.push(`${side}/${partition} offset ${offset}: ${table} ${id} was written in region ${version.origin}`);
    }
  }
  return faults;
}

async function echoesAtRest(twin: Twin): Promise<string[]> {
  const ends = await Promise.all(SIDES.map((side) => topicEnds(twin.of(side))));
  await sleep(REST_MS);
  await twin.settle(SETTLE_MS_MAX);
  const sent = await Promise.all(SIDES.map((side, i) => dataSince(twin.of(side), ends[i] ?? new Map())));
  return sent.flat().map(({ op, table, id }) => `${op} ${table} ${id}`);
}

function sum<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((total, each) => total + of(each), 0);
}
