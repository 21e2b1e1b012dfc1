/** Server streams: in order, as fast as they are read, and ended by either side. */
import { expect, test } from 'vitest';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { freePort } from '../../harness/free-port.ts';
import { until } from '../until.ts';
import { echoHandlers, openProbe, serveProbe } from './probe.ts';
import type { Probe } from './probe.ts';
import type { RpcHandlers } from '../../../shared/rpc/rpc-methods.ts';

/** Counts for ever until its call ends; tells how far it came and that it was let go. */
function endlessHandlers(): { handlers: RpcHandlers<Probe>; made: () => number; isOver: () => boolean } {
  let made = 0;
  let isOver = false;
  const handlers: RpcHandlers<Probe> = {
    ...echoHandlers(),
    async *Count({ paddingBytes = 0 }, { signal }) {
      try {
        while (!signal.aborted) {
          made += 1;
          yield { n: made, padding: 'x'.repeat(paddingBytes) };
        }
      } finally {
        isOver = true;
      }
    },
  };
  return { handlers, made: () => made, isOver: () => isOver };
}

/** Sends one item, then waits for its signal as a follower of a feed does. */
function quietHandlers(): { handlers: RpcHandlers<Probe>; isOver: () => boolean } {
  let isOver = false;
  const handlers: RpcHandlers<Probe> = {
    ...echoHandlers(),
    async *Count(_request, { signal }) {
      try {
        yield { n: 1 };
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      } finally {
        isOver = true;
      }
    },
  };
  return { handlers, isOver: () => isOver };
}

test('every item arrives, in order, and then the end', async () => {
  await using server = await serveProbe();
  await using client = openProbe([server.target]);
  const numbers: number[] = [];
  for await (const { n } of client.call.Count({ upTo: 1_000 })) numbers.push(n);
  expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
});

test('a slow reader holds the source back', async () => {
  const source = endlessHandlers();
  await using server = await serveProbe({ handlers: source.handlers });
  await using client = openProbe([server.target]);
  let read = 0;
  for await (const _number of client.call.Count({ upTo: 0, paddingBytes: 10_000 })) {
    read += 1;
    if (read === 5) {
      let before = -1;
      await until('the source stands still', 10_000, async () => {
        const isStill = source.made() === before;
        before = source.made();
        await new Promise((resolve) => setTimeout(resolve, 100));
        return isStill;
      });
      // HTTP/2 windows and the buffers of both ends: a few MiB at most.
      expect(source.made() * 10_000).toBeLessThan(8 * 1024 * 1024);
    }
    if (read === 2_000) break;
  }
  expect(read).toBe(2_000);
  await until('the source is let go', 2_000, source.isOver);
});

test('a reader that leaves ends the handler', async () => {
  const source = quietHandlers();
  await using server = await serveProbe({ handlers: source.handlers });
  await using client = openProbe([server.target]);
  for await (const { n } of client.call.Count({ upTo: 0 })) {
    expect(n).toBe(1);
    break;
  }
  await until('the handler is over', 2_000, source.isOver);
});

test('an abort ends a waiting reader with its reason, and the handler', async () => {
  const source = quietHandlers();
  await using server = await serveProbe({ handlers: source.handlers });
  await using client = openProbe([server.target]);
  const controller = new AbortController();
  const reason = new Error('enough');
  const reading = (async () => {
    for await (const { n } of client.call.Count({ upTo: 0 }, { signal: controller.signal })) if (n === 1) controller.abort(reason);
  })();
  await expect(reading).rejects.toBe(reason);
  await until('the handler is over', 2_000, source.isOver);
});

test('an error in the middle comes after what was sent before it', async () => {
  await using server = await serveProbe({
    handlers: {
      ...echoHandlers(),
      async *Count() {
        yield { n: 1 };
        throw new TandemError('not-home', 'moved', { details: { home: 'west' } });
      },
    },
  });
  await using client = openProbe([server.target]);
  const numbers: number[] = [];
  const reading = (async () => {
    for await (const { n } of client.call.Count({ upTo: 0 })) numbers.push(n);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'not-home', details: { home: 'west' } });
  expect(numbers).toEqual([1]);
});

test('a drain ends open streams with not-ready at once, so that their readers go elsewhere', async () => {
  const source = quietHandlers();
  await using server = await serveProbe({ handlers: source.handlers });
  await using client = openProbe([server.target]);
  const beganMs = performance.now();
  const reading = (async () => {
    for await (const { n } of client.call.Count({ upTo: 0 })) if (n === 1) void server.drain();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'not-ready' });
  expect(performance.now() - beganMs).toBeLessThan(30_000);
  expect(source.isOver()).toBe(true);
});

test('a server that dies ends its streams with upstream-unavailable', async () => {
  const server = await serveProbe({ handlers: quietHandlers().handlers });
  await using client = openProbe([server.target]);
  const reading = (async () => {
    for await (const { n } of client.call.Count({ upTo: 0 })) if (n === 1) void server.stop();
  })();
  await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/upstream-unavailable|cancelled/) });
});

test('a stream begins within the client’s deadline or fails; its own deadline ends it', async () => {
  await using nobody = openProbe([`127.0.0.1:${await freePort()}`], { deadlineMs: 100 });
  await expect(nobody.call.Count({ upTo: 1 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'upstream-unavailable' });
  await using server = await serveProbe({ handlers: quietHandlers().handlers });
  await using client = openProbe([server.target]);
  const iterator = client.call.Count({ upTo: 0 }, { deadlineMs: 200 })[Symbol.asyncIterator]();
  await iterator.next();
  await expect(iterator.next()).rejects.toMatchObject({ code: 'deadline-exceeded' });
});
