/** Server-sent events: in order, resumable, never more in memory than a limit, and told when the server leaves. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { formatEvent, openEventStream } from '../../../shared/http/event-stream.ts';
import type { EventStream } from '../../../shared/http/event-stream.ts';
import { drain } from '../../../shared/http/http-server.ts';
import { until } from '../until.ts';
import { testApp } from './test-app.ts';

function streamApp() {
  const made = testApp();
  const opened: EventStream[] = [];
  made.app.get('/events', (_request, reply) => {
    reply.header('tandem-token', '42');
    opened.push(openEventStream(reply));
  });
  return { ...made, opened, [Symbol.asyncDispose]: made[Symbol.asyncDispose] };
}

async function open(url: string): Promise<{ response: Response; read: () => Promise<string>; cancel: () => Promise<void> }> {
  const response = await fetch(`${url}/events`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return { response, read: async () => (await reader.read()).value ?? 'END', cancel: () => reader.cancel() };
}

test('an event is id, event and data; data with line breaks stays one event; nobody can inject a field', () => {
  expect(formatEvent({ id: 7n, event: 'position', data: { lat: 1 } })).toBe('id: 7\nevent: position\ndata: {"lat":1}\n\n');
  expect(formatEvent({ data: 'a\r\nb\nc' })).toBe('data: a\ndata: b\ndata: c\n\n');
  expect(formatEvent({ event: 'x\ndata: evil', id: '1\r\n2', data: '' })).toBe('id: 1  2\nevent: x data: evil\ndata: \n\n');
});

test('a client gets the headers at once, those of the route among them, then each event', async () => {
  await using made = streamApp();
  const client = await open(await made.serve());
  expect(client.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(client.response.headers.get('tandem-token')).toBe('42');
  expect(client.response.headers.get('x-request-id')).not.toBeNull();
  expect(await made.opened[0]!.send({ id: 1, data: {} })).toBe(true);
  expect(await client.read()).toBe('id: 1\ndata: {}\n\n');
  made.opened[0]!.close();
  expect(await client.read()).toBe('END');
});

test('a client that leaves aborts `closed`; sending afterwards is harmless', async () => {
  await using made = streamApp();
  const client = await open(await made.serve());
  await client.cancel();
  await until('it is noticed', 1_000, () => made.opened[0]!.closed.aborted);
  expect(await made.opened[0]!.send({ data: 1 })).toBe(false);
  await until('it is listed no more', 1_000, () => made.app.tandem.streams.size === 0);
});

test('HEAD gets the headers and no stream', async () => {
  await using made = streamApp();
  const answer = await fetch(`${await made.serve()}/events`, { method: 'HEAD' });
  expect(answer.status).toBe(200);
  expect(made.opened[0]!.closed.aborted).toBe(true);
});

test('on drain an open stream is told to come back, and ends; a new one too', async () => {
  await using made = streamApp();
  const url = await made.serve();
  const client = await open(url);
  drain(made.app);
  expect(await client.read()).toBe('retry: 500\nevent: reconnect\ndata: {}\n\n');
  expect(await client.read()).toBe('END');
  const late = await open(url);
  expect(await late.read()).toContain('event: reconnect');
});

test('send waits for a slow reader, and goes on when it reads', async () => {
  await using made = streamApp();
  const { port } = new URL(await made.serve());
  const socket: Socket = connect(Number(port), '127.0.0.1', () => socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n'));
  socket.pause();
  await until('the stream is open', 1_000, () => made.opened.length === 1);
  const frame = { data: 'x'.repeat(16_000) };
  let sent = 0;
  const pouring = (async () => {
    while (sent < 2_000 && (await made.opened[0]!.send(frame))) sent += 1;
  })();
  let last = -1;
  await until('the sender waits', 5_000, async () => {
    const isStill = sent === last;
    last = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isStill && sent > 0;
  });
  expect(sent).toBeLessThan(2_000);
  socket.resume();
  await pouring;
  expect(sent).toBe(2_000);
  socket.destroy();
});

test('a sender that does not wait cannot fill the memory: the stream is cut', async () => {
  await using made = streamApp();
  const { port } = new URL(await made.serve());
  const socket: Socket = connect(Number(port), '127.0.0.1', () => socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n'));
  socket.on('error', () => undefined).pause();
  await until('the stream is open', 1_000, () => made.opened.length === 1);
  const stream = made.opened[0]!;
  for (let n = 0; n < 2_000 && !stream.closed.aborted; n += 1) {
    void stream.send({ data: 'x'.repeat(16_000) });
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until('it is cut', 1_000, () => stream.closed.aborted);
  socket.destroy();
});

test('streams are counted while open, and stay out of the durations', async () => {
  await using made = streamApp();
  const client = await open(await made.serve());
  expect(await made.metrics.expose()).toMatch(/^http_streams_open\{kind="events",.*\} 1$/m);
  await client.cancel();
  await until('it is counted as a request', 1_000, async () => /^http_requests_total\{method="GET",route="\/events",status="200",.*\} 1$/m.test(await made.metrics.expose()));
  expect(await made.metrics.expose()).not.toMatch(/http_request_duration_ms_count\{method="GET",route="\/events"/);
});
