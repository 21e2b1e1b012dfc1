/** Claims of the insertion: it equals trying everything out, and never breaks a promise or a capacity. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Place } from '../../../../shared/unit/place.ts';
import { decideInsertion, ROUTE_STOPS_MAX } from '../../../../services/dispatch/domain/insertion.ts';
import type { InsertionResult, NewRider } from '../../../../services/dispatch/domain/insertion.ts';
import { etasMs, loads } from '../../../../services/dispatch/domain/route-plan.ts';
import type { PlannedStop, RoutePlan } from '../../../../services/dispatch/domain/route-plan.ts';
import { greatCircleTravel } from '../../../../services/dispatch/domain/travel.ts';

const travel = greatCircleTravel({ averageSpeedKmph: 24, streetFactor: 1.3, speedFactor: 1 });
const START_MS = Date.UTC(2026, 0, 1);
const RUNS = 2000;

describe('decideInsertion', () => {
  test('finds exactly what trying out every pair of places finds, on routes of up to six stops', () => {
    fc.assert(
      fc.property(scenario, ({ plan, rider }) => {
        expect(placesOf(decideInsertion(plan, rider, travel))).toEqual(bruteForce(plan, rider));
      }),
      { numRuns: RUNS },
    );
  });

  test('never breaks a promise that still holds, never delays a broken one, never overfills the car', () => {
    fc.assert(
      fc.property(scenario, ({ plan, rider }) => {
        const result = decideInsertion(plan, rider, travel);
        if (result.kind === 'infeasible') return;
        const before = new Map(plan.stops.map((stop, index) => [key(stop), etasMs(plan, travel)[index] as number]));
        expect(Math.max(...loads(result.stops))).toBeLessThanOrEqual(plan.seats);
        for (const [index, stop] of result.stops.entries()) {
          const allowedMs = Math.max(stop.latestMs, before.get(key(stop)) ?? 0);
          expect(result.etasMs[index]).toBeLessThanOrEqual(allowedMs);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('keeps the order of the stops that are there, and never overtakes one that is reached', () => {
    fc.assert(
      fc.property(scenario, ({ plan, rider }) => {
        const result = decideInsertion(plan, rider, travel);
        if (result.kind === 'infeasible') return;
        expect(result.stops.filter((stop) => stop.rideId !== rider.rideId)).toEqual(plan.stops);
        expect(result.pickupIndex).toBeGreaterThanOrEqual(plan.stops.filter((stop) => stop.isReached).length);
        expect(result.pickupIndex).toBeLessThan(result.dropoffIndex);
      }),
      { numRuns: RUNS },
    );
  });

  test('a shared detour is cheaper than a second car, so the pooled place is the cheap one', () => {
    const aboard = stop({ rideId: 1n, kind: 'dropoff', place: at(0, 10) });
    const rider = newRider({ pickup: at(0, 2), dropoff: at(0, 8) });
    const shared = decideInsertion(planWith([aboard]), rider, travel);
    const alone = decideInsertion(planWith([]), rider, travel);
    expect(shared).toMatchObject({ kind: 'feasible', pickupIndex: 0, dropoffIndex: 1 });
    expect(addedMs(shared)).toBeLessThan(addedMs(alone));
  });

  test.each([
    { name: 'a car too small', reason: 'no-seats', stops: [], rider: { seatsHeld: 5 } },
    { name: 'a car full until it is too late', reason: 'pickup-too-late', stops: [stop({ kind: 'dropoff', seatsHeld: 4, place: at(0, 50) })], rider: {} },
    { name: 'a pick-up out of reach', reason: 'pickup-too-late', stops: [], rider: { latestPickupMs: START_MS } },
    { name: 'a drop-off out of reach', reason: 'arrival-too-late', stops: [], rider: { latestArrivalMs: START_MS } },
  ])('$name is told as $reason', ({ reason, stops, rider }) => {
    expect(decideInsertion(planWith(stops), newRider(rider), travel)).toEqual({ kind: 'infeasible', reason });
  });

  test('a promise that leaves no slack is told as breaks-a-promise', () => {
    const promised = stop({ kind: 'dropoff', place: at(0, 10), latestMs: START_MS + travel.durationMs(at(0, 0), at(0, 10)) });
    const rider = newRider({ pickup: at(2, 0), dropoff: at(4, 0), latestPickupMs: START_MS + 300_000, latestArrivalMs: START_MS + 600_000 });
    expect(decideInsertion(planWith([promised]), rider, travel)).toEqual({ kind: 'infeasible', reason: 'breaks-a-promise' });
  });

  test('a plan at the limit of stops takes nobody', () => {
    const stops = Array.from({ length: ROUTE_STOPS_MAX - 1 }, (_, i) => stop({ rideId: BigInt(i + 1), kind: 'dropoff', seatsHeld: 0 }));
    expect(decideInsertion(planWith(stops), newRider({}), travel)).toEqual({ kind: 'infeasible', reason: 'route-full' });
  });
});

/** Tries every pair of places and measures each whole route from scratch. */
function bruteForce(plan: RoutePlan, rider: NewRider): Places | 'infeasible' {
  const now = etasMs(plan, travel);
  const reached = plan.stops.filter((each) => each.isReached).length;
  let best: Places | 'infeasible' = 'infeasible';
  for (let pickupIndex = reached; pickupIndex <= plan.stops.length; pickupIndex += 1) {
    for (let dropoffIndex = pickupIndex + 1; dropoffIndex <= plan.stops.length + 1; dropoffIndex += 1) {
      const stops = plan.stops.toSpliced(pickupIndex, 0, riderStop(rider, 'pickup')).toSpliced(dropoffIndex, 0, riderStop(rider, 'dropoff'));
      const etas = etasMs({ ...plan, stops }, travel);
      const fits = Math.max(...loads(stops)) <= plan.seats;
      const isInTime = stops.every((each, index) => {
        const old = plan.stops.indexOf(each);
        return (etas[index] as number) <= Math.max(each.latestMs, old < 0 ? 0 : (now[old] as number));
      });
      if (!fits || !isInTime) continue;
      const cost = (etas.at(-1) as number) - (now.at(-1) ?? plan.startMs);
      if (best === 'infeasible' || cost < best.addedMs) best = { pickupIndex, dropoffIndex, addedMs: cost };
    }
  }
  return best;
}

