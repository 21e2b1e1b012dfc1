/** Metrics as Prometheus reads them. */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { LABEL_SETS_MAX, createMetrics } from '../../../shared/telemetry/metrics.ts';

const create = () => createMetrics({ service: 'dispatch', region: 'east', instance: 'dispatch-east-1' });
const OWN = 'service="dispatch",region="east",instance="dispatch-east-1"';

test('counters, gauges, histograms and observed gauges appear with help, type and the process’s labels', async () => {
  const metrics = create();
  metrics.counter('rides_total', 'Rides.', ['status']).add(2, { status: 'completed' });
  metrics.gauge('lag_ms', 'Lag.').set(12.5);
  metrics.histogram('turn_ms', 'Turns.', { buckets: [1, 10] }).record(3);
  metrics.observe('open', 'Open.', ['kind'], (report) => report(4, { kind: 'a' }));
  const text = await metrics.expose();
  expect(text).toContain('# HELP rides_total Rides.\n# TYPE rides_total counter\n');
  expect(text).toContain(`rides_total{status="completed",${OWN}} 2\n`);
  expect(text).toContain(`lag_ms{${OWN}} 12.5\n`);
  expect(text).toContain(`turn_ms_bucket{${OWN},le="1"} 0\n`);
  expect(text).toContain(`turn_ms_bucket{${OWN},le="10"} 1\n`);
  expect(text).toContain(`turn_ms_sum{${OWN}} 3\n`);
  expect(text).toContain(`open{kind="a",${OWN}} 4\n`);
  await metrics.stop();
});

test('a counter without labels shows zero before its first event', async () => {
  const metrics = create();
  metrics.counter('conflicts_total', 'Conflicts.');
  expect(await metrics.expose()).toContain(`conflicts_total{${OWN}} 0\n`);
});

test('the process tells its memory, processor time and event loop lag', async () => {
  const metrics = create();
  const text = await metrics.expose();
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'process_start_time_seconds']) {
    expect(Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1])).toBeGreaterThan(0);
  }
  expect(text).toContain(`process_event_loop_lag_ms{quantile="0.99",${OWN}}`);
});

test('every line is well-formed Prometheus text', async () => {
  const metrics = create();
  metrics.counter('odd_total', 'Odd "labels"\nof two lines.', ['what']).add(1, { what: 'a "quoted" \\ back\nline' });
  const lines = (await metrics.expose()).split('\n').filter((line) => line !== '');
  for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+-]+(Inf)?)$/);
});

test('past the limit of label sets, further ones are summed under one', async () => {
  const metrics = create();
  const counter = metrics.counter('flood_total', 'Flood.', ['id']);
  for (let id = 0; id < LABEL_SETS_MAX + 500; id += 1) counter.add(1, { id });
  const lines = (await metrics.expose()).split('\n').filter((line) => line.startsWith('flood_total{'));
  expect(lines.length).toBeLessThanOrEqual(LABEL_SETS_MAX);
  expect(lines.some((line) => line.includes('otel_metric_overflow="true"'))).toBe(true);
  expect(lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(LABEL_SETS_MAX + 500);
});

test('no port is opened: another process may hold the exporter’s default one', async () => {
  const taken = createServer().listen(9464, 'localhost');
  try {
    await new Promise((resolve) => taken.once('listening', resolve).once('error', resolve));
    await expect(create().expose()).resolves.toContain('process_');
  } finally {
    taken.close();
  }
});

test('a name that is not snake_case, or a counter without _total, is a programmer’s error', () => {
  const metrics = create();
  expect(() => metrics.counter('rides', 'No suffix.')).toThrow('_total');
  expect(() => metrics.gauge('lag-ms', 'Dash.')).toThrow('snake_case');
});
