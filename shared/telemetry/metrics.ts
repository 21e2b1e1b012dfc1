/**
 * Metrics of a process, in OpenTelemetry's model, shown as Prometheus text by whoever serves /metrics.
 *
 * Invariant: names are snake_case with the unit last, counters end in _total; each line carries service, region and
 * instance. Label sets per metric are limited (LABEL_SETS_MAX): values come from small fixed sets, never from ids.
 * It opens no port and pushes nothing.
 */
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Meter } from '@opentelemetry/api';
import { assert } from '../kernel/assert.ts';
import { observeProcess } from './process-metrics.ts';

/** OpenTelemetry's own limit: further label sets are summed under otel_metric_overflow="true". */
export const LABEL_SETS_MAX = 2000;

/** Milliseconds, for what a person or a caller waits for. */
export const DURATION_BUCKETS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 85, 100, 200, 300, 500, 1000, 2000, 5000, 10_000, 30_000];

export type Labels<L extends string> = Readonly<Record<L, string | number>>;

export interface Counter<L extends string = never> {
  /** `value` ≥ 0. */
  add(value: number, ...labels: LabelsOf<L>): void;
}

export interface Gauge<L extends string = never> {
  set(value: number, ...labels: LabelsOf<L>): void;
}

export interface Histogram<L extends string = never> {
  record(value: number, ...labels: LabelsOf<L>): void;
}

/** A metric with labels wants all of them each time; one without wants none. */
export type LabelsOf<L extends string> = [L] extends [never] ? [] : [labels: Labels<L>];

export interface Metrics {
  counter<const L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<const L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /** Buckets are upper bounds, ascending; DURATION_BUCKETS_MS by default. */
  histogram<const L extends string = never>(
    name: string,
    help: string,
    options?: { readonly labels?: readonly L[]; readonly buckets?: readonly number[] },
  ): Histogram<L>;
  /** A gauge whose values are read at each expose(). */
  observe<const L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[],
    read: (report: (value: number, ...labels: LabelsOf<L>) => void) => void,
  ): void;
  /** Prometheus text format 0.0.4. */
  expose(): Promise<string>;
  stop(): Promise<void>;
}

export interface MetricsOptions {
  readonly service: string;
  readonly region: string;
  readonly instance: string;
}

export function createMetrics({ service, region, instance }: MetricsOptions): Metrics {
  // preventServerStart: by itself the exporter would listen on 9464, and the second process would fail to.
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ resource: resourceFromAttributes({ service, region, instance }), readers: [reader] });
  const serializer = new PrometheusSerializer('', false, /^(service|region|instance)$/, true, true);
  const metrics = new OtelMetrics(provider.getMeter('tandem'), {
    expose: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    stop: () => provider.shutdown(),
  });
  observeProcess(metrics.meter);
  return metrics;
}

class OtelMetrics implements Metrics {
  readonly meter: Meter;
  readonly expose: () => Promise<string>;
  readonly stop: () => Promise<void>;

  constructor(meter: Meter, { expose, stop }: { readonly expose: () => Promise<string>; readonly stop: () => Promise<void> }) {
    this.meter = meter;
    this.expose = expose;
    this.stop = stop;
  }

  counter<const L extends string = never>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
    assert(name.endsWith('_total'), `the name of counter ${name} must end in _total`);
    const counter = this.meter.createCounter(checked(name), { description: help });
    // Shown from the start: a rate over a series that appears with its first event misses that event.
    if (labels.length === 0) counter.add(0);
    return { add: (value, ...rest) => counter.add(value, rest[0]) };
  }

  gauge<const L extends string = never>(name: string, help: string): Gauge<L> {
    const gauge = this.meter.createGauge(checked(name), { description: help });
    return { set: (value, ...rest) => gauge.record(value, rest[0]) };
  }

  histogram<const L extends string = never>(name: string, help: string, options: { readonly buckets?: readonly number[] } = {}): Histogram<L> {
    const explicitBucketBoundaries = [...(options.buckets ?? DURATION_BUCKETS_MS)];
    const histogram = this.meter.createHistogram(checked(name), { description: help, advice: { explicitBucketBoundaries } });
    return { record: (value, ...rest) => histogram.record(value, rest[0]) };
  }

  observe<const L extends string = never>(
    name: string,
    help: string,
    _labels: readonly L[],
    read: (report: (value: number, ...labels: LabelsOf<L>) => void) => void,
  ): void {
    const gauge = this.meter.createObservableGauge(checked(name), { description: help });
    gauge.addCallback((result) => read((value, ...rest) => result.observe(value, rest[0])));
  }
}

function checked(name: string): string {
  assert(/^[a-z][a-z0-9_]*$/.test(name), `metric names are snake_case: ${name}`);
  return name;
}