type Places = { pickupIndex: number; dropoffIndex: number; addedMs: number };

function placesOf(result: InsertionResult): Places | 'infeasible' {
  if (result.kind === 'infeasible') return 'infeasible';
  const { pickupIndex, dropoffIndex } = result;
  return { pickupIndex, dropoffIndex, addedMs: result.addedMs };
}

function addedMs(result: InsertionResult): number {
  return result.kind === 'feasible' ? result.addedMs : Number.POSITIVE_INFINITY;
}

function riderStop(rider: NewRider, kind: 'pickup' | 'dropoff'): PlannedStop {
  const isPickup = kind === 'pickup';
  return {
    rideId: rider.rideId, kind, seatsHeld: rider.seatsHeld, isReached: false,
    place: isPickup ? rider.pickup : rider.dropoff,
    latestMs: isPickup ? rider.latestPickupMs : rider.latestArrivalMs,
  };
}

function key(each: PlannedStop): string {
  return `${each.rideId}/${each.kind}`;
}

/** About hundreds of metres north and east of a corner in Manhattan. */
function at(north: number, east: number): Place {
  return { lat: 40.75 + north / 1112, lon: -73.98 + east / 842 };
}

function stop(change: Partial<PlannedStop>): PlannedStop {
  return { rideId: 1n, kind: 'pickup', place: at(0, 0), seatsHeld: 1, latestMs: START_MS + 3_600_000, isReached: false, ...change };
}

function newRider(change: Partial<NewRider>): NewRider {
  return {
    rideId: 99n, pickup: at(0, 1), dropoff: at(0, 5), seatsHeld: 1,
    latestPickupMs: START_MS + 300_000, latestArrivalMs: START_MS + 3_600_000, ...change,
  };
}

function planWith(stops: PlannedStop[]): RoutePlan {
  return { seats: 4, position: at(0, 0), startMs: START_MS, stops };
}

const place = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 })).map(([north, east]) => at(north, east));
const seconds = (max: number) => fc.integer({ min: 0, max }).map((s) => START_MS + s * 1000);
const latest = fc.record({ latestMs: seconds(1500), seatsHeld: fc.integer({ min: 1, max: 2 }) });

/** Up to three riders, each waiting, being boarded or aboard, their stops shuffled but pick-up before drop-off. */
const scenario = fc
  .record({
    riders: fc.array(fc.record({ phase: fc.constantFrom('planned', 'planned', 'aboard'), pickup: place, dropoff: place, first: latest, second: latest }), { maxLength: 3 }),
    order: fc.infiniteStream(fc.nat()),
    isReached: fc.boolean(),
    seats: fc.integer({ min: 2, max: 5 }),
    position: place,
    rider: fc.record({
      rideId: fc.constant(99n), pickup: place, dropoff: place, seatsHeld: fc.integer({ min: 1, max: 3 }),
      latestPickupMs: seconds(600), latestArrivalMs: seconds(1500),
    }),
  })
  .map(({ riders, order, isReached, seats, position, rider }) => {
    let stops: PlannedStop[] = [];
    for (const [index, { phase, pickup, dropoff, first, second }] of riders.entries()) {
      const rideId = BigInt(index + 1);
      const drop: PlannedStop = { rideId, kind: 'dropoff', place: dropoff, isReached: false, latestMs: second.latestMs, seatsHeld: first.seatsHeld };
      const dropAt = (order.next().value ?? 0) % (stops.length + 1);
      stops = stops.toSpliced(dropAt, 0, drop);
      if (phase === 'aboard') continue;
      const pick: PlannedStop = { rideId, kind: 'pickup', place: pickup, isReached: false, latestMs: first.latestMs, seatsHeld: first.seatsHeld };
      stops = stops.toSpliced((order.next().value ?? 0) % (dropAt + 1), 0, pick);
    }
    if (isReached && stops[0] !== undefined) stops[0] = { ...stops[0], isReached: true };
    // A plan that is given keeps to its seats; a smaller car would make the scenario meaningless, not infeasible.
    const plan: RoutePlan = { seats: Math.max(seats, ...loads(stops)), position, startMs: START_MS, stops };
    return { plan, rider };
  });
