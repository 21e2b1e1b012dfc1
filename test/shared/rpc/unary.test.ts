/** Unary calls: what travels, what comes back when it fails, and that none waits for ever. */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { CODES } from '../../../shared/kernel/codes.ts';
import type { ErrorCode } from '../../../shared/kernel/codes.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { freePort } from '../../harness/free-port.ts';
import { until } from '../until.ts';
import { echoHandlers, openProbe, serveProbe } from './probe.ts';

test('64-bit integers travel as decimal strings, enums by name; absent fields have their defaults', async () => {
  await using server = await serveProbe();
  await using client = openProbe([server.target]);
  const full = { accountId: '9223372036854775807', say: 'größer', tags: ['a', 'b'], near: { lat: 40.7 }, mood: 'BUSY' as const };
  expect(await client.call.Ask(full)).toEqual({ accountId: full.accountId, said: 'größer', tags: ['a', 'b'], near: { lat: 40.7 }, mood: 'BUSY', server: 'one' });
  expect(await client.call.Ask({})).toEqual({ accountId: '0', said: '', tags: [], near: null, mood: 'CALM', server: 'one' });
});

test('every TandemError arrives as it was thrown: code, message, details', async () => {
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async ({ say }) => {
        throw new TandemError(say as ErrorCode, `wie größer: ${say}`, { details: { unit: 7, home: 'wést', id: 2n ** 60n } });
      },
    },
  });
  await using client = openProbe([server.target]);
  for (const code of Object.keys(CODES)) {
    const error = await client.call.Ask({ say: code }).catch((e: unknown) => e);
    expect(error, code).toBeInstanceOf(TandemError);
    expect(error).toMatchObject({ code, message: `wie größer: ${code}`, details: { unit: 7, home: 'wést', id: String(2n ** 60n) } });
  }
  expect(server.log.loud()).toEqual([]);
});

test('details too large for a trailer stay behind, the code does not', async () => {
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async () => {
        throw new TandemError('conflict', 'large', { details: { blob: 'x'.repeat(100_000) } });
      },
    },
  });
  await using client = openProbe([server.target]);
  await expect(client.call.Ask({})).rejects.toMatchObject({ code: 'conflict', details: {} });
});

test('an unexpected error arrives as `internal` without its text, which the server logs', async () => {
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async () => {
        throw new Error('password of root');
      },
    },
  });
  await using client = openProbe([server.target]);
  const error = (await client.call.Ask({}).catch((e: unknown) => e)) as TandemError;
  expect(error).toMatchObject({ code: 'internal' });
  expect(JSON.stringify({ ...error, message: error.message, cause: String(error.cause) })).not.toContain('password');
  expect(server.log.loud()).toEqual(['call failed']);
});

test('a call ends by its deadline, and the handler’s signal tells it so', async () => {
  const aborted = Promise.withResolvers<void>();
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: (_question, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        return new Promise(() => undefined);
      },
    },
  });
  await using client = openProbe([server.target]);
  const beganMs = performance.now();
  await expect(client.call.Ask({}, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
  expect(performance.now() - beganMs).toBeLessThan(15_000);
  await aborted.promise;
});

test('an abort cancels the call on both sides and throws the signal’s reason', async () => {
  const aborted = Promise.withResolvers<void>();
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: (_question, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        controller.abort(reason);
        return new Promise(() => undefined);
      },
    },
  });
  await using client = openProbe([server.target]);
  const controller = new AbortController();
  const reason = new Error('enough');
  await expect(client.call.Ask({}, { signal: controller.signal })).rejects.toBe(reason);
  await aborted.promise;
  await expect(client.call.Ask({}, { signal: controller.signal })).rejects.toBe(reason);
});

test('before the server is up: opening does not block, a call waits for it within its deadline', async () => {
  const port = await freePort();
  await using client = openProbe([`127.0.0.1:${port}`]);
  await expect(client.ready(100)).rejects.toMatchObject({ code: 'upstream-unavailable' });
  await expect(client.call.Ask({}, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
  const waiting = client.call.Ask({ say: 'early' }, { deadlineMs: 10_000 });
  await using _server = await serveProbe({ port });
  expect(await waiting).toMatchObject({ said: 'early' });
  await client.ready(1_000);
  expect(client.isReady).toBe(true);
});

test('once it was up and is gone, calls fail at once as upstream-unavailable, and work again when it is back', async () => {
  const server = await serveProbe();
  await using client = openProbe([server.target]);
  await client.call.Ask({});
  await server.stop();
  await until('the loss is noticed', 5_000, async () => (await client.call.Ask({}, { deadlineMs: 4_000 }).catch((e: TandemError) => e.code)) === 'upstream-unavailable');
  await using _again = await serveProbe({ port: server.port });
  await until('it is back', 5_000, async () => (await client.call.Ask({ say: 'again' })).said === 'again');
});

test('calls go round all targets that are up, and around one that is not', async () => {
  const two = await serveProbe({ handlers: echoHandlers('two') });
  await using one = await serveProbe({ handlers: echoHandlers('one') });
  await using client = openProbe([one.target, two.target]);
  const servers = async () => new Set(await Promise.all(Array.from({ length: 20 }, async () => (await client.call.Ask({})).server)));
  await until('both answer', 5_000, async () => (await servers()).size === 2);
  await two.stop();
  await until('one is left', 5_000, async () => (await servers()).size === 1);
  expect(await servers()).toEqual(new Set(['one']));
});

test('swapping targets fails no call: those under way finish where they began', async () => {
  const finish = Promise.withResolvers<void>();
  await using one = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async () => {
        await finish.promise;
        return { server: 'one' };
      },
    },
  });
  await using two = await serveProbe({ handlers: echoHandlers('two') });
  await using client = openProbe([one.target]);
  const early = client.call.Ask({});
  await until('it is under way', 2_000, () => client.isReady);
  await client.swap([two.target], { deadlineMs: 2_000 });
  expect((await client.call.Ask({})).server).toBe('two');
  finish.resolve();
  expect((await early).server).toBe('one');
});

