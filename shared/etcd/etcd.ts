import type { LogSink } from '../kernel/log-sink.ts';
import type { Lease } from './lease.ts';
import type { Watch } from './watch.ts';

export interface EtcdConfig {
  /** host:port of every member. */
  readonly endpoints: readonly string[];
  readonly log: LogSink;
  /** Budget of one call, fail-over to other members included. */
  readonly deadlineMs?: number;
}

export interface EtcdValue {
  readonly value: string;
  readonly modRevision: bigint;
}

export interface Etcd {
  get(key: string): Promise<EtcdValue | null>;
  getPrefix(prefix: string): Promise<Map<string, EtcdValue>>;
  put(key: string, value: string, options?: { readonly leaseId?: string }): Promise<void>;
  /** True where there was something to delete. */
  delete(key: string): Promise<boolean>;
  /** expected: the modRevision the key must still have; 0n: it must be absent. */
  compareAndSwap(key: string, expected: bigint, value: string, options?: { readonly lease?: Pick<Lease, 'id'> }): Promise<boolean>;
  compareAndDelete(key: string, expected: bigint): Promise<boolean>;
  watchPrefix(prefix: string, onChange: (snapshot: ReadonlyMap<string, string>) => void, signal?: AbortSignal): Promise<Watch>;
  lease(ttlS: number): Promise<Lease>;
  ping(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

export function openEtcd(_config: EtcdConfig): Etcd {
  throw new Error('under way');
}
