/** What a killed supervisor leaves behind is known by its environment, so a server must not write over that. */
import { expect, test } from 'vitest';
import { environOf } from '../../deploy/local/supervisor/proc.ts';
import { startRedis } from '../harness/redis.ts';

test('a running Redis still shows the environment it was started with', async () => {
  await using redis = await startRedis();
  expect(environOf(redis.pid).get('PATH')).toBe(process.env['PATH']);
});
