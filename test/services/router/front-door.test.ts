/** The router against real small servers: carrying, hiding 421, dead instances, streams, and what may be sent twice. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { packId } from '../../../shared/id/id-layout.ts';
import { unitOfPlace } from '../../../shared/unit/unit.ts';
import { until } from '../../shared/until.ts';
import { json } from './fake-upstream.ts';
import type { Answer } from './fake-upstream.ts';
import { startTwin } from './twin-doors.ts';
import type { Door } from './twin-doors.ts';

const PICKUP = { lat: 40.75, lon: -73.98 };
const EAST_RIDE = packId({ ms: Date.UTC(2026, 0, 1), region: 1, node: 1, sequence: 1 }).toString();
const WEST_RIDE = packId({ ms: Date.UTC(2026, 0, 1), region: 2, node: 1, sequence: 1 }).toString();
const notHome = (home: string): Answer => (_request, response) => json(response, 421, { code: 'not-home' }, { 'tandem-home': home });

describe('carrying', () => {
  it('a quote goes to the home of its pick-up zone, once, with the region that carried it', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.homeOfUnit = west.homeOfUnit = (unit) => (unit === unitOfPlace(PICKUP) ? 'west' : 'east');
    const answer = await post(east, '/v1/quotes', { pickup: PICKUP });
    expect(await answer.json()).toEqual({ by: expect.stringMatching('dispatch-west') });
    const [seen] = callsOf(west);
    expect(seen?.headers).toMatchObject({ 'tandem-forwarded': 'east', 'x-forwarded-proto': 'http', 'x-forwarded-host': new URL(east.url).host });
    expect(seen?.headers['x-forwarded-for']).toMatch(/^127\.0\.0\.1, 127\.0\.0\.1$/);
    expect(callsOf(east)).toEqual([]);
    expect(east.carried).toMatchObject([{ route: 'quote', answeredBy: 'peer', source: 'client', outcome: 'ok' }]);
    expect(west.carried).toMatchObject([{ answeredBy: 'local', source: 'peer' }]);
  });

  it('a 421 is carried to the home once and hidden, the body whole', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    for (const fake of east.setup.dispatch) fake.answer = notHome('west');
    for (const fake of west.setup.dispatch) fake.answer = (request, response) => json(response, 201, JSON.parse(request.body));
    const body = { quoteId: EAST_RIDE, text: 'x'.repeat(10_000) };
    const answer = await post(east, '/v1/rides', body);
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual(body);
    expect([callsOf(east).length, callsOf(west).length]).toEqual([1, 1]);
  });

  it('loops are impossible: when both regions deny being the home each is asked once, and the client sees 503', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    for (const fake of east.setup.dispatch) fake.answer = notHome('west');
    for (const fake of west.setup.dispatch) fake.answer = notHome('east');
    east.homeOfUnit = () => 'west';
    west.homeOfUnit = () => 'east';
    const answer = await post(east, '/v1/quotes', { pickup: PICKUP });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'upstream-unavailable' });
    expect([callsOf(east).length, callsOf(west).length]).toEqual([1, 1]);
  });

  it('a ride goes first to the region in its id, and to the learned home of its unit from then on', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.homeOfUnit = west.homeOfUnit = () => 'east';
    for (const fake of west.setup.dispatch) fake.answer = notHome('east');
    for (const fake of east.setup.dispatch) fake.answer = (_request, response) => json(response, 200, {}, { 'tandem-unit': '7' });
    await post(east, `/v1/rides/${WEST_RIDE}/cancel`, {});
    expect([callsOf(east).length, callsOf(west).length]).toEqual([1, 1]);
    expect(east.learned.unitOf(WEST_RIDE)).toBe(7);
    await post(east, `/v1/rides/${WEST_RIDE}/cancel`, {});
    expect([callsOf(east).length, callsOf(west).length]).toEqual([2, 1]);
  });

  it('money in the wrong region is refused with the home named, and never carried', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    const [payment] = east.setup.payment;
    payment!.answer = (_request, response) => json(response, 409, { code: 'cross-region-write', home: 'west' });
    expect((await post(east, `/v1/rides/${EAST_RIDE}/tip`, {})).status).toBe(409);
    payment!.answer = notHome('west');
    const answer = await post(east, `/v1/rides/${WEST_RIDE}/payments`, {});
    expect([answer.status, await answer.json()]).toEqual([409, { code: 'cross-region-write', home: 'west' }]);
    expect(west.carried).toEqual([]);
  });

  it('a home that cannot be reached is a 503, not a 421', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.homeOfUnit = () => 'west';
    for (const fake of east.setup.dispatch) fake.answer = notHome('west');
    await west.stop();
    expect((await post(east, '/v1/quotes', { pickup: PICKUP })).status).toBe(503);
  });

  it('a plain read stays here even where the ride lives over there', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    const answer = await fetch(`${east.url}/v1/rides/${WEST_RIDE}?x=1`);
    expect(await answer.json()).toEqual({ by: expect.stringMatching('dispatch-east') });
    expect(callsOf(east)[0]?.url).toBe(`/v1/rides/${WEST_RIDE}?x=1`);
    expect(callsOf(west)).toEqual([]);
  });
});

describe('instances', () => {
  it('a dead instance is avoided with no failed safe request, and taken back slowly', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    const [dead] = east.setup.dispatch;
    const port = Number(dead!.hostPort.split(':')[1]);
    let failed = 0;
    const reads = async (count: number) => {
      for (let i = 0; i < count; i += 1) failed += Number((await fetch(`${east.url}/v1/rides/${EAST_RIDE}`)).status !== 200);
    };
    await reads(10);
    await dead!.kill();
    await reads(50);
    expect(failed).toBe(0);
    const instance = east.upstreams.instances.find((candidate) => candidate.origin.endsWith(`:${port}`));
    await until('the dead instance is unhealthy', 4_000, () => instance?.isHealthy === false);
    await dead!.start(port);
    await until('the instance is back', 4_000, () => instance?.isHealthy === true);
    expect(instance?.share(performance.now())).toBeLessThan(25);
    await reads(20);
    expect(failed).toBe(0);
  });

  it('a broken connection repeats a keyed write elsewhere, and leaves one without a key alone', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    const [first, second] = east.setup.dispatch;
    first!.answer = second!.answer = (_request, response) => void response.socket?.destroy();
    const withoutKey = await post(east, `/v1/rides/${EAST_RIDE}/cancel`, {});
    expect([withoutKey.status, callsOf(east).length]).toEqual([503, 1]);
    second!.answer = (_request, response) => json(response, 200, { by: 'second' });
    const withKey = await post(east, `/v1/rides/${EAST_RIDE}/cancel`, {}, { 'idempotency-key': 'k' });
    expect(withKey.status).toBe(200);
  });

  it('with every payment instance gone money fails closed, at once and as a problem', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    await east.setup.payment[0]!.kill();
    const answer = await post(east, `/v1/rides/${EAST_RIDE}/tip`, {}, { 'idempotency-key': 'k' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'application/problem+json']);
  });

  it('a client that goes away takes its upstream call with it', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    for (const fake of east.setup.dispatch) fake.answer = () => {};
    const abort = new AbortController();
    const answer = fetch(`${east.url}/v1/rides/${EAST_RIDE}`, { signal: abort.signal });
    await until('the call arrives', 2_000, () => callsOf(east).length === 1);
    abort.abort();
    await expect(answer).rejects.toThrow();
    await until('the upstream call is broken off', 2_000, () => east.setup.dispatch.some((fake) => fake.abortedCount === 1));
    expect(east.carried.at(-1)?.outcome).toBe('aborted');
  });
});

describe('what passes through', () => {
  it('end-to-end headers pass both ways, hop-by-hop ones do not, and a trace goes on', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    for (const fake of east.setup.dispatch) {
      fake.answer = (_request, response) => json(response, 200, {}, { 'tandem-token': '9', 'keep-alive': 'timeout=1', 'x-hop': 'no', 'connection': 'keep-alive, x-hop' });
    }
    const headers = { 'x-mine': 'yes', 'te': 'trailers', 'tandem-forwarded': 'east' };
    const answer = await rawGet(`${east.url}/v1/rides/${EAST_RIDE}`, { ...headers, 'x-secret-hop': '1', 'connection': 'close, x-secret-hop' });
    expect(answer.headers['tandem-token']).toBe('9');
    expect(answer.headers['x-hop']).toBeUndefined();
    const [seen] = callsOf(east);
    expect(seen?.headers).toMatchObject({ 'x-mine': 'yes', 'traceparent': expect.stringMatching(/^00-/) });
    for (const name of ['te', 'x-secret-hop', 'tandem-forwarded']) expect(seen?.headers).not.toHaveProperty(name);
  });

  it('unknown paths, wrong methods and large bodies are refused before any service sees them', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    expect((await fetch(`${east.url}/v1/nothing`)).status).toBe(404);
    expect((await fetch(`${east.url}/v1/quotes`, { method: 'DELETE' })).status).toBe(405);
    expect((await post(east, '/v1/quotes', { text: 'x'.repeat(70_000) })).status).toBe(413);
    expect(callsOf(east)).toEqual([]);
  });

  it('an event stream passes byte by byte, and ends when its home moves', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    const open: { write(text: string): void }[] = [];
    for (const fake of east.setup.dispatch) {
      fake.answer = (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'tandem-unit': '7' });
        response.flushHeaders();
        open.push({ write: (text) => response.write(text) });
      };
    }
    const answer = await fetch(`${east.url}/v1/rides/${EAST_RIDE}/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (const text of ['id: 1\ndata: {}\n\n', 'id: 2\nda', 'ta: {}\n\n']) {
      open[0]!.write(text);
      expect((await reader.read()).value).toBe(text);
    }
    expect(east.streams.count('sse')).toBe(1);
    east.homeOfUnit = () => 'west';
    east.streams.endMoved();
    expect((await reader.read()).done).toBe(true);
    await until('the upstream is let go', 2_000, () => east.setup.dispatch.some((fake) => fake.abortedCount === 1));
    expect(east.streams.count('sse')).toBe(0);
  });

  it('a stream is not held to the deadline of a call, nor do many of them starve calls', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    for (const fake of east.setup.dispatch) {
      fake.answer = (request, response) => {
        if (!request.url.endsWith('/events')) return json(response, 200, {});
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
      };
    }
    const streams = Array.from({ length: 300 }, () => httpRequest(`${east.url}/v1/rides/${EAST_RIDE}/events`).end());
    await Promise.all(streams.map((stream) => once(stream, 'response')));
    expect((await fetch(`${east.url}/v1/rides/${EAST_RIDE}`)).status).toBe(200);
    await east.streams.endAll('the test is over');
    expect(east.streams.count('sse')).toBe(0);
  });
});

function callsOf(door: Door) {
  return Object.values(door.setup).flat().flatMap((fake) => fake.calls);
}

function post(door: Door, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(door.url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
}

/** fetch() forbids the headers this is about. */
async function rawGet(url: string, headers: Record<string, string>) {
  const [answer] = await once(httpRequest(url, { headers }).end(), 'response');
  answer.resume();
  return answer as { headers: Record<string, string | undefined> };
}
