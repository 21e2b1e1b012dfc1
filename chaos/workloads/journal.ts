/**
 * What a workload was told by the service, kept for the checkers: every acknowledged booking and how it ended.
 *
 * Invariant: an entry is written only after an answer of the service; what was never acknowledged is not in it.
 */
export type RideEnd = 'completed' | 'rejected' | 'cancelled' | 'unfinished';

export type JournalRide = {
  readonly requestId: string;
  readonly riderId: string;
  /** Absent where the request was refused before a ride existed. */
  rideId?: string;
  quoteId?: string;
  fareCents?: number;
  end: RideEnd;
  /** Why it was rejected or is unfinished: the service's reason or problem code. */
  reason?: string;
  /** Cents charged by the receipt. */
  chargedCents?: number;
};

export type ReplayProgress = {
  readonly requested: number;
  readonly started: number;
  readonly completed: number;
  readonly rejected: number;
  readonly active: number;
};

export class Journal {
  readonly #rides: JournalRide[] = [];
  readonly requested: number;

  constructor(requested: number) {
    this.requested = requested;
  }

  open(requestId: string, riderId: string): JournalRide {
    const ride: JournalRide = { requestId, riderId, end: 'unfinished' };
    this.#rides.push(ride);
    return ride;
  }

  get rides(): readonly JournalRide[] {
    return this.#rides;
  }

  count(end: RideEnd): number {
    return this.#rides.reduce((count, ride) => count + (ride.end === end ? 1 : 0), 0);
  }

  progress(active: number): ReplayProgress {
    return {
      requested: this.requested,
      started: this.#rides.length,
      completed: this.count('completed'),
      rejected: this.count('rejected') + this.count('cancelled'),
      active,
    };
  }
}
