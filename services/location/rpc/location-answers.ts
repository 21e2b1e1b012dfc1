/**
 * Location's gRPC answers: checks requests and turns positions into messages.
 * Invariant: a bad request is validation-failed with every bad field named; everything else is answered, at worst with
 * nothing. Who may ask is decided by the network: this port is not public.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { PositionBoard } from '../domain/position-board.ts';
import { isPlace } from '../domain/position.ts';
import type { Position } from '../domain/position.ts';
import type { NearDrivers } from '../store/near-drivers.ts';
import { LIMIT_MAX, RADIUS_M_MAX } from '../store/near-drivers.ts';

/** Messages as the loader gives and takes them: camelCase, int64 as text, absent scalars as 0. */
export type NearestRequest = { readonly lat: number; readonly lon: number; readonly limit: number; readonly radiusM: number };
export type PositionsRequest = { readonly driverIds: readonly string[] };
export type TrackRequest = { readonly driverId: string };
export type PositionMessage = { readonly driverId: string; readonly lat: number; readonly lon: number; readonly atMs: string };
export type NearDriverMessage = PositionMessage & { readonly distanceM: number };

/** location.proto's service, as shared/rpc types it on both sides. */
export interface LocationMethods {
  Nearest(request: NearestRequest): Promise<{ drivers: NearDriverMessage[] }>;
  Positions(request: PositionsRequest): Promise<{ positions: PositionMessage[] }>;
  Track(request: TrackRequest): AsyncIterable<PositionMessage>;
}

export const LIMIT_DEFAULT = 20;
export const RADIUS_M_DEFAULT = 5_000;
export const DRIVER_IDS_MAX = 1_000;

export type AnswerDeps = { readonly near: NearDrivers; readonly board: PositionBoard; readonly nowMs: () => number };

export async function answerNearest(request: NearestRequest, deps: AnswerDeps): Promise<{ drivers: NearDriverMessage[] }> {
  const limit = request.limit === 0 ? LIMIT_DEFAULT : request.limit;
  const radiusM = request.radiusM === 0 ? RADIUS_M_DEFAULT : request.radiusM;
  refuseFaults([
    ['lat, lon', isPlace(request), 'must be a place: lat -90 to 90, lon -180 to 180'],
    ['limit', limit >= 1 && limit <= LIMIT_MAX, `must be 1 to ${LIMIT_MAX}`],
    ['radius_m', radiusM >= 1 && radiusM <= RADIUS_M_MAX, `must be 1 to ${RADIUS_M_MAX}`],
  ]);
  const found = await deps.near.nearest({ place: { lat: request.lat, lon: request.lon }, limit, radiusM });
  return { drivers: found.map(({ position, distanceM }) => ({ ...messageOf(position), distanceM: Math.round(distanceM) })) };
}

export async function answerPositions(request: PositionsRequest, deps: AnswerDeps): Promise<{ positions: PositionMessage[] }> {
  refuseFaults([['driver_ids', request.driverIds.length <= DRIVER_IDS_MAX, `must be at most ${DRIVER_IDS_MAX}`]]);
  return { positions: (await deps.near.positions(request.driverIds)).map(messageOf) };
}

/**
 * The driver's position now, if fresh, then each new one until the signal aborts. Keeps one position at most: a reader
 * that is slower than the driver gets the newest, not the backlog. Throws rate-limited past the board's limit.
 */
export async function* answerTrack(request: TrackRequest, deps: AnswerDeps, signal: AbortSignal): AsyncGenerator<PositionMessage> {
  const { driverId } = request;
  refuseFaults([['driver_id', /^[1-9][0-9]{0,18}$/.test(driverId), 'must be an id']]);
  let newest: Position | undefined;
  let wake: (() => void) | undefined;
  const unsubscribe = deps.board.subscribe(driverId, (position) => {
    newest = position;
    wake?.();
  });
  if (unsubscribe === undefined) throw new TandemError('rate-limited', `driver ${driverId} is tracked too often already`);
  const onAbort = (): void => wake?.();
  signal.addEventListener('abort', onAbort);
  try {
    // Redis knows drivers whose pings this process has not read yet.
    const [first] = await deps.near.positions([driverId]);
    newest ??= first;
    while (!signal.aborted) {
      if (newest === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted) resolve();
        });
        continue;
      }
      const position = newest;
      newest = undefined;
      yield messageOf(position);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unsubscribe();
  }
}

function messageOf(position: Position): PositionMessage {
  const { driverId, lat, lon, atMs } = position;
  return { driverId, lat, lon, atMs: String(atMs) };
}

function refuseFaults(checks: readonly (readonly [field: string, isGood: boolean, message: string])[]): void {
  const errors = checks.filter(([, isGood]) => !isGood).map(([field, , message]) => ({ field, message }));
  if (errors.length === 0) return;
  throw new TandemError('validation-failed', errors.map(({ field, message }) => `${field} ${message}`).join('; '), { details: { errors } });
}
