/**
 * One rider's event stream: the ride's events as server-sent events, and the car's position while a driver is bound to it.
 *
 * Invariant: events carry their seq as id, in order and each once, so that Last-Event-ID resumes without gap or double;
 * positions carry none, are never replayed, and are dropped where the client reads too slowly. The stream ends after the
 * event that ends the ride. Who may listen was decided before.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { isTerminal, isUnderWay, parseRideStatus } from '../domain/ride-state.ts';
import type { EventFeed } from '../events/event-feed.ts';
import type { DriverPosition, Location } from '../ports.ts';
import type { RideEvent } from '../store/ride-events.ts';
import type { Ride } from '../store/rides.ts';

/** A comment so often keeps proxies from closing a quiet stream. */
export const PING_EVERY_MS = 15_000;
/** Before asking location again after it failed or ended. */
const TRACK_PAUSE_MS = 1000;

export type RideStreamDeps = { readonly feed: EventFeed<RideEvent>; readonly location: Location; readonly log: LogSink };

export class RideStream {
  readonly #deps: RideStreamDeps;
  readonly #out: Writable;
  readonly #ending = new AbortController();
  #tracking: { driverId: bigint; stop: AbortController } | undefined;

  constructor(deps: RideStreamDeps, out: Writable) {
    this.#deps = deps;
    this.#out = out;
  }

  /** The client is gone. */
  close(): void {
    this.#ending.abort();
  }

  /** Resolves when the stream is over, whoever ended it; never rejects: a client that is cut off resumes. */
  async run(ride: Ride, after: bigint): Promise<void> {
    const pings = setInterval(() => this.#offer(': ping\n\n'), PING_EVERY_MS);
    try {
      // Bytes at once, so that the client knows the stream stands.
      this.#offer(': stream\n\n');
      if (isUnderWay(ride.status) && ride.driverId !== null) this.#track(ride.driverId);
      await this.#follow(ride, after);
    } catch (e) {
      if (!this.#ending.signal.aborted) this.#deps.log.warn({ err: e, rideId: ride.id.toString() }, 'a ride stream broke off');
    } finally {
      clearInterval(pings);
      this.#tracking?.stop.abort();
      this.#ending.abort();
      this.#out.end();
    }
  }

  async #follow(ride: Ride, after: bigint): Promise<void> {
    let isOver = isTerminal(ride.status);
    for await (const events of this.#deps.feed.follow(ride.id, after, this.#ending.signal)) {
      for (const event of events) {
        await this.#send(`id: ${event.seq}\nevent: ${event.type}\ndata: ${event.data}\n\n`);
        isOver ||= this.#heed(event);
      }
      if (isOver) return;
    }
  }

  /** Starts or stops showing the car; answers whether the ride is over. */
  #heed(event: RideEvent): boolean {
    const { status, driverId } = JSON.parse(event.data) as { status: string; driverId?: string };
    if (event.type === 'assigned' && driverId !== undefined) this.#track(BigInt(driverId));
    const isOver = isTerminal(parseRideStatus(status));
    if (isOver) this.#tracking?.stop.abort();
    return isOver;
  }

  #track(driverId: bigint): void {
    if (this.#tracking?.driverId === driverId) return;
    this.#tracking?.stop.abort();
    const stop = new AbortController();
    this.#tracking = { driverId, stop };
    void this.#showCar(driverId, stop.signal);
  }

  /** Until the signal aborts. Without location the rider sees no car; the events go on. */
  async #showCar(driverId: bigint, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const position of this.#deps.location.track(driverId, signal)) this.#offer(positionFrame(position));
      } catch (e) {
        if (!signal.aborted) this.#deps.log.debug({ err: e, driverId: driverId.toString() }, 'lost sight of a car; looking again');
      }
      await sleep(TRACK_PAUSE_MS, signal).catch(() => {});
    }
  }

  /** Waits for a slow client. */
  async #send(frame: string): Promise<void> {
    if (!this.#out.write(frame)) await once(this.#out, 'drain', { signal: this.#ending.signal });
  }

  /** Only if the client keeps up. */
  #offer(frame: string): void {
    if (!this.#out.writableNeedDrain && !this.#out.writableEnded && !this.#out.destroyed) this.#out.write(frame);
  }
}

function positionFrame({ place, atMs }: DriverPosition): string {
  return `event: position\ndata: ${JSON.stringify({ lat: place.lat, lon: place.lon, at: new Date(atMs).toISOString() })}\n\n`;
}
