/** Every request leaves one trace, one count and, where something went wrong, one line. */
import { connect } from 'node:net';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { afterEach, expect, test } from 'vitest';
import { currentTrace, startTracing } from '../../../shared/telemetry/tracing.ts';
import type { Tracing } from '../../../shared/telemetry/tracing.ts';
import { until } from '../until.ts';
import { testApp } from './test-app.ts';

let tracing: Tracing | undefined;
afterEach(async () => {
  await tracing?.stop();
  tracing = undefined;
});

test('a sane request id is kept, any other replaced', async () => {
  await using made = testApp();
  const idFor = async (given?: string) => (await made.app.inject({ url: '/health/live', headers: given === undefined ? {} : { 'x-request-id': given } })).headers['x-request-id'];
  expect(await idFor('abc-123')).toBe('abc-123');
  for (const odd of [undefined, '', 'two words', 'x'.repeat(200)]) expect(await idFor(odd)).toMatch(/^[0-9a-f-]{36}$/);
});

test('the trace of the caller reaches the handler, the log and the answer, over body parsing and awaits', async () => {
  const exporter = new InMemorySpanExporter();
  tracing = await startTracing({ service: 'test', region: 'east', exporter });
  await using made = testApp();
  made.app.post('/v1/echo', async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    request.log.info({}, 'in the handler');
    return { traceId: currentTrace()?.traceId };
  });
  const url = await made.serve();
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const answer = await fetch(`${url}/v1/echo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    body: JSON.stringify({ long: 'x'.repeat(40_000) }),
  });
  expect(await answer.json()).toEqual({ traceId });
  expect(answer.headers.get('trace-id')).toBe(traceId);
  expect(made.captured.lines().find(({ msg }) => msg === 'in the handler')).toMatchObject({ traceId });
  await until('the span has ended', 1_000, () => exporter.getFinishedSpans().length === 1);
  expect(exporter.getFinishedSpans()[0]).toMatchObject({ name: 'POST /v1/echo', attributes: { 'http.route': '/v1/echo', 'http.response.status_code': 200 } });
});

test('probes and scrapes make no spans', async () => {
  const exporter = new InMemorySpanExporter();
  tracing = await startTracing({ service: 'test', region: 'east', exporter });
  await using made = testApp();
  await made.app.inject('/health/live');
  await made.app.inject('/metrics');
  expect(exporter.getFinishedSpans()).toEqual([]);
});

test('requests count by method, route and status; paths without a route are one series', async () => {
  await using made = testApp();
  made.app.get('/v1/rides/:id', async () => ({}));
  const url = await made.serve();
  for (const path of ['/v1/rides/1', '/v1/rides/2', '/a', '/b']) await (await fetch(url + path)).text();
  await until('all are counted', 1_000, async () => {
    const text = await made.metrics.expose();
    return /^http_requests_total\{method="GET",route="\/v1\/rides\/:id",status="200",.*\} 2$/m.test(text) && /^http_requests_total\{method="GET",route="unmatched",status="404",.*\} 2$/m.test(text);
  });
  expect(await made.metrics.expose()).toMatch(/^http_request_duration_ms_count\{method="GET",route="\/v1\/rides\/:id",.*\} 2$/m);
});

test('injected requests count too, once each', async () => {
  await using made = testApp();
  made.app.get('/x', async () => ({}));
  await made.app.inject('/x');
  await until('it is counted', 1_000, async () => /^http_requests_total\{method="GET",route="\/x",status="200",.*\} 1$/m.test(await made.metrics.expose()));
  expect(made.app.tandem.requestsInFlight).toBe(0);
});

test('a client that goes away before the answer counts as 499 and is in flight no more', async () => {
  await using made = testApp();
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  made.app.get('/slow', async () => {
    begun.resolve();
    await finish.promise;
    return {};
  });
  const { port } = new URL(await made.serve());
  const socket = connect(Number(port), '127.0.0.1', () => socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n'));
  await begun.promise;
  expect(made.app.tandem.requestsInFlight).toBe(1);
  socket.destroy();
  await until('it is counted', 1_000, async () => /status="499".*\} 1$/m.test(await made.metrics.expose()));
  expect(made.app.tandem.requestsInFlight).toBe(0);
  finish.resolve();
});

test('query strings, which may hold a token, are in no log line and no span', async () => {
  const exporter = new InMemorySpanExporter();
  tracing = await startTracing({ service: 'test', region: 'east', exporter });
  await using made = testApp();
  made.app.get('/boom', async () => {
    throw new Error('boom');
  });
  await made.app.inject('/boom?access_token=s3cr3t');
  await until('the span has ended', 1_000, () => exporter.getFinishedSpans().length === 1);
  expect(made.captured.text()).toContain('/boom');
  expect(made.captured.text()).not.toContain('s3cr3t');
  expect(JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes })))).not.toContain('s3cr3t');
});
