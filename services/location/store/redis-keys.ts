/**
 * Location's names in Redis, in one place: whoever looks with redis-cli finds here what each key is.
 */

/** Stream of batches, each entry one field `batch` (position-codec.ts); for fan-out to every location process. */
export const POSITIONS_STREAM = 'tandem:positions';
/** About a minute of batches at one batch each 20 ms from each of a few processes; trimmed approximately. */
export const POSITIONS_STREAM_LENGTH_MAX = 4_096;

/** String: the driver's last position, gone when no longer fresh. */
export function lastPositionKey(driverId: string): string {
  return `tandem:position:${driverId}`;
}

/** Set of the drivers seen in a cell during a bucket of time; expires whole. */
export function cellKey(cell: string, bucket: number): string {
  return `tandem:cell:${cell}:${bucket}`;
}
