/**
 * What the checkers look at: one region's rows, as plain values. Types only; ./read-snapshot.ts of chaos fills them.
 */
export type RideRow = {
  readonly id: bigint;
  readonly riderId: bigint;
  readonly driverId: bigint | null;
  readonly routeId: bigint | null;
  readonly status: string;
  readonly seats: number;
  readonly fareCents: number;
  readonly boardedAtMs: number | null;
  readonly completedAtMs: number | null;
  readonly latestPickupAtMs: number;
  readonly latestArrivalAtMs: number;
};
export type RouteRow = { readonly id: bigint; readonly driverId: bigint; readonly seats: number };
export type OfferRow = { readonly id: bigint; readonly rideId: bigint; readonly driverId: bigint; readonly status: string };
export type FareRow = { readonly rideId: bigint; readonly amountCents: number };
export type PaymentRow = { readonly id: bigint; readonly rideId: bigint; readonly kind: string; readonly status: string; readonly amountCents: number };
export type LedgerTransactionRow = { readonly id: bigint; readonly paymentId: bigint };
export type LedgerEntryRow = { readonly transactionId: bigint; readonly amountCents: bigint; readonly currency: string };

export type Snapshot = {
  readonly region: string;
  readonly rides: readonly RideRow[];
  readonly routes: readonly RouteRow[];
  readonly offers: readonly OfferRow[];
  readonly fares: readonly FareRow[];
  readonly payments: readonly PaymentRow[];
  readonly ledgerTransactions: readonly LedgerTransactionRow[];
  readonly ledgerEntries: readonly LedgerEntryRow[];
  /** Every generated id with the table it stands in. */
  readonly ids: readonly { readonly table: string; readonly id: bigint }[];
  /** Rows in _conflicts that two inserts of one generated id have left. */
  readonly insertConflicts: readonly { readonly table: string; readonly id: bigint }[];
};

/** A claim that does not hold: `claim` is its stable name, `what` says it about one thing. */
export type Violation = { readonly claim: string; readonly region: string; readonly what: string };
