import type { Redis } from 'ioredis';
import type { LogSink } from '../kernel/log-sink.ts';

export type { Redis } from 'ioredis';

export interface RedisOptions {
  readonly log: LogSink;
  /** Names the connection in CLIENT LIST and in the log. */
  readonly name: string;
  /** 'blocking' for a connection that waits in XREAD BLOCK or SUBSCRIBE: no command time-out there. */
  readonly use?: 'commands' | 'blocking';
}

export function openRedis(_url: string, _options: RedisOptions): Redis {
  throw new Error('under way');
}

/** Resolves once the connection is usable; throws redis-unavailable at the deadline. */
export async function redisReady(_redis: Redis, _deadlineMs: number): Promise<void> {
  throw new Error('under way');
}

/** Ends the connection, politely within the deadline, else by force. */
export async function closeRedis(_redis: Redis): Promise<void> {
  throw new Error('under way');
}
