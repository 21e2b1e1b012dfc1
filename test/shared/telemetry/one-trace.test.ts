/** One request, one trace id: over HTTP, on over gRPC, on in the headers of a Kafka message. */
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { afterEach, expect, test } from 'vitest';
import { currentTrace, extractTrace, injectTrace, inSpan, startTracing } from '../../../shared/telemetry/tracing.ts';
import type { Tracing } from '../../../shared/telemetry/tracing.ts';
import { testApp } from '../http/test-app.ts';
import { echoHandlers, openProbe, serveProbe } from '../rpc/probe.ts';
import { until } from '../until.ts';

let tracing: Tracing | undefined;
afterEach(async () => tracing?.stop());

test('a trace that begins at a client crosses HTTP, gRPC and a change’s headers, each span below the one before', async () => {
  const exporter = new InMemorySpanExporter();
  tracing = await startTracing({ service: 'test', region: 'east', exporter });
  const topic: { headers: Record<string, Buffer> }[] = [];
  await using rpc = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async () => {
        const headers = await inSpan('send change', { kind: 'producer' }, () => injectTrace<Record<string, string>>({}));
        topic.push({ headers: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, Buffer.from(value)])) });
        return { said: currentTrace()!.traceId };
      },
    },
  });
  await using client = openProbe([rpc.target]);
  await using made = testApp();
  made.app.post('/v1/quotes', async () => client.call.Ask({ say: 'a quote' }));

  const answer = await fetch(`${await made.serve()}/v1/quotes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  const traceId = answer.headers.get('trace-id')!;
  expect(await answer.json()).toMatchObject({ said: traceId });
  await inSpan('apply change', { kind: 'consumer', parent: extractTrace(topic[0]!.headers) }, () => expect(currentTrace()!.traceId).toBe(traceId));

  await until('all spans have ended', 2_000, () => exporter.getFinishedSpans().length === 5);
  const spans = exporter.getFinishedSpans();
  expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const path: string[] = [];
  for (let span = spans.find(({ name }) => name === 'apply change'); span !== undefined; span = byId.get(span.parentSpanContext?.spanId ?? '')) path.unshift(span.name);
  expect(path).toEqual(['POST /v1/quotes', 'tandem.probe.v1.Probe/Ask', 'Probe/Ask', 'send change', 'apply change']);
});
