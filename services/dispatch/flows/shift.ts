/**
 * A driver goes on shift and off.
 *
 * Invariant: a driver has one open route at most, whoever asks at once: both ways go through the lock of the account row.
 * A shift does not end with riders aboard or planned; offers still open are withdrawn first, so nothing is put to a driver
 * who is gone. A shift that opens carries on the driver's event numbers from the newest there is.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { unitOfAccount } from '../../../shared/unit/unit.ts';
import type { DispatchDeps } from '../ports.ts';
import { newestDriverEvents } from '../store/driver-events.ts';
import { findOpenOffersOfDriver } from '../store/offers.ts';
import { findVehicle, findVehicleById, insertVehicle, lockAccount, setVehicleSeats } from '../store/people.ts';
import type { Vehicle } from '../store/people.ts';
import { findOpenRoute, insertOpenRoute, lockRoute, saveRoute } from '../store/routes.ts';
import type { Route } from '../store/routes.ts';
import { findOpenStops } from '../store/stops.ts';
import { withdrawOffersOfDriver } from './close-offer.ts';
import { write } from './write.ts';
import type { Write } from './write.ts';

export type Shift = { readonly driverId: bigint; readonly route: Route | undefined; readonly vehicle: Vehicle | undefined };

export type VehicleDescription = { readonly plate: string; readonly seats: number };

/** An offer can slip in between withdrawing and closing; each turn needs another one to do so. */
const CLOSE_TURNS_MAX = 5;

/**
 * Without `vehicle` the driver's last one is taken. Being on shift with that vehicle already is no error.
 * Throws not-home, validation-failed where there is no vehicle yet, conflict where the open shift has another one.
 */
export async function startShift(deps: DispatchDeps, input: { driverId: bigint; vehicle?: VehicleDescription }): Promise<Shift> {
  const { driverId, vehicle: described } = input;
  const unit = unitOfAccount(driverId);
  deps.units.assertHome(unit);
  return write(deps, async (on) => {
    await lockAccount(on.tx, { id: driverId, unit });
    const open = await findOpenRoute(on.tx, driverId);
    if (open !== undefined) return continueShift(on, open, described);
    const vehicle = await provideVehicle(on, { driverId, unit, described });
    const newest = await newestDriverEvents(on.tx, [driverId]);
    const route = await insertOpenRoute(on.tx, {
      id: deps.ids.next(), driverId, vehicleId: vehicle.id, seats: vehicle.seats, eventSeq: Number(newest.get(driverId) ?? 0n), unit,
    });
    return { driverId, route, vehicle };
  });
}

/** Being off already is no error. Throws not-home, conflict with riders aboard or planned (details.stops). */
export async function endShift(deps: DispatchDeps, driverId: bigint): Promise<Shift> {
  const unit = unitOfAccount(driverId);
  deps.units.assertHome(unit);
  for (let turn = 1; turn <= CLOSE_TURNS_MAX; turn += 1) {
    const open = await findOpenRoute(deps.db, driverId);
    if (open !== undefined && (await findOpenStops(deps.db, [open.id])).get(open.id)?.length === 0) {
      await withdrawOffersOfDriver(deps, driverId);
    }
    const shift = await write(deps, (on) => closeShift(on, { driverId, unit }));
    if (shift !== 'offer-open') return shift;
  }
  throw new TandemError('conflict', 'offers keep coming in while the shift ends; try again');
}

async function continueShift(on: Write, route: Route, described: VehicleDescription | undefined): Promise<Shift> {
  const vehicle = await findVehicleById(on.tx, route.vehicleId);
  if (described !== undefined && (vehicle?.plate !== described.plate || route.seats !== described.seats)) {
    throw new TandemError('conflict', `the shift is on with vehicle ${vehicle?.plate ?? ''} (${route.seats} seats): end it first`);
  }
  return { driverId: route.driverId, route, vehicle };
}

async function provideVehicle(
  { tx, deps }: Write,
  input: { driverId: bigint; unit: number; described: VehicleDescription | undefined },
): Promise<Vehicle> {
  const { driverId, unit, described } = input;
  const known = await findVehicle(tx, driverId, described?.plate);
  if (described === undefined) {
    if (known !== undefined) return known;
    throw new TandemError('validation-failed', 'a first shift needs a vehicle', {
      details: { errors: [{ field: 'vehicle', message: 'missing: this driver has none yet' }] },
    });
  }
  if (known === undefined) {
    const vehicle = { id: deps.ids.next(), driverId, unit, ...described };
    await insertVehicle(tx, vehicle);
    return vehicle;
  }
  if (known.seats !== described.seats) await setVehicleSeats(tx, known.id, described.seats);
  return { ...known, seats: described.seats };
}

async function closeShift(on: Write, { driverId, unit }: { driverId: bigint; unit: number }): Promise<Shift | 'offer-open'> {
  await lockAccount(on.tx, { id: driverId, unit });
  const open = await findOpenRoute(on.tx, driverId);
  const vehicle = await (open === undefined ? findVehicle(on.tx, driverId) : findVehicleById(on.tx, open.vehicleId));
  if (open === undefined) return { driverId, route: undefined, vehicle };
  const route = (await lockRoute(on.tx, open.id)) ?? open;
  const stops = (await findOpenStops(on.tx, [route.id])).get(route.id) ?? [];
  if (stops.length > 0) {
    throw new TandemError('conflict', 'riders are aboard or planned', { details: { stops: stops.map((stop) => stop.id.toString()) } });
  }
  // Under the route's lock no offer can be made any more, so this look is the last one.
  if ((await findOpenOffersOfDriver(on.tx, driverId)).length > 0) return 'offer-open';
  const closed = { ...route, isOpen: false };
  await saveRoute(on.tx, closed);
  return { driverId, route: closed, vehicle };
}
