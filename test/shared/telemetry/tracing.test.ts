/** Traces: who decides what is recorded, and what crosses a wire. */
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { currentTrace, extractTrace, injectTrace, inSpan, openSpan, runInContext, startTracing } from '../../../shared/telemetry/tracing.ts';
import type { Tracing, TracingOptions } from '../../../shared/telemetry/tracing.ts';

let tracing: Tracing | undefined;
afterEach(async () => tracing?.stop());
const start = async (options: Partial<TracingOptions> = {}) => (tracing = await startTracing({ service: 'test', region: 'east', ...options }));

const PARENT = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const traceparent = `00-${PARENT.traceId}-${PARENT.spanId}-01`;

test('before tracing starts everything runs, without ids', async () => {
  expect(await inSpan('work', {}, () => 42)).toBe(42);
  expect(injectTrace({})).toEqual({});
  expect(currentTrace()).toBeUndefined();
});

test('without an endpoint ids are made and propagate, and nothing is marked as recorded', async () => {
  await start();
  const carrier = await inSpan('work', {}, () => injectTrace<Record<string, string>>({}));
  expect(carrier['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test('a caller’s trace and its decision to record are carried on, from text, bytes or lists', async () => {
  await start();
  for (const value of [traceparent, Buffer.from(traceparent), [traceparent]]) {
    const carrier = await inSpan('work', { parent: extractTrace({ traceparent: value }) }, () => injectTrace<Record<string, string>>({}));
    expect(carrier['traceparent']).toMatch(new RegExp(`^00-${PARENT.traceId}-[0-9a-f]{16}-01$`));
    expect(carrier['traceparent']).not.toContain(PARENT.spanId);
  }
});

test('a malformed traceparent is as good as none', async () => {
  await start();
  for (const value of ['', 'garbage', `00-${'0'.repeat(32)}-${PARENT.spanId}-01`, 7, null]) {
    const carrier = await inSpan('work', { parent: extractTrace({ traceparent: value }) }, () => injectTrace<Record<string, string>>({}));
    expect(carrier['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  }
});

test('spans nest over awaits and timers, note what was thrown, and throw it on', async () => {
  const exporter = new InMemorySpanExporter();
  await start({ exporter });
  const boom = new Error('boom');
  await expect(
    inSpan('outer', { kind: 'server' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await inSpan('inner', { attributes: { a: 1 } }, () => Promise.reject(boom));
    }),
  ).rejects.toBe(boom);
  const [inner, outer] = exporter.getFinishedSpans();
  expect(inner).toMatchObject({ name: 'inner', attributes: { a: 1 }, status: { code: 2, message: 'boom' } });
  expect(inner!.parentSpanContext?.spanId).toBe(outer!.spanContext().spanId);
  expect(outer!.resource.attributes).toMatchObject({ 'service.name': 'test', 'tandem.region': 'east' });
});

test('a ratio of 0 records no new trace but follows a caller that records', async () => {
  const exporter = new InMemorySpanExporter();
  await start({ exporter, samplingRatio: 0 });
  await inSpan('own', {}, () => undefined);
  await inSpan('followed', { parent: extractTrace({ traceparent }) }, () => undefined);
  expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['followed']);
});

test('an open span carries work that runs in other callbacks', async () => {
  await start();
  const span = openSpan('request');
  expect(currentTrace()).toBeUndefined();
  expect(span.run(() => currentTrace()?.traceId)).toBe(span.traceId);
  expect(runInContext(span.context, () => currentTrace()?.traceId)).toBe(span.traceId);
  span.end();
});

test('with an endpoint spans are sent there over OTLP/HTTP, the last ones on stop', async () => {
  const received = Promise.withResolvers<{ path: string; bytes: Buffer }>();
  const collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.resolve({ path: request.url!, bytes: Buffer.concat(chunks) });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => collector.once('listening', resolve));
  try {
    await start({ otlpEndpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/` });
    await inSpan('told', {}, () => undefined);
    await tracing!.stop();
    const { path, bytes } = await received.promise;
    expect(path).toBe('/v1/traces');
    expect(bytes.toString('latin1')).toContain('told');
  } finally {
    collector.closeAllConnections();
    collector.close();
  }
});

test('a collector that is away neither fails the work nor the stop', async () => {
  await start({ otlpEndpoint: 'http://127.0.0.1:1' });
  await inSpan('lost', {}, () => undefined);
  await expect(tracing!.stop()).resolves.toBeUndefined();
});
