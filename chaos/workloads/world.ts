/**
 * The streets of a replay: where a car is while it drives in a straight line. Pure.
 *
 * A car covers great-circle distance at the dispatcher's average speed over its street factor, so that what dispatch
 * foresees is what happens. It deliberately knows no street graph.
 */
import { greatCircleM } from '../../shared/unit/place.ts';
import type { Place } from '../../shared/unit/place.ts';

/** Metres of great-circle distance a car covers in a second of the replay's clock. */
export function carSpeedMps(world: { averageSpeedKmph: number; streetFactor: number; speed: number }): number {
  return (world.averageSpeedKmph / 3.6 / world.streetFactor) * world.speed;
}

/** Where a car stands that left `from` for `to` and has driven `drivenM` metres; `arrived` once it is there. */
export function along(from: Place, to: Place, drivenM: number): { at: Place; arrived: boolean } {
  const totalM = greatCircleM(from, to);
  if (drivenM >= totalM) return { at: to, arrived: true };
  const share = drivenM / totalM;
  return { at: { lat: from.lat + (to.lat - from.lat) * share, lon: from.lon + (to.lon - from.lon) * share }, arrived: false };
}
