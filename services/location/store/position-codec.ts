/**
 * Positions as text, the way they lie in Redis: `id,lat,lon,atMs,seenMs`, several joined by `;`.
 * Invariant: what encode wrote, decode gives back; degrees keep seven decimals (a centimetre). A text that does not
 * parse is dropped, as another version of this process may have written it: positions come back with the next pings.
 */
import { isPlace } from '../domain/position.ts';
import type { Position } from '../domain/position.ts';

export function encodePosition(position: Position): string {
  return `${position.driverId},${degrees(position.lat)},${degrees(position.lon)},${position.atMs},${position.seenMs}`;
}

export function decodePosition(text: string): Position | undefined {
  const fields = text.split(',');
  if (fields.length !== 5 || fields.includes('')) return undefined;
  const position = {
    driverId: fields[0]!,
    lat: Number(fields[1]),
    lon: Number(fields[2]),
    atMs: Number(fields[3]),
    seenMs: Number(fields[4]),
  };
  const isSound = isPlace(position) && Number.isFinite(position.atMs) && Number.isFinite(position.seenMs);
  return isSound ? position : undefined;
}

export function encodeBatch(encoded: readonly string[]): string {
  return encoded.join(';');
}

export function decodeBatch(text: string): Position[] {
  return text.split(';').map(decodePosition).filter((position) => position !== undefined);
}

/** Number's own text of a value rounded to 1e-7: shorter and faster than toFixed. */
function degrees(value: number): number {
  return Math.round(value * 1e7) / 1e7;
}
