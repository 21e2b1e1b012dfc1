/**
 * One rider's app over one trip: asks for a quote, books it, follows the ride's events to its end, reads the receipt.
 *
 * Invariant: the journal says only what the service has acknowledged. It follows by server-sent events and resumes
 * from the last id; a status it has missed is caught by reading the ride now and then.
 */
import type { Place } from '../../shared/unit/place.ts';
import { pause } from './api-client.ts';
import type { ApiClient } from './api-client.ts';
import type { Journal, JournalRide } from './journal.ts';

type Money = { amountCents: number; currency: string };
type Quote = { id: string; fare: Money };
type Ride = { id: string; status: string; statusReason?: string | null; otp?: string };
type Receipt = { status: string; payments: readonly { kind: string; status: string; amount: Money }[] };

const TERMINAL = new Set(['completed', 'rejected', 'cancelled']);
const STREAM_RETRY_MS = 1_000;
const RECEIPT_POLL_MS = 500;
const RECEIPT_DEADLINE_MS = 30_000;

export type Trip = { readonly requestId: string; readonly tS: number; readonly pickup: Place; readonly dropoff: Place };

export class Rider {
  readonly #api: ApiClient;
  readonly #riderId: string;
  readonly #journal: Journal;
  readonly #tellOtp: (rideId: string, otp: string) => void;
  readonly #signal: AbortSignal;

  constructor(options: {
    api: ApiClient;
    riderId: string;
    journal: Journal;
    /** Says the boarding code aloud, as a rider does at the kerb. */
    tellOtp: (rideId: string, otp: string) => void;
    signal: AbortSignal;
  }) {
    this.#api = options.api;
    this.#riderId = options.riderId;
    this.#journal = options.journal;
    this.#tellOtp = options.tellOtp;
    this.#signal = options.signal;
  }

  /** Resolves when the ride has ended, was refused, or the signal aborts. */
  async travel(trip: Trip): Promise<void> {
    const entry = this.#journal.open(trip.requestId, this.#riderId);
    const quote = await this.#api.call<Quote>('POST', '/v1/quotes', {
      keyed: true,
      body: { pickup: trip.pickup, dropoff: trip.dropoff, seats: 1, pooled: true },
    });
    if (!quote.ok) return refused(entry, quote.problem);
    entry.quoteId = quote.body.id;
    entry.fareCents = quote.body.fare.amountCents;
    const booked = await this.#api.call<Ride>('POST', '/v1/rides', { keyed: true, body: { quoteId: quote.body.id } });
    if (!booked.ok) return refused(entry, booked.problem);
    entry.rideId = booked.body.id;
    if (booked.body.otp !== undefined) this.#tellOtp(booked.body.id, booked.body.otp);
    await this.#follow(entry);
    if (entry.end === 'completed') await this.#readReceipt(entry);
  }

  async #follow(entry: JournalRide): Promise<void> {
    let lastEventId: string | undefined;
    for (let attempt = 0; !this.#signal.aborted; attempt += 1) {
      try {
        for await (const event of this.#api.events(`/v1/rides/${entry.rideId}/events`, lastEventId, attempt)) {
          if (event.id !== undefined) lastEventId = event.id;
          if (TERMINAL.has(event.event)) break;
        }
      } catch {
        // The stream broke: what it would have said is read below, and the next turn resumes it.
      }
      if (await this.#hasEnded(entry)) return;
      await pause(STREAM_RETRY_MS, this.#signal);
    }
  }

  async #hasEnded(entry: JournalRide): Promise<boolean> {
    const ride = await this.#api.call<Ride>('GET', `/v1/rides/${entry.rideId}`);
    if (!ride.ok) {
      entry.reason = ride.problem.code;
      return ride.problem.status === 404;
    }
    entry.reason = ride.body.statusReason ?? undefined;
    if (!TERMINAL.has(ride.body.status)) return false;
    entry.end = ride.body.status as JournalRide['end'];
    return true;
  }

  async #readReceipt(entry: JournalRide): Promise<void> {
    const until = performance.now() + RECEIPT_DEADLINE_MS;
    while (performance.now() < until && !this.#signal.aborted) {
      const receipt = await this.#api.call<Receipt>('GET', `/v1/rides/${entry.rideId}/receipt`);
      const fare = receipt.ok ? receipt.body.payments.find((payment) => payment.kind === 'fare' && payment.status === 'committed') : undefined;
      if (fare !== undefined) {
        entry.chargedCents = fare.amount.amountCents;
        return;
      }
      await pause(RECEIPT_POLL_MS, this.#signal);
    }
  }
}

/** A refusal with a reason is a proper rejection; no answer at all leaves the trip unfinished. */
function refused(entry: JournalRide, problem: { status: number; code: string }): void {
  entry.reason = problem.code;
  if (problem.status >= 400 && problem.status < 500) entry.end = 'rejected';
}
