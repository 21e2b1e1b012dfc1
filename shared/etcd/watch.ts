export interface Watch {
  /** The newest snapshot delivered. */
  readonly snapshot: ReadonlyMap<string, string>;
  /** Monotonic age: ms since an etcd member last proved that this view is alive. */
  staleMs(): number;
  stop(): void;
}
