/** The metrics of a database client: how near the pool is to its limit, what was retried, what failed. */
import type { Metrics } from '../telemetry/metrics.ts';
import type { PoolUse } from './connection-pool.ts';

export interface DatabaseCounts {
  retried(): void;
  failed(code: string): void;
}

/** Without metrics it counts nothing. */
export function countDatabase(metrics: Metrics | undefined, use: () => PoolUse): DatabaseCounts {
  if (metrics === undefined) return { retried: () => undefined, failed: () => undefined };
  metrics.observe('mysql_pool_connections', 'Connections in use, callers waiting for one, and the limit of the pool', ['state'], (report) => {
    const { inUse, waiting, limit } = use();
    report(inUse, { state: 'in_use' });
    report(waiting, { state: 'waiting' });
    report(limit, { state: 'limit' });
  });
  const retries = metrics.counter('mysql_transaction_retries_total', 'Transactions run again after a deadlock or a lock wait');
  const errors = metrics.counter('mysql_errors_total', 'Statements and transactions that failed in the database, by error code', ['code']);
  return { retried: () => retries.add(1), failed: (code) => errors.add(1, { code }) };
}
