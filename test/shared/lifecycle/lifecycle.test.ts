/** Parts start in order, drain and stop in reverse, each exactly as often as it should, and stop() always ends. */
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DRAIN_BUDGET_MS, Lifecycle, START_DEADLINE_MS, STOP_DEADLINE_MS } from '../../../shared/lifecycle/lifecycle.ts';
import type { Part } from '../../../shared/lifecycle/lifecycle.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const noop = (): void => {};
const hang = (): Promise<never> => new Promise(() => {});

/** A part that writes down what happens to it. */
function recorded(name: string, said: string[], overrides: Partial<Part> = {}): Part {
  const say = (step: string) => async (): Promise<void> => void said.push(`${name} ${step}`);
  return { name, start: say('start'), drain: say('drain'), stop: say('stop'), ...overrides };
}

test('start in order; drain all in reverse, then stop all in reverse', async () => {
  const said: string[] = [];
  const life = new Lifecycle();
  for (const name of ['db', 'rpc', 'http']) life.add(recorded(name, said));
  await life.start();
  await life.stop();
  expect(said).toEqual([
    'db start', 'rpc start', 'http start', 'http drain', 'rpc drain', 'db drain', 'http stop', 'rpc stop', 'db stop',
  ]);
});

test('a failed start stops what had started, and what was opened without a start, and throws the reason', async () => {
  const said: string[] = [];
  const life = new Lifecycle();
  const failure = new Error('port taken');
  life.add(recorded('opened', said, { start: undefined }));
  life.add(recorded('db', said));
  life.add(recorded('http', said, { start: () => Promise.reject(failure) }));
  life.add(recorded('late', said));
  await expect(life.start()).rejects.toBe(failure);
  expect(said).toEqual(['db start', 'db drain', 'opened drain', 'db stop', 'opened stop']);
});

test('where the composition fails before the start, only what was opened is stopped', async () => {
  const said: string[] = [];
  const life = new Lifecycle();
  life.add(recorded('opened', said, { start: undefined }));
  life.add(recorded('db', said));
  await life.stop();
  expect(said).toEqual(['opened drain', 'opened stop']);
});

test('a part that fails or hangs at the end does not keep the others from ending', async () => {
  const said: string[] = [];
  const errors: string[] = [];
  const log = { debug: noop, info: noop, warn: noop, fatal: noop, error: (_: object, message: string): void => void errors.push(message) };
  const life = new Lifecycle({ log });
  life.add(recorded('db', said));
  life.add(recorded('stuck', said, { stop: hang }));
  life.add(recorded('broken', said, { drain: () => Promise.reject(new Error('no')) }));
  await life.start();
  const stopped = expect(life.stop()).rejects.toThrow('did not stop cleanly: broken (drain), stuck (stop)');
  await vi.advanceTimersByTimeAsync(STOP_DEADLINE_MS);
  await stopped;
  expect(said.slice(3)).toEqual(['stuck drain', 'db drain', 'broken stop', 'db stop']);
  expect(errors).toEqual(['broken failed to drain', 'stuck failed to stop']);
});

test('all drains share one budget; a part may ask for less', async () => {
  const life = new Lifecycle();
  const stoppedAtMs: Record<string, number> = {};
  const beganMs = performance.now();
  const noteStop = (name: string) => async (): Promise<void> => void (stoppedAtMs[name] = performance.now() - beganMs);
  for (const name of ['a', 'b', 'c']) life.add({ name, drain: hang, stop: noteStop(name) });
  life.add({ name: 'brief', drain: hang, drainDeadlineMs: 100 });
  const stopped = expect(life.stop()).rejects.toThrow('brief (drain), c (drain), b (drain), a (drain)');
  await vi.advanceTimersByTimeAsync(DRAIN_BUDGET_MS + 10);
  await stopped;
  for (const name of ['a', 'b', 'c']) expect(stoppedAtMs[name]).toBeLessThanOrEqual(DRAIN_BUDGET_MS + 10);
});

test('a start that hangs fails at its deadline', async () => {
  const life = new Lifecycle();
  life.add({ name: 'kafka', start: hang });
  const started = expect(life.start()).rejects.toEqual(expect.toSatisfy((e) => isTandemError(e, 'deadline-exceeded')));
  await vi.advanceTimersByTimeAsync(START_DEADLINE_MS);
  await started;
});

test('a stop during the start lets the part in hand finish, starts no more, and stops what runs', async () => {
  const said: string[] = [];
  const life = new Lifecycle();
  const slow = Promise.withResolvers<void>();
  life.add(recorded('slow', said, { start: () => slow.promise }));
  life.add(recorded('next', said));
  const started = expect(life.start()).rejects.toEqual(expect.toSatisfy((e) => isTandemError(e, 'not-ready')));
  const stopped = life.stop();
  await setImmediate();
  expect(said).toEqual([]);
  slow.resolve();
  await Promise.all([started, stopped]);
  expect(said).toEqual(['slow drain', 'slow stop']);
});

test('stopping twice stops once', async () => {
  const said: string[] = [];
  const life = new Lifecycle();
  life.add(recorded('db', said));
  await life.start();
  await Promise.all([life.stop(), life.stop()]);
  await life.stop();
  expect(said).toEqual(['db start', 'db drain', 'db stop']);
});

test('parts are added before the start', async () => {
  const life = new Lifecycle();
  await life.start();
  expect(() => life.add({ name: 'late' })).toThrow('part late added after the start');
});
