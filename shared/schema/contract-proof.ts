/**
 * The proof that nothing of the old shape is written, or on its way, any more: what a contract step waits for.
 *
 * It has three parts, looked at in this order:
 * 1. Both regions have every expand step.
 * 2. Every process that writes (it holds a node number in etcd, with the newest migration its code carries) carries the
 *    contract migration: code that carries it does not write what it removes. A process of before ends its lease as it ends.
 * 3. Each region has applied a heartbeat that the other wrote after the look of part 2. Heartbeats travel in every
 *    partition in the binlog's order, so all that the last writer of the old shape wrote stands before it.
 *
 * Invariant: part 3 compares versions of one region's own heartbeat, never clocks, and never takes time for proof; that it
 * waits for a heartbeat to travel is no more than politeness. A partition without a watermark is not past anything.
 * HAZARD: a process that lost its lease and still runs (cut off from etcd) is not seen; what it writes afterwards fails at
 * the database, where the column is gone, and is lost to nobody but its caller. Plain SQL of an operator is not seen either.
 */
import { sleep } from '../kernel/deadline.ts';
import type { RawConnection } from '../mysql/raw-connection.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE } from './tables.ts';

export interface ProofSide {
  readonly region: string;
  readonly origin: number;
  readonly connection: Pick<RawConnection, 'query'>;
}

/** A process that writes, as its node number's key in etcd tells. */
export interface Writer {
  readonly region: string;
  readonly owner: string;
  /** The newest migration that its code carries; 0 where it says none. */
  readonly schema: number;
}

export interface ProofOptions {
  readonly sides: readonly [ProofSide, ProofSide];
  /** How many partitions each region's changes travel in. */
  readonly partitions: number | null;
  /** The highest contract migration to be run. */
  readonly migration: number;
  /** All that write now, in both regions. */
  readonly writers: () => Promise<readonly Writer[]>;
  readonly nowMs: () => number;
  /** How long heartbeats are given to arrive. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export const NODES_PREFIX = '/tandem/nodes/';
const POLL_MS = 50;

/** Why the old shape may still be written or on its way, in sentences; none: it is proven that it is not. */
export async function whyNotContract(options: ProofOptions): Promise<readonly string[]> {
  const old = (await options.writers()).filter(({ schema }) => schema < options.migration);
  if (old.length > 0) {
    return old.map(({ region, owner, schema }) =>
      `${owner} in ${region} runs ${schema === 0 ? 'a version that names no schema' : `a version of schema ${schema}`} and may still write what migration ${options.migration} removes`);
  }
  const [left, right] = options.sides;
  const missing = await Promise.all([missingBeat(left, right, options), missingBeat(right, left, options)]);
  return missing.filter((reason) => reason !== null);
}

/** Reads the keys under NODES_PREFIX; a value that is not ours counts as a writer of unknown shape. */
export function parseWriters(keys: ReadonlyMap<string, { readonly value: string }>): readonly Writer[] {
  return [...keys].map(([key, { value }]) => {
    const region = key.slice(NODES_PREFIX.length).split('/')[0] ?? '';
    try {
      const { owner, schema } = JSON.parse(value) as { owner?: unknown; schema?: unknown };
      return { region, owner: String(owner ?? key), schema: typeof schema === 'number' ? schema : 0 };
    } catch {
      return { region, owner: key, schema: 0 };
    }
  });
}

/** null once `target` has applied a heartbeat that `source` writes after this call began. */
async function missingBeat(source: ProofSide, target: ProofSide, { nowMs, deadlineMs, partitions, signal }: ProofOptions): Promise<string | null> {
  const untilMs = nowMs() + deadlineMs;
  const mark = await newestBeat(source);
  if (mark === null) return `${source.region} has never written a heartbeat: its capture does not run`;
  for (;;) {
    const { count, watermark } = await watermarkOf(target, source);
    // Strictly: a beat of that very version may have been written before the look at the writers.
    if (count > 0 && (partitions === null || count >= partitions) && watermark > mark) return null;
    if (nowMs() >= untilMs) {
      return count === 0
        ? `${target.region} has applied nothing of ${source.region} yet`
        : `${target.region} has applied ${source.region} up to version ${watermark} in ${count} partitions, and has to pass ${mark}`;
    }
    await sleep(POLL_MS, signal);
  }
}

async function newestBeat({ connection, origin }: ProofSide): Promise<bigint | null> {
  const [row] = await connection.query<{ hlc: string }>(`SELECT _hlc AS hlc FROM ${HEARTBEAT_TABLE} WHERE id = ?`, [origin]);
  return row === undefined ? null : BigInt(row.hlc);
}

async function watermarkOf({ connection }: ProofSide, source: ProofSide): Promise<{ count: number; watermark: bigint }> {
  const [row] = await connection.query<{ n: string | number; hlc: string | null }>(
    `SELECT COUNT(*) AS n, MIN(watermark_hlc) AS hlc FROM ${CHECKPOINT_TABLE} WHERE source = ?`, [source.region],
  );
  return { count: Number(row?.n ?? 0), watermark: BigInt(row?.hlc ?? 0) };
}
