/**
 * The events of a ride, which the rider's stream replays.
 *
 * Invariant: seq counts from 1 without a gap and in commit order, because it is drawn under the ride's lock; a reader who
 * has seen n never meets a smaller one later.
 */
import type { Sql } from '../../../shared/mysql/database.ts';

export type RideEventType = 'requested' | 'assigned' | 'arrived' | 'onboard' | 'otp-failed' | 'completed' | 'cancelled' | 'rejected' | 'rated';

export type RideEvent = { readonly rideId: bigint; readonly seq: number; readonly type: string; readonly data: string; readonly at: Date };

export async function insertRideEvent(
  tx: Sql,
  event: { id: bigint; rideId: bigint; seq: number; type: RideEventType; data: Readonly<Record<string, unknown>>; at: Date; unit: number },
): Promise<void> {
  await tx.execute('INSERT INTO ride_events (id, ride_id, seq, type, data, created_at, unit) VALUES (?, ?, ?, ?, ?, ?, ?)', [
    event.id, event.rideId, event.seq, event.type, JSON.stringify(event.data), event.at, event.unit,
  ]);
}

/** Up to `limit` events after `after`, in order. */
export async function readRideEvents(sql: Sql, input: { key: bigint; after: bigint; limit: number }): Promise<RideEvent[]> {
  const rows = await sql.query<{ ride_id: bigint; seq: number; type: string; data: string; created_at: Date }>(
    `SELECT ride_id, seq, type, data, created_at FROM ride_events WHERE ride_id = ? AND seq > ? ORDER BY seq LIMIT ${input.limit}`,
    [input.key, input.after],
  );
  return rows.map((row) => ({ rideId: row.ride_id, seq: row.seq, type: row.type, data: row.data, at: row.created_at }));
}

/** The newest seq of each ride that has one. */
export async function newestRideEvents(sql: Sql, rideIds: readonly bigint[]): Promise<Map<bigint, bigint>> {
  const rows = await sql.query<{ ride_id: bigint; seq: number }>(
    'SELECT ride_id, MAX(seq) AS seq FROM ride_events WHERE ride_id IN (?) GROUP BY ride_id',
    [rideIds],
  );
  return new Map(rows.map((row) => [row.ride_id, BigInt(row.seq)]));
}
