/** What a replay rests on: calls that retry with one key, streams that are read whole, cars that drive as dispatch foresees, outages that end. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { greatCircleM } from '../../shared/unit/place.ts';
import { outage } from '../../chaos/faults/outage.ts';
import { ApiClient, parseEvent } from '../../chaos/workloads/api-client.ts';
import { along, carSpeedMps } from '../../chaos/workloads/world.ts';

type Seen = { key: string | undefined; path: string };

/** A front door that gives the scripted answers in turn, then 200. */
async function door(script: readonly { status: number; code: string }[]): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const answer = script[seen.length];
    seen.push({ key: request.headers['idempotency-key'] as string | undefined, path: request.url! });
    request.resume();
    response.writeHead(answer?.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? { id: '1' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const clientOf = (...urls: string[]) => {
  const counts = { calls: 0, retries: 0, failures: 0 };
  const endpoints = urls.map((routerUrl, index) => ({ region: `r${index}`, routerUrl }));
  return { counts, client: new ApiClient({ endpoints, token: 't', signal: new AbortController().signal, counts }) };
};

test('a retry carries the same idempotency key, and goes to the other region', async () => {
  const [first, second] = await Promise.all([door([{ status: 503, code: 'not-ready' }]), door([])]);
  const { client, counts } = clientOf(first.url, second.url);
  expect(await client.call('POST', '/v1/rides', { keyed: true, body: {} })).toMatchObject({ ok: true });
  expect(first.seen[0]!.key).toMatch(/^[0-9a-f-]{36}$/);
  expect(second.seen[0]!.key).toBe(first.seen[0]!.key);
  expect(counts).toEqual({ calls: 1, retries: 1, failures: 0 });
});

test('a refusal is an answer and is not retried', async () => {
  const { url, seen } = await door([{ status: 409, code: 'offer-gone' }]);
  const answer = await clientOf(url).client.call('POST', '/v1/driver/offers/1/accept');
  expect(answer).toMatchObject({ ok: false, problem: { status: 409, code: 'offer-gone' } });
  expect(seen).toHaveLength(1);
});

test('an answer that is still being made is waited for', async () => {
  const { url, seen } = await door([{ status: 409, code: 'idempotency-in-flight' }]);
  expect((await clientOf(url).client.call('POST', '/v1/rides', { keyed: true })).ok).toBe(true);
  expect(seen).toHaveLength(2);
});

test('a call that nobody answers is given up at its deadline, and counted', async () => {
  const { client, counts } = clientOf('http://127.0.0.1:1');
  expect(await client.call('GET', '/', { deadlineMs: 300 })).toMatchObject({ ok: false, problem: { code: 'no-answer' } });
  expect(counts.failures).toBe(1);
});

test('server-sent events are read with their ids; comments are not events', () => {
  expect(parseEvent('id: 7\nevent: assigned\ndata: {"a":\ndata: 1}')).toEqual({ id: '7', event: 'assigned', data: { a: 1 } });
  expect(parseEvent(': ping')).toBeUndefined();
  expect(parseEvent('data: 1')).toEqual({ id: undefined, event: 'message', data: 1 });
});

test('a car arrives when dispatch foresees it', () => {
  const from = { lat: 40.75, lon: -73.98 };
  const to = { lat: 40.78, lon: -73.95 };
  const speedMps = carSpeedMps({ averageSpeedKmph: 24, streetFactor: 1.3, speed: 20 });
  const foreseenS = ((greatCircleM(from, to) * 1.3) / (24 / 3.6)) / 20;
  expect(along(from, to, speedMps * foreseenS * 1.000_001)).toEqual({ at: to, arrived: true });
  const half = along(from, to, (speedMps * foreseenS) / 2);
  expect(half.arrived).toBe(false);
  expect(greatCircleM(from, half.at)).toBeCloseTo(greatCircleM(from, to) / 2, -1);
});

test('what an outage has taken away is given back, also when it cannot take all', async () => {
  const calls: string[] = [];
  const control = {
    hold: async (name: string) => {
      if (name === 'nobody-east') throw new Error('no such process');
      calls.push(`hold ${name}`);
    },
    release: async (name: string) => void calls.push(`release ${name}`),
  };
  await expect(outage(control, ['capture-east', 'nobody-east'], { outageS: 0.01 })).rejects.toThrow('no such process');
  expect(calls).toEqual(['hold capture-east', 'release capture-east']);
});
