/** What probes see, also while something hangs, and how a server leaves. */
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { closeHttp, drain, httpPart, listen } from '../../../shared/http/http-server.ts';
import { READY_DEADLINE_MS } from '../../../shared/http/health.ts';
import { until } from '../until.ts';
import { testApp } from './test-app.ts';

function get(url: string, options: { agent?: Agent; method?: string } = {}): Promise<IncomingMessage & { text: string }> {
  return new Promise((resolve, reject) => {
    request(url, options, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk))).on('end', () => resolve(Object.assign(response, { text })));
    })
      .on('error', reject)
      .end();
  });
}

test('ready says 200, or 503 with a reason for each check that fails; HEAD answers alike without a body', async () => {
  let isDown = false;
  await using made = testApp({
    checks: {
      mysql: async () => {
        if (isDown) throw new Error('connection refused');
      },
      redis: async () => undefined,
    },
  });
  const url = await made.serve();
  expect(JSON.parse((await get(`${url}/health/ready`)).text)).toEqual({ status: 'ready' });
  isDown = true;
  const unready = await get(`${url}/health/ready`);
  expect([unready.statusCode, JSON.parse(unready.text)]).toEqual([503, { status: 'not-ready', reasons: ['mysql: connection refused'] }]);
  const head = await get(`${url}/health/ready`, { method: 'HEAD' });
  expect([head.statusCode, head.text]).toEqual([503, '']);
  expect((await get(`${url}/health/live`, { method: 'HEAD' })).statusCode).toBe(200);
});

test('a check that hangs is told as such within the deadline, however many probe', async () => {
  let checks = 0;
  await using made = testApp({
    checks: {
      etcd: () => {
        checks += 1;
        return new Promise(() => undefined);
      },
    },
  });
  const url = await made.serve();
  const beganMs = performance.now();
  const answers = await Promise.all(Array.from({ length: 10 }, () => get(`${url}/health/ready`)));
  expect(performance.now() - beganMs).toBeLessThan(READY_DEADLINE_MS + 500);
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(503));
  expect(JSON.parse(answers[0]!.text).reasons).toEqual([`etcd: check of etcd took longer than ${READY_DEADLINE_MS} ms`]);
  expect(checks).toBeLessThan(10);
});

test('/metrics is Prometheus text', async () => {
  await using made = testApp();
  const answer = await made.app.inject('/metrics');
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(answer.body).toContain('process_resident_memory_bytes');
});

test('while draining: not ready, kept-alive connections are told to close, requests in hand are answered', async () => {
  await using made = testApp();
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  made.app.get('/slow', async () => {
    begun.resolve();
    await finish.promise;
    return { done: true };
  });
  const url = await made.serve();
  const agent = new Agent({ keepAlive: true });
  expect((await get(`${url}/health/live`, { agent })).headers.connection).toBe('keep-alive');
  const slow = get(`${url}/slow`, { agent });
  await begun.promise;
  drain(made.app);
  const ready = await get(`${url}/health/ready`, { agent });
  expect([ready.statusCode, ready.headers.connection, JSON.parse(ready.text).reasons]).toEqual([503, 'close', ['draining']]);
  const closing = closeHttp(made.app);
  finish.resolve();
  expect(JSON.parse((await slow).text)).toEqual({ done: true });
  await closing;
  await expect(get(`${url}/health/live`)).rejects.toThrow('ECONNREFUSED');
  agent.destroy();
});

test('as a part of a lifecycle it drains until the last answer, and stop cuts one that never comes', async () => {
  await using made = testApp();
  const begun = Promise.withResolvers<void>();
  made.app.get('/never', () => {
    begun.resolve();
    return new Promise(() => undefined);
  });
  const part = httpPart(made.app, { host: '127.0.0.1', port: 0 });
  await part.start();
  const { port } = made.app.server.address() as { port: number };
  const never = get(`http://127.0.0.1:${port}/never`).then(() => 'answered', (error: Error) => error.message);
  await begun.promise;
  let isDrained = false;
  void part.drain().then(() => (isDrained = true));
  await part.stop();
  expect(await never).toBe('socket hang up');
  await until('the drain ends with the last connection', 1_000, () => isDrained);
});

test('a taken port is told as port-taken', async () => {
  await using first = testApp();
  await using second = testApp();
  const { port } = new URL(await first.serve());
  await expect(listen(second.app, { host: '127.0.0.1', port: Number(port) })).rejects.toMatchObject({ code: 'port-taken', details: { port: Number(port) } });
});
