/**
 * Reads _conflicts of the regions as the operator's login sees it, and joins what both recorded of one conflict.
 *
 * Invariant: a region that does not answer keeps nobody from seeing what the other has; it is named in `unreachable`. Where none
 * answers, that is the error. It only reads.
 */
import { parseHlc } from '../../../shared/clock/hlc.ts';
import type { Topology } from '../../../shared/config/topology.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { CONFLICT_TABLE } from '../../../shared/schema/tables.ts';
import { parseServerTime } from '../../apply/lag.ts';
import type { Image } from '../../change/envelope.ts';
import { conflictOf } from './conflict.ts';
import type { Conflict, ConflictRecord } from './conflict.ts';

export interface ConflictFilter {
  readonly region?: string | undefined;
  readonly table?: string | undefined;
  readonly kind?: string | undefined;
  /** ms since 1970. */
  readonly sinceMs?: number | undefined;
  readonly limit: number;
}

export interface FoundConflicts {
  /** The newest first. */
  readonly conflicts: readonly Conflict[];
  /** There are more than `limit`. */
  readonly hasMore: boolean;
  readonly unreachable: readonly string[];
}

const BASE_COLUMNS = 'id, table_name, row_id, unit, kind, rule, outcome, local_hlc, local_origin, remote_hlc, remote_origin, detected_at';

export async function findConflicts(topology: Topology, { region, table, kind, sinceMs, limit }: ConflictFilter): Promise<FoundConflicts> {
  const regions = region === undefined ? Object.keys(topology.regions) : [region];
  const conditions = [
    ...(table === undefined ? [] : [{ sql: 'table_name = ?', value: table }]),
    ...(kind === undefined ? [] : [{ sql: 'kind = ?', value: kind }]),
    ...(sinceMs === undefined ? [] : [{ sql: 'detected_at >= ?', value: new Date(sinceMs) }]),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`;
  const sql = `SELECT ${BASE_COLUMNS} FROM ${CONFLICT_TABLE} ${where} ORDER BY detected_at DESC, id LIMIT ${limit + 1}`;
  const { records, unreachable } = await readAll(topology, regions, (connection) => connection.query<Row>(sql, conditions.map(({ value }) => value)));
  const conflicts = joined(records, topology).toSorted((a, b) => b.detectedMs - a.detectedMs || (a.id < b.id ? -1 : 1));
  return { conflicts: conflicts.slice(0, limit), hasMore: conflicts.length > limit, unreachable };
}

/** With images; null where no region that answers has it. */
export async function readConflict(topology: Topology, id: string): Promise<{ readonly conflict: Conflict | null; readonly unreachable: readonly string[] }> {
  const sql = `SELECT ${BASE_COLUMNS}, local_image, remote_image FROM ${CONFLICT_TABLE} WHERE id = ?`;
  const { records, unreachable } = await readAll(topology, Object.keys(topology.regions), (connection) => connection.query<Row>(sql, [BigInt(id)]));
  return { conflict: joined(records, topology)[0] ?? null, unreachable };
}

/** A connection of the operator to a region's database, closed after the work. */
export async function withOperator<T>(topology: Topology, region: string, work: (connection: RawConnection) => Promise<T>): Promise<T> {
  const { endpoints } = topology.regions[region] as Topology['regions'][string];
  const connection = await openRawConnection(endpoints.mysql, { role: 'operator' });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

export function regionOfOrigin(topology: Topology): (origin: number) => string {
  return (origin) => Object.entries(topology.regions).find(([, region]) => region.origin === origin)?.[0] ?? `origin ${origin}`;
}

interface Row {
  readonly id: string;
  readonly table_name: string;
  readonly row_id: string;
  readonly unit: number;
  readonly kind: string;
  readonly rule: string;
  readonly outcome: string;
  readonly local_hlc: string;
  readonly local_origin: number;
  readonly remote_hlc: string;
  readonly remote_origin: number;
  readonly detected_at: string;
  readonly local_image?: string | null;
  readonly remote_image?: string | null;
}

async function readAll(
  topology: Topology, regions: readonly string[], read: (connection: RawConnection) => Promise<Row[]>,
): Promise<{ records: ConflictRecord[]; unreachable: string[] }> {
  const answers = await Promise.allSettled(regions.map((region) => withOperator(topology, region, read)));
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
  if (failures.length === regions.length) throw failures[0];
  return {
    records: answers.flatMap((answer, i) => (answer.status === 'fulfilled' ? answer.value.map((row) => recordOf(regions[i] as string, row)) : [])),
    unreachable: regions.filter((_, i) => answers[i]?.status === 'rejected'),
  };
}

function recordOf(region: string, row: Row): ConflictRecord {
  return {
    id: row.id, region, table: row.table_name, rowId: row.row_id, unit: row.unit, kind: row.kind, rule: row.rule, outcome: row.outcome,
    local: { hlc: parseHlc(row.local_hlc), origin: row.local_origin },
    remote: { hlc: parseHlc(row.remote_hlc), origin: row.remote_origin },
    detectedMs: parseServerTime(row.detected_at),
    ...(row.local_image === undefined ? {} : { localImage: imageOf(row.local_image), remoteImage: imageOf(row.remote_image) }),
  };
}

function imageOf(json: string | null | undefined): Image | null {
  return json === null || json === undefined ? null : (JSON.parse(json) as Image);
}

function joined(records: readonly ConflictRecord[], topology: Topology): Conflict[] {
  const byId = new Map<string, [ConflictRecord, ...ConflictRecord[]]>();
  for (const record of records) {
    const known = byId.get(record.id);
    if (known === undefined) byId.set(record.id, [record]);
    else known.push(record);
  }
  return [...byId.values()].map((each) => conflictOf(each, regionOfOrigin(topology)));
}
