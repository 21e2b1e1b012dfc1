/**
 * One rider's event stream: the ride's events, and the car's position while a driver is bound to it.
 *
 * Invariant: events carry their seq as id, in order and each once, so that Last-Event-ID resumes without gap or double;
 * positions carry none and are never replayed. The stream ends after the event that ends the ride. Who may listen was
 * decided before.
 */
import type { EventStream } from '../../../shared/http/event-stream.ts';
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTerminal, isUnderWay, parseRideStatus } from '../domain/ride-state.ts';
import type { EventFeed } from '../events/event-feed.ts';
import type { Location } from '../ports.ts';
import type { RideEvent } from '../store/ride-events.ts';
import type { Ride } from '../store/rides.ts';

/** Before asking location again after it failed or ended. */
const TRACK_PAUSE_MS = 1000;

export type RideStreamDeps = { readonly feed: EventFeed<RideEvent>; readonly location: Location; readonly log: LogSink };

/** Resolves when the stream is over, whoever ended it; never rejects: a client that is cut off resumes. */
export async function streamRide(deps: RideStreamDeps, to: EventStream, from: { ride: Ride; after: bigint }): Promise<void> {
  const { ride, after } = from;
  const car = new CarView(deps, to);
  try {
    if (isUnderWay(ride.status) && ride.driverId !== null) car.show(ride.driverId);
    let isOver = isTerminal(ride.status);
    for await (const events of deps.feed.follow(ride.id, after, to.closed)) {
      for (const event of events) {
        await to.send({ id: event.seq, event: event.type, data: event.data });
        const { status, driverId } = JSON.parse(event.data) as { status: string; driverId?: string };
        if (event.type === 'assigned' && driverId !== undefined) car.show(BigInt(driverId));
        isOver ||= isTerminal(parseRideStatus(status));
      }
      if (isOver) break;
    }
  } catch (e) {
    if (!to.closed.aborted) deps.log.warn({ err: e, rideId: ride.id.toString() }, 'a ride stream broke off');
  } finally {
    car.hide();
    to.close();
  }
}

class CarView {
  readonly #deps: RideStreamDeps;
  readonly #to: EventStream;
  readonly #hiding = new AbortController();
  #driverId: bigint | undefined;

  constructor(deps: RideStreamDeps, to: EventStream) {
    this.#deps = deps;
    this.#to = to;
  }

  show(driverId: bigint): void {
    if (this.#driverId !== undefined) return;
    this.#driverId = driverId;
    void this.#follow(driverId, AbortSignal.any([this.#hiding.signal, this.#to.closed]));
  }

  hide(): void {
    this.#hiding.abort();
  }

  /** Until the signal aborts. Without location the rider sees no car; the events go on. */
  async #follow(driverId: bigint, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { place, atMs } of this.#deps.location.track(driverId, signal)) {
          if (signal.aborted) break;
          // Waiting here holds back location, which then skips to the newest position.
          await this.#to.send({ event: 'position', data: { ...place, at: new Date(atMs).toISOString() } });
        }
      } catch (e) {
        if (!signal.aborted) this.#deps.log.debug({ err: e, driverId: driverId.toString() }, 'lost sight of a car; looking again');
      }
      await sleep(TRACK_PAUSE_MS, signal).catch(() => {});
    }
  }
}