test('a swap to targets that do not answer changes nothing', async () => {
  await using one = await serveProbe();
  await using client = openProbe([one.target]);
  await expect(client.swap([`127.0.0.1:${await freePort()}`], { deadlineMs: 200 })).rejects.toMatchObject({ code: 'upstream-unavailable' });
  expect((await client.call.Ask({})).server).toBe('one');
});

test('a thousand calls over twenty swaps: every one answered', async () => {
  await using one = await serveProbe({ handlers: echoHandlers('one') });
  await using two = await serveProbe({ handlers: echoHandlers('two') });
  await using client = openProbe([one.target]);
  const swapping = new AbortController();
  const answers: Promise<unknown>[] = [];
  const calling = (async () => {
    while (!swapping.signal.aborted || answers.length < 1_000) {
      answers.push(client.call.Ask({}));
      if (answers.length % 25 === 0) await Promise.all(answers.slice(-25));
    }
  })();
  for (let n = 0; n < 20; n += 1) await client.swap([n % 2 === 0 ? two.target : one.target], { deadlineMs: 5_000 });
  swapping.abort();
  await calling;
  expect((await Promise.allSettled(answers)).filter(({ status }) => status === 'rejected')).toEqual([]);
});

test('drain lets a call under way finish and takes no new one', async () => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      Ask: async () => {
        begun.resolve();
        await finish.promise;
        return { said: 'finished' };
      },
    },
  });
  await using client = openProbe([server.target]);
  const early = client.call.Ask({}, { deadlineMs: 10_000 });
  await begun.promise;
  const drained = server.drain();
  await until('new calls are refused', 5_000, async () => (await client.call.Ask({}, { deadlineMs: 300 }).catch((e: TandemError) => e.code)) === 'upstream-unavailable');
  finish.resolve();
  expect(await early).toMatchObject({ said: 'finished' });
  await drained;
});

test('both sides count calls by how they ended', async () => {
  const metrics = createMetrics({ service: 'test', region: 'east', instance: 'test-1' });
  await using server = await serveProbe({
    metrics,
    handlers: {
      ...echoHandlers(),
      Ask: async ({ say }) => {
        if (say === 'no') throw new TandemError('not-found', 'no');
        return {};
      },
    },
  });
  await using client = openProbe([server.target], { metrics });
  await client.call.Ask({});
  await client.call.Ask({ say: 'no' }).catch(() => undefined);
  const text = await metrics.expose();
  for (const side of ['client', 'server']) {
    expect(text).toMatch(new RegExp(`^rpc_requests_total\\{side="${side}",rpc_service="Probe",method="Ask",status="ok",.*\\} 1$`, 'm'));
    expect(text).toMatch(new RegExp(`^rpc_requests_total\\{side="${side}",rpc_service="Probe",method="Ask",status="not-found",.*\\} 1$`, 'm'));
    expect(text).toMatch(new RegExp(`^rpc_duration_ms_count\\{side="${side}",rpc_service="Probe",method="Ask",.*\\} 2$`, 'm'));
  }
  // Prometheus drops the whole page of a process for one line that names a label twice.
  for (const line of text.split('\n').filter((each) => /^[a-z]/.test(each))) {
    const labels = [...line.matchAll(/([a-z_]+)="/g)].map((match) => match[1]);
    expect(new Set(labels).size, line).toBe(labels.length);
  }
});

test('a taken port is told as port-taken; a client closed takes no calls', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  await expect(serveProbe({ port })).rejects.toMatchObject({ code: 'port-taken' });
  taken.close();
  await using server = await serveProbe();
  await using client = openProbe([server.target]);
  await client.close();
  await expect(client.call.Ask({})).rejects.toMatchObject({ code: 'not-ready' });
});
