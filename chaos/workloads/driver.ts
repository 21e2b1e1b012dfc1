/**
 * One driver's app and car: goes on shift, pings, takes every offer, drives the route it is given, and does at each
 * stop what a driver does (arrive, ask the rider for the code, board; alight).
 *
 * Invariant: it acts on the newest route it was sent and resumes its stream from the last offset it saw, so a lost
 * connection costs time and nothing else. It never invents a stop; the service decides where to go.
 */
import type { Place } from '../../shared/unit/place.ts';
import { pause } from './api-client.ts';
import type { ApiClient, Endpoint } from './api-client.ts';
import { along } from './world.ts';

type Stop = { id: string; rideId: string; kind: 'pickup' | 'dropoff'; lat: number; lon: number; status: string };
type Route = { id: string; version: number; stops: readonly Stop[] };
type Frame =
  | { type: 'hello'; offset: number | string }
  | { type: 'offer'; offset: number | string; offer: { id: string; rideId: string } }
  | { type: 'offer-closed'; offset: number | string; offerId: string; reason: string }
  | { type: 'route'; offset: number | string; route: Route }
  | { type: 'error'; code: string; detail?: string };

/** How often a car says where it is. */
const PING_INTERVAL_MS = 1_000;
/** How often a car moves on; finer than the pings, so that an arrival is noticed soon. */
const STEP_MS = 250;
const RECONNECT_MS = 500;
const CONNECT_DEADLINE_MS = 10_000;

export type DriverCounts = { offers: number; accepts: number; lostOffers: number; reconnects: number; pingErrors: number; stopErrors: number };

export class Driver {
  readonly driverId: string;
  readonly #api: ApiClient;
  readonly #endpoints: readonly Endpoint[];
  readonly #token: string;
  readonly #speedMps: number;
  readonly #otpOf: (rideId: string) => string | undefined;
  readonly #counts: DriverCounts;
  readonly #signal: AbortSignal;
  #at: Place;
  #route: Route | undefined;
  #lastOffset = '0';
  #socket: WebSocket | undefined;

  constructor(options: {
    driverId: string;
    api: ApiClient;
    endpoints: readonly Endpoint[];
    token: string;
    start: Place;
    speedMps: number;
    otpOf: (rideId: string) => string | undefined;
    counts: DriverCounts;
    signal: AbortSignal;
  }) {
    this.driverId = options.driverId;
    this.#api = options.api;
    this.#endpoints = options.endpoints;
    this.#token = options.token;
    this.#at = options.start;
    this.#speedMps = options.speedMps;
    this.#otpOf = options.otpOf;
    this.#counts = options.counts;
    this.#signal = options.signal;
  }

