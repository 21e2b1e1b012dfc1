/**
 * Replays trips as riders and moves a fleet along as drivers, through the public APIs of both regions alone.
 *
 * Invariant: the n-th trip starts at its time divided by `speed`; the service is told of the same speed by whoever
 * starts the replay (policy /tandem/config/dispatch), so that a minute of the trips file is a minute to both.
 * Riders and drivers prefer one region each, half and half, and try the other when it does not answer.
 * It judges nothing: the journal goes to the checkers.
 */
import type { Place } from '../../shared/unit/place.ts';
import { ApiClient, pause } from './api-client.ts';
import type { CallCounts, Endpoint } from './api-client.ts';
import { Driver } from './driver.ts';
import type { DriverCounts } from './driver.ts';
import { Journal } from './journal.ts';
import type { JournalRide, ReplayProgress } from './journal.ts';
import { Rider } from './rider.ts';
import type { Trip } from './rider.ts';
import { carSpeedMps } from './world.ts';

export type ReplayOptions = {
  readonly endpoints: readonly Endpoint[];
  readonly trips: readonly Trip[];
  /** Where cars start; their number is the fleet's. */
  readonly fleet: readonly Place[];
  readonly seats?: number;
  readonly speed: number;
  readonly world: { readonly averageSpeedKmph: number; readonly streetFactor: number };
  readonly mintToken: (role: 'rider' | 'driver', accountId: string) => Promise<string>;
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** Stops the replay early; what has not ended by then is journalled as unfinished. */
  readonly signal?: AbortSignal;
  /** Longest time to wait for the last rides after the last trip has started. */
  readonly tailDeadlineMs?: number;
};

export type ReplayReport = {
  readonly rides: readonly JournalRide[];
  readonly calls: CallCounts;
  readonly drivers: DriverCounts;
  readonly wallMs: number;
};

/**
 * Each replay has people of its own, clear of those of a replay that was cut off with riders aboard: accounts count up from
 * the moment it starts. Drivers take the upper half of the numbers, so that no rider is a driver.
 */
const ACCOUNTS_A_MS = 1_000;
const DRIVERS_FROM = 500_000;
const SEATS = 4;
const PROGRESS_INTERVAL_MS = 1_000;
const TAIL_DEADLINE_MS = 300_000;
/** Shifts begin a few at a time, so that the first seconds are not a stampede. */
const SHIFT_STARTS_AT_ONCE = 8;

export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const startedMs = performance.now();
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const calls: CallCounts = { calls: 0, retries: 0, failures: 0 };
  const driverCounts: DriverCounts = { offers: 0, accepts: 0, lostOffers: 0, reconnects: 0, pingErrors: 0, stopErrors: 0 };
  const journal = new Journal(options.trips.length);
  const firstAccount = Date.now() * ACCOUNTS_A_MS;
  const otps = new Map<string, string>();

  const drivers = await hireDrivers({ options, firstDriver: firstAccount + DRIVERS_FROM, calls, counts: driverCounts, otps, signal });
  const driving = Promise.all(drivers.map((driver) => driver.run()));
  let active = 0;
  const ticker = setInterval(() => options.onProgress?.(journal.progress(active)), PROGRESS_INTERVAL_MS);
  try {
    await startTrips(options, signal, async (trip, index) => {
      active += 1;
      try {
        await travelOnce({ options, riderId: String(firstAccount + index), journal, otps, calls, signal, trip, index });
      } finally {
        active -= 1;
      }
    });
  } finally {
    clearInterval(ticker);
    stop.abort();
    await driving;
  }
  options.onProgress?.(journal.progress(active));
  await endShifts(drivers, options, calls);
  return { rides: journal.rides, calls, drivers: driverCounts, wallMs: performance.now() - startedMs };
}

/** Starts each trip at its time and waits for all of them, the last ones no longer than the tail's deadline. */
async function startTrips(options: ReplayOptions, signal: AbortSignal, travel: (trip: Trip, index: number) => Promise<void>): Promise<void> {
  const zeroMs = performance.now();
  const firstS = options.trips[0]?.tS ?? 0;
  const travelling: Promise<void>[] = [];
  for (const [index, trip] of options.trips.entries()) {
    const dueMs = zeroMs + ((trip.tS - firstS) / options.speed) * 1_000;
    await pause(Math.max(0, dueMs - performance.now()), signal);
    if (signal.aborted) break;
    travelling.push(travel(trip, index));
  }
  const tail = new AbortController();
  await Promise.race([Promise.all(travelling), pause(options.tailDeadlineMs ?? TAIL_DEADLINE_MS, AbortSignal.any([tail.signal, signal]))]);
  tail.abort();
}

/** Endpoints with the preferred region first: people of even numbers prefer the first region. */
function preferring(endpoints: readonly Endpoint[], index: number): readonly Endpoint[] {
  const first = index % endpoints.length;
  return [...endpoints.slice(first), ...endpoints.slice(0, first)];
}

async function hireDrivers(parts: {
  options: ReplayOptions;
  firstDriver: number;
  calls: CallCounts;
  counts: DriverCounts;
  otps: ReadonlyMap<string, string>;
  signal: AbortSignal;
}): Promise<readonly Driver[]> {
  const { options, firstDriver, calls, counts, otps, signal } = parts;
  const speedMps = carSpeedMps({ ...options.world, speed: options.speed });
  const drivers: Driver[] = [];
  const hire = async (index: number, start: Place) => {
    const driverId = String(firstDriver + index);
    const token = await options.mintToken('driver', driverId);
    const endpoints = preferring(options.endpoints, index);
    const api = new ApiClient({ endpoints, token, signal, counts: calls });
    const driver = new Driver({ driverId, api, endpoints, token, start, speedMps, otpOf: (rideId) => otps.get(rideId), counts, signal });
    await driver.startShift(options.seats ?? SEATS);
    drivers.push(driver);
  };
  for (let from = 0; from < options.fleet.length; from += SHIFT_STARTS_AT_ONCE) {
    await Promise.all(options.fleet.slice(from, from + SHIFT_STARTS_AT_ONCE).map((start, offset) => hire(from + offset, start)));
  }
  return drivers;
}

async function travelOnce(parts: {
  options: ReplayOptions;
  riderId: string;
  journal: Journal;
  otps: Map<string, string>;
  calls: CallCounts;
  signal: AbortSignal;
  trip: Trip;
  index: number;
}): Promise<void> {
  const { options, riderId, journal, otps, calls, signal, trip, index } = parts;
  const token = await options.mintToken('rider', riderId);
  const api = new ApiClient({ endpoints: preferring(options.endpoints, index), token, signal, counts: calls });
  const rider = new Rider({ api, riderId, journal, tellOtp: (rideId, otp) => otps.set(rideId, otp), signal });
  await rider.travel(trip);
}

/** The replay's own signal has gone by now: shifts end over clients with a signal of their own. */
async function endShifts(drivers: readonly Driver[], options: ReplayOptions, calls: CallCounts): Promise<void> {
  for (let from = 0; from < drivers.length; from += SHIFT_STARTS_AT_ONCE) {
    await Promise.all(
      drivers.slice(from, from + SHIFT_STARTS_AT_ONCE).map(async (driver) => {
        const token = await options.mintToken('driver', driver.driverId);
        const signal = AbortSignal.timeout(10_000);
        await driver.endShift(new ApiClient({ endpoints: options.endpoints, token, signal, counts: calls }));
      }),
    );
  }
}
