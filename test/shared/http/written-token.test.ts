/** The Tandem-Token of a write stands above all that was stamped before its answer left. */
import { expect, test } from 'vitest';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { testApp } from './test-app.ts';

test('a write is answered with a version read after its work; reads and refusals carry none', async () => {
  let version = 0n;
  const clock = { now: () => (version += 1n) };
  await using made = testApp({ clock });
  let stamped = 0n;
  made.app.post('/rides', async () => {
    stamped = clock.now();
    return {};
  });
  made.app.get('/rides', async () => ({}));
  made.app.post('/refused', async () => {
    throw new TandemError('conflict', 'not now');
  });
  const token = (await made.app.inject({ method: 'POST', url: '/rides' })).headers['tandem-token'];
  expect(token).toMatch(/^[1-9][0-9]*$/);
  expect(BigInt(String(token))).toBeGreaterThan(stamped);
  expect((await made.app.inject('/rides')).headers).not.toHaveProperty('tandem-token');
  expect((await made.app.inject({ method: 'POST', url: '/refused' })).headers).not.toHaveProperty('tandem-token');
});