  /** Goes on shift; throws where the service refuses. */
  async startShift(seats: number): Promise<void> {
    const answer = await this.#api.call('PUT', '/v1/driver/shift', {
      body: { status: 'on', vehicle: { plate: `T${this.driverId.slice(-7)}`, seats }, position: this.#at },
    });
    if (!answer.ok) throw new Error(`driver ${this.driverId} cannot start a shift: ${answer.problem.code} ${answer.problem.detail}`);
  }

  /** Drives until the signal aborts. */
  async run(): Promise<void> {
    await Promise.all([this.#keepStream(), this.#keepPinging(), this.#drive()]);
  }

  /** Over a client that still runs once the driver's own signal has aborted. */
  async endShift(api: ApiClient): Promise<void> {
    await api.call('PUT', '/v1/driver/shift', { body: { status: 'off' }, deadlineMs: 5_000 });
  }

  async #keepStream(): Promise<void> {
    for (let attempt = 0; !this.#signal.aborted; attempt += 1) {
      if (attempt > 0) this.#counts.reconnects += 1;
      await this.#connectOnce(this.#endpoints[attempt % this.#endpoints.length]!);
      await pause(RECONNECT_MS * (0.5 + Math.random()), this.#signal);
    }
  }

  /** Opens one connection and resolves when it is gone. */
  #connectOnce(endpoint: Endpoint): Promise<void> {
    const url = `${endpoint.routerUrl.replace(/^http/, 'ws')}/v1/driver/stream?after=${this.#lastOffset}&access_token=${this.#token}`;
    return new Promise((resolve) => {
      const socket = new WebSocket(url);
      const timer = setTimeout(() => socket.close(), CONNECT_DEADLINE_MS);
      const abort = () => socket.close();
      this.#signal.addEventListener('abort', abort, { once: true });
      socket.addEventListener('open', () => {
        clearTimeout(timer);
        this.#socket = socket;
        this.#ping();
      });
      socket.addEventListener('message', (message) => this.#onFrame(JSON.parse(String(message.data)) as Frame));
      socket.addEventListener('error', () => socket.close());
      socket.addEventListener('close', () => {
        clearTimeout(timer);
        this.#signal.removeEventListener('abort', abort);
        if (this.#socket === socket) this.#socket = undefined;
        resolve();
      });
    });
  }

  #onFrame(frame: Frame): void {
    if ('offset' in frame && frame.type !== 'hello') this.#lastOffset = String(frame.offset);
    switch (frame.type) {
      case 'offer':
        this.#counts.offers += 1;
        void this.#accept(frame.offer.id);
        break;
      case 'route':
        if (this.#route === undefined || frame.route.id !== this.#route.id || frame.route.version >= this.#route.version) this.#route = frame.route;
        break;
      case 'error':
        this.#counts.pingErrors += 1;
        break;
      default:
    }
  }

  async #accept(offerId: string): Promise<void> {
    const answer = await this.#api.call<{ route?: Route }>('POST', `/v1/driver/offers/${offerId}/accept`);
    if (!answer.ok) {
      this.#counts.lostOffers += 1;
      return;
    }
    this.#counts.accepts += 1;
    if (answer.body.route !== undefined) this.#route = answer.body.route;
  }

  async #keepPinging(): Promise<void> {
    await pause(Math.random() * PING_INTERVAL_MS, this.#signal);
    while (!this.#signal.aborted) {
      this.#ping();
      await pause(PING_INTERVAL_MS, this.#signal);
    }
  }

  #ping(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type: 'ping', lat: this.#at.lat, lon: this.#at.lon, at: new Date().toISOString() }));
  }

  async #drive(): Promise<void> {
    let from = this.#at;
    let sinceMs = performance.now();
    let heading: string | undefined;
    while (!this.#signal.aborted) {
      await pause(STEP_MS, this.#signal);
      const stop = this.#nextStop();
      if (stop === undefined) {
        heading = undefined;
        continue;
      }
      if (heading !== stop.id) {
        heading = stop.id;
        from = this.#at;
        sinceMs = performance.now();
      }
      const { at, arrived } = along(from, stop, ((performance.now() - sinceMs) / 1_000) * this.#speedMps);
      this.#at = at;
      if (!arrived) continue;
      this.#ping();
      await this.#serve(stop);
      heading = undefined;
    }
  }

  #nextStop(): Stop | undefined {
    return this.#route?.stops.find((stop) => stop.status === 'planned' || stop.status === 'arrived');
  }

  async #serve(stop: Stop): Promise<void> {
    if (stop.kind === 'pickup') {
      if (stop.status === 'planned' && !(await this.#act(stop, 'arrive'))) return;
      const otp = this.#otpOf(stop.rideId);
      if (otp !== undefined) await this.#act(stop, 'board', { otp });
    } else {
      await this.#act(stop, 'alight');
    }
  }

  /** True where the service did it; its answer carries the route as it is now. */
  async #act(stop: Stop, action: 'arrive' | 'board' | 'alight', body?: unknown): Promise<boolean> {
    const answer = await this.#api.call<{ route?: Route }>('POST', `/v1/driver/stops/${stop.id}/${action}`, { body });
    if (!answer.ok) {
      this.#counts.stopErrors += 1;
      await pause(STEP_MS * 4, this.#signal);
      return false;
    }
    const route = answer.body.route;
    if (route !== undefined && (this.#route === undefined || route.version >= this.#route.version)) this.#route = route;
    return true;
  }
}
