/**
 * The rider's stars for a completed ride.
 *
 * Invariant: a ride is rated once; saying the same again is no error. What ratings mean for a driver is not decided here.
 */
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import type { DispatchDeps } from '../ports.ts';
import { lockRide } from '../store/rides.ts';
import type { Ride } from '../store/rides.ts';
import { absent } from './absent.ts';
import { advanceRide, write } from './write.ts';

/** Throws not-found, not-home, conflict where the ride is not completed or has other stars already. */
export async function rateRide(deps: DispatchDeps, input: { rideId: bigint; stars: number; comment?: string }): Promise<Ride> {
  const { rideId, stars, comment } = input;
  return write(deps, async (on) => {
    const ride = await lockRide(on.tx, rideId);
    if (ride === undefined) throw absent('ride', rideId);
    deps.units.assertHome(ride.unit);
    if (ride.status !== 'completed') {
      throw new TandemError('conflict', `a ride that is ${ride.status} cannot be rated`, { details: { status: ride.status } });
    }
    if (ride.rating === stars) return ride;
    if (ride.rating !== null) throw new TandemError('conflict', `ride ${rideId} has been rated already`);
    const data = comment === undefined ? { stars } : { stars, comment };
    return advanceRide(on, ride, { rating: stars }, { type: 'rated', data });
  });
}
