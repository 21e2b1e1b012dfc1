/**
 * Opens connections to Redis with the settings that this project wants everywhere.
 *
 * Invariant: a command is answered, or fails, within a second or so; none is queued for a connection that is not there,
 * and none is sent twice behind the caller's back. The connection itself comes back whenever Redis does.
 *
 * HAZARD: a command that fails with a time-out or a lost connection may have been carried out. What Redis holds must
 * bear that: it is derived from elsewhere, or overwritten by the next ping.
 */
import { Redis } from 'ioredis';
import { withDeadline } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';

export type { Redis } from 'ioredis';

const COMMAND_DEADLINE_MS = 1000;
const CONNECT_DEADLINE_MS = 2000;
const RECONNECT_BASE_MS = 50;
const RECONNECT_MAX_MS = 1000;
const CLOSE_DEADLINE_MS = 1000;

export interface RedisOptions {
  readonly log: LogSink;
  /** Names the connection in CLIENT LIST and in the log. */
  readonly name: string;
  /** 'blocking' for a connection that waits in XREAD BLOCK: it has no command time-out. SUBSCRIBE needs none. */
  readonly use?: 'commands' | 'blocking';
}

/** Starts to connect at once and never throws; redisReady waits for it. */
export function openRedis(url: string, { log, name, use = 'commands' }: RedisOptions): Redis {
  const redis = new Redis(url, {
    connectionName: name,
    connectTimeout: CONNECT_DEADLINE_MS,
    ...(use === 'commands' ? { commandTimeout: COMMAND_DEADLINE_MS } : {}),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(RECONNECT_MAX_MS, RECONNECT_BASE_MS * times),
    // After a fail-over the old master answers READONLY for as long as the socket lives: look the address up again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  logOutages(redis, log, name);
  return redis;
}

/** Resolves once the connection is usable; throws redis-unavailable at the deadline. */
export async function redisReady(redis: Redis, deadlineMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  let lastError: unknown;
  const onError = (e: unknown): void => void (lastError = e);
  const ready = Promise.withResolvers<void>();
  const onReady = (): void => ready.resolve();
  redis.on('error', onError);
  redis.once('ready', onReady);
  try {
    await withDeadline('redis: connecting', deadlineMs, () => ready.promise);
  } catch (e) {
    throw new TandemError('redis-unavailable', `no connection to Redis within ${deadlineMs} ms`, { cause: lastError ?? e });
  } finally {
    redis.off('error', onError);
    redis.off('ready', onReady);
  }
}

/** Ends the connection: politely where Redis answers in time, else by force. Never throws. */
export async function closeRedis(redis: Redis): Promise<void> {
  try {
    if (redis.status === 'ready') await withDeadline('redis: quitting', CLOSE_DEADLINE_MS, () => redis.quit());
  } catch {
    // Whatever stood in the way of a polite end ends with the connection.
  } finally {
    redis.disconnect();
  }
}

/** One line when an outage begins and one when it ends; ioredis emits events for each attempt to reconnect. */
function logOutages(redis: Redis, log: LogSink, name: string): void {
  let isOut = false;
  let lastError: unknown;
  // A server that goes away politely causes no error, only a reconnection; closing on purpose causes neither.
  redis.on('error', (err: unknown) => (lastError = err));
  redis.on('reconnecting', () => {
    if (isOut) return;
    isOut = true;
    log.error({ err: lastError, redis: name }, 'redis: connection lost, reconnecting');
  });
  redis.on('ready', () => {
    lastError = undefined;
    if (!isOut) return;
    isOut = false;
    log.info({ redis: name }, 'redis: connection is back');
  });
}
