/** A gate before the writes: reads never ask it, and a request that is wrong by itself is told so first. */
import { expect, test } from 'vitest';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { testApp } from './test-app.ts';

test('what the gate refuses reaches no handler; reads, unknown paths and bad bodies are answered as ever', async () => {
  let [asked, handled] = [0, 0];
  const writes = {
    admit: () => {
      asked += 1;
      throw new TandemError('rpo-guard', 'the peer is behind', { details: { retryAfterS: 7 } });
    },
  };
  await using made = testApp({ writes });
  const schema = { body: { type: 'object', required: ['seats'], properties: { seats: { type: 'integer' } } } } as const;
  made.app.post('/rides', { schema }, async () => (handled += 1));
  made.app.get('/rides', async () => ({}));
  const refused = await made.app.inject({ method: 'POST', url: '/rides', payload: { seats: 1 } });
  expect([refused.statusCode, refused.headers['retry-after'], refused.json().code]).toEqual([503, '7', 'rpo-guard']);
  expect([asked, handled]).toEqual([1, 0]);
  expect((await made.app.inject('/rides')).statusCode).toBe(200);
  expect((await made.app.inject({ method: 'POST', url: '/rides', payload: {} })).statusCode).toBe(400);
  expect((await made.app.inject({ method: 'POST', url: '/nowhere', payload: {} })).statusCode).toBe(404);
  expect(asked).toBe(1);
});
