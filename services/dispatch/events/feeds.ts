/**
 * The two feeds of dispatch over their tables.
 *
 * Invariant: keys are ride ids in the one and driver ids in the other; both read the region's own database.
 */
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { newestDriverEvents, readDriverEvents } from '../store/driver-events.ts';
import type { DriverEvent } from '../store/driver-events.ts';
import { newestRideEvents, readRideEvents } from '../store/ride-events.ts';
import type { RideEvent } from '../store/ride-events.ts';
import { EventFeed } from './event-feed.ts';

export type FeedDeps = { readonly db: Sql; readonly log: LogSink; readonly pollMs?: number };

export function buildRideFeed({ db, log, pollMs }: FeedDeps): EventFeed<RideEvent> {
  return new EventFeed({
    source: {
      name: 'ride events',
      newest: (keys) => newestRideEvents(db, keys),
      read: (input) => readRideEvents(db, input),
      seqOf: (event) => BigInt(event.seq),
    },
    log,
    pollMs,
  });
}

export function buildDriverFeed({ db, log, pollMs }: FeedDeps): EventFeed<DriverEvent> {
  return new EventFeed({
    source: {
      name: 'driver events',
      newest: (keys) => newestDriverEvents(db, keys),
      read: (input) => readDriverEvents(db, input),
      seqOf: (event) => event.seq,
    },
    log,
    pollMs,
  });
}
