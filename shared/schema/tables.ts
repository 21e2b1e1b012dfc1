/**
 * The replicated tables, by name: what capture sends, apply writes and reconcile compares.
 *
 * Invariant: each has `id BIGINT PRIMARY KEY`, `unit`, `created_at`, `updated_at` and the invisible
 * version columns `_hlc` and `_origin`, and carries the triggers of ./triggers.ts. A table that is not
 * listed here does not leave its region.
 */

/** Data tables in an order a reader can follow: people, rides, routes, money, the rest. */
export const REPLICATED_TABLES = [
  'accounts',
  'vehicles',
  'quotes',
  'rides',
  'ride_events',
  'routes',
  'stops',
  'offers',
  'driver_events',
  'fares',
  'payments',
  'ledger_accounts',
  'ledger_transactions',
  'ledger_entries',
  'idempotency_keys',
  'fare_cards',
] as const;

export type ReplicatedTable = (typeof REPLICATED_TABLES)[number];

/** Replicated to measure lag and to move watermarks; never compared, as each region writes its own row. */
export const HEARTBEAT_TABLE = '_heartbeats';

/** First row event of every transaction that apply writes: the loop marker. */
export const CHECKPOINT_TABLE = '_checkpoints';
export const TOMBSTONE_TABLE = '_tombstones';
export const CONFLICT_TABLE = '_conflicts';

/** Changes that could not be applied and those that wait behind them; snapshots; what people did. They never travel. */
export const DEAD_LETTER_TABLE = '_dead_letters';
export const SNAPSHOT_TABLE = '_snapshots';
export const AUDIT_TABLE = '_audit';

/** Tables whose id column comes from the id generator; the others derive theirs (hashes, user ids, ride ids). */
export const GENERATED_ID_TABLES = [
  'vehicles',
  'quotes',
  'rides',
  'ride_events',
  'routes',
  'stops',
  'offers',
  'driver_events',
  'payments',
  'ledger_transactions',
  'ledger_entries',
] as const satisfies readonly ReplicatedTable[];
