/**
 * The events of a driver, which the driver's stream replays.
 *
 * Invariant: seq grows by one for a driver in commit order, because it is drawn under the lock of the driver's open route
 * (routes.event_seq); a shift that opens carries on from the newest event of the last, so the stream spans shifts.
 * Without an open route a driver gets no events.
 */
import type { Sql } from '../../../shared/mysql/database.ts';

export type DriverEventType = 'offer' | 'offer-closed' | 'route';

export type DriverEvent = { readonly driverId: bigint; readonly seq: bigint; readonly type: string; readonly data: string; readonly at: Date };

export async function insertDriverEvent(
  tx: Sql,
  event: { id: bigint; driverId: bigint; seq: number; type: DriverEventType; data: Readonly<Record<string, unknown>>; at: Date; unit: number },
): Promise<void> {
  await tx.execute('INSERT INTO driver_events (id, driver_id, seq, type, data, created_at, unit) VALUES (?, ?, ?, ?, ?, ?, ?)', [
    event.id, event.driverId, event.seq, event.type, JSON.stringify(event.data), event.at, event.unit,
  ]);
}

/** Up to `limit` events after `after`, in order. */
export async function readDriverEvents(sql: Sql, input: { key: bigint; after: bigint; limit: number }): Promise<DriverEvent[]> {
  const rows = await sql.query<{ driver_id: bigint; seq: bigint; type: string; data: string; created_at: Date }>(
    `SELECT driver_id, seq, type, data, created_at FROM driver_events WHERE driver_id = ? AND seq > ? ORDER BY seq LIMIT ${input.limit}`,
    [input.key, input.after],
  );
  return rows.map((row) => ({ driverId: row.driver_id, seq: row.seq, type: row.type, data: row.data, at: row.created_at }));
}

/** The newest seq of each driver who has one. */
export async function newestDriverEvents(sql: Sql, driverIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const rows = await sql.query<{ driver_id: bigint; seq: bigint }>(
    'SELECT driver_id, MAX(seq) AS seq FROM driver_events WHERE driver_id IN (?) GROUP BY driver_id',
    [driverIds],
  );
  return new Map(rows.map((row) => [row.driver_id, row.seq]));
}
