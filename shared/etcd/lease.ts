export interface Lease {
  /** The lease's number as decimal text, for put and compareAndSwap. */
  readonly id: string;
  /** How long it surely still holds, by the local monotonic clock; 0 once lost. */
  remainingMs(): number;
  /** Renews it now, beside the renewals that run by themselves every third of the TTL. Throws etcd-lease-lost. */
  keepAlive(): Promise<void>;
  /** Gives it up: its keys vanish at once. */
  revoke(): Promise<void>;
  /** Called once when it may have run out (never after revoke); at once where that is already so. */
  onLost(callback: () => void): void;
}
