/**
 * All instances a router can send to: those of its region's services, and the peer's router.
 *
 * Invariant: a healthy instance is always preferred to an unhealthy one; where all are unhealthy the caller decides whether
 * a guess is better than nothing. Probes and recomputations run on timers that stop() ends.
 */
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import { PROBE_EVERY_MS, PROBE_TIMEOUT_MS } from '../domain/health.ts';
import { Instance } from '../domain/instance.ts';
import { SmoothRoundRobin } from '../domain/round-robin.ts';
import { RECOMPUTE_EVERY_MS } from '../domain/weight.ts';
import { Upstream } from './upstream.ts';

export const PEER = 'peer';
export const READY_PATH = '/health/ready';
/** The peer's router is reached as long as it runs: it knows best what its region can still do. */
export const LIVE_PATH = '/health/live';

export interface UpstreamsConfig {
  /** host:port of the instances of each service, and of the peer's router under PEER. */
  readonly hostPortsOf: ReadonlyMap<string, readonly string[]>;
  readonly log: LogSink;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export class Upstreams {
  readonly #upstreamsOf = new Map<string, readonly Upstream[]>();
  readonly #balancer = new SmoothRoundRobin<Upstream>();
  readonly #log: LogSink;
  readonly #nowMs: () => number;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #probing = new Set<Upstream>();

  constructor({ hostPortsOf, log, nowMs }: UpstreamsConfig) {
    this.#log = log;
    this.#nowMs = nowMs;
    for (const [service, hostPorts] of hostPortsOf) {
      const upstreams = hostPorts.map((hostPort) => this.#open(new Instance(service, hostPort, nowMs())));
      this.#upstreamsOf.set(service, upstreams);
    }
  }

  get instances(): readonly Instance[] {
    return [...this.#upstreamsOf.values()].flat().map((upstream) => upstream.instance);
  }

  /** One that is healthy, by weight; where none is, 'try-anyway' picks among the unhealthy, 'fail-closed' gives nothing. */
  pick(service: string, options: { except?: Upstream | undefined; panic: 'try-anyway' | 'fail-closed' }): Upstream | undefined {
    const all = (this.#upstreamsOf.get(service) ?? []).filter((upstream) => upstream !== options.except);
    const healthy = all.filter((upstream) => upstream.instance.isHealthy);
    const candidates = healthy.length > 0 || options.panic === 'fail-closed' ? healthy : all;
    const nowMs = this.#nowMs();
    return this.#balancer.pick(candidates.map((item) => ({ item, weight: item.instance.share(nowMs) })));
  }

  /** The services of this region without an instance that is healthy and has proved it. */
  unserved(): string[] {
    return [...this.#upstreamsOf]
      .filter(([service, upstreams]) => service !== PEER && !upstreams.some(({ instance }) => instance.isHealthy && instance.health.hasAnswered))
      .map(([service]) => service);
  }

  /** Resolves after the first round of probes. */
  async start(): Promise<void> {
    await this.#probeAll();
    this.#timers.push(
      setInterval(() => void this.#probeAll(), PROBE_EVERY_MS),
      setInterval(() => this.#recomputeAll(), RECOMPUTE_EVERY_MS),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#upstreamsOf.values()].flat().map((upstream) => upstream.close()));
  }

  async #probeAll(): Promise<void> {
    const probes = [...this.#upstreamsOf].flatMap(([service, upstreams]) =>
      upstreams.map((upstream) => this.#probe(upstream, service === PEER ? LIVE_PATH : READY_PATH)));
    await Promise.all(probes);
  }

  async #probe(upstream: Upstream, path: string): Promise<void> {
    // A probe ends well within the interval; should the timers slip, two must not run side by side.
    if (this.#probing.has(upstream)) return;
    this.#probing.add(upstream);
    const outcome = await upstream.probe(path, PROBE_TIMEOUT_MS);
    this.#probing.delete(upstream);
    this.#observe(upstream, outcome);
  }

  #open(instance: Instance): Upstream {
    const upstream: Upstream = new Upstream(instance, { nowMs: this.#nowMs, onRefused: () => this.#observe(upstream, 'failed') });
    return upstream;
  }

  #observe(upstream: Upstream, outcome: 'ok' | 'failed'): void {
    const change = upstream.instance.observeProbe(outcome, this.#nowMs());
    if (change === 'unchanged') return;
    if (change === 'recovered') this.#balancer.forget(upstream);
    const line = change === 'fell' ? this.#log.warn : this.#log.info;
    line.call(this.#log, { target: upstream.instance.name }, change === 'fell' ? 'instance is unhealthy' : 'instance is back');
  }

  #recomputeAll(): void {
    const nowMs = this.#nowMs();
    for (const instance of this.instances) instance.recompute(nowMs);
  }
}
