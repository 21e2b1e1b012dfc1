/**
 * Nudges: "there is news", so that streams need not wait for their next poll.
 *
 * Invariant: a nudge carries an id and nothing else; whoever gets one reads the database. It may be lost, doubled or late
 * at no harm: with Redis gone the streams are slower, never wrong. Within this process a nudge needs no Redis.
 */
import type { Redis } from '../../../shared/redis/redis.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';

export const RIDE_CHANNEL = 'tandem:ride-events';
export const DRIVER_CHANNEL = 'tandem:driver-events';

/** Whose streams have news, and whether some ride became due. */
export type News = { readonly rideIds: ReadonlySet<bigint>; readonly driverIds: ReadonlySet<bigint>; readonly search: boolean };

export interface Nudges {
  /** Never throws and is not waited for. */
  publish(news: News): void;
}

export type NudgeListener = {
  onRide?(rideId: bigint): void;
  onDriver?(driverId: bigint): void;
  onSearch?(): void;
};

export class RedisNudges implements Nudges {
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #log: LogSink;
  readonly #listeners: NudgeListener[] = [];

  /** `subscriber` is a connection of its own: one that subscribes takes no other command. */
  constructor({ commands, subscriber, log }: { commands: Redis; subscriber: Redis; log: LogSink }) {
    this.#commands = commands;
    this.#subscriber = subscriber;
    this.#log = log;
  }

  listen(listener: NudgeListener): void {
    this.#listeners.push(listener);
  }

  /** Returns at once: the subscription is made, and made anew, whenever the connection is ready. */
  start(): void {
    this.#subscriber.on('message', (channel: string, message: string) => this.#hear(channel, message));
    this.#subscriber.on('ready', () => this.#subscribe());
    if (this.#subscriber.status === 'ready') this.#subscribe();
  }

  publish({ rideIds, driverIds, search }: News): void {
    for (const id of rideIds) this.#send(RIDE_CHANNEL, id);
    for (const id of driverIds) this.#send(DRIVER_CHANNEL, id);
    if (search) for (const listener of this.#listeners) listener.onSearch?.();
  }

  #send(channel: string, id: bigint): void {
    this.#deliver(channel, id);
    this.#commands.publish(channel, id.toString()).catch((e: unknown) => {
      this.#log.debug({ err: e, channel }, 'a nudge was lost; the streams poll');
    });
  }

  #subscribe(): void {
    this.#subscriber.subscribe(RIDE_CHANNEL, DRIVER_CHANNEL).catch((e: unknown) => {
      this.#log.warn({ err: e }, 'no nudges from Redis until it reconnects; the streams poll');
    });
  }

  #hear(channel: string, message: string): void {
    if (/^[0-9]{1,19}$/.test(message)) this.#deliver(channel, BigInt(message));
  }

  #deliver(channel: string, id: bigint): void {
    for (const listener of this.#listeners) {
      if (channel === RIDE_CHANNEL) listener.onRide?.(id);
      else if (channel === DRIVER_CHANNEL) listener.onDriver?.(id);
    }
  }
}
