/** Log lines say who speaks and in which trace, and keep secrets to themselves. */
import { afterEach, expect, test } from 'vitest';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { currentTrace, inSpan, startTracing } from '../../../shared/telemetry/tracing.ts';
import type { Tracing } from '../../../shared/telemetry/tracing.ts';
import { captureLog } from './captured-log.ts';

let tracing: Tracing | undefined;
afterEach(async () => {
  await tracing?.stop();
  tracing = undefined;
});

test('a line carries service, region, instance and an RFC 3339 time', () => {
  const { log, lines } = captureLog();
  log.info({ rideId: 7n }, 'a ride');
  expect(lines()).toEqual([
    expect.objectContaining({ level: 'info', service: 'test', region: 'east', instance: 'test-east-1', msg: 'a ride', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) }),
  ]);
});

test('tokens, passwords and one-time passwords never appear, at the top, below it or in headers', () => {
  const { log, text } = captureLog();
  const secret = 's3cr3t-value';
  log.info({ password: secret, authorization: secret, otp: secret, token: secret }, 'top');
  log.info({ headers: { authorization: secret, cookie: secret }, body: { otp: secret, access_token: secret } }, 'below');
  log.info({ req: { headers: { authorization: secret } }, err: new TandemError('otp-mismatch', 'no', { details: { otp: secret } }) }, 'deep');
  expect(text()).not.toContain(secret);
  expect(text()).toContain('[redacted]');
});

test('an error keeps its code, its details and its cause', () => {
  const { log, lines } = captureLog();
  log.error({ err: new TandemError('db-failed', 'refused', { cause: new Error('errno 1064'), details: { table: 'rides' } }) }, 'failed');
  expect(lines()[0]!['err']).toMatchObject({ code: 'db-failed', details: { table: 'rides' }, stack: expect.stringContaining('errno 1064') });
});

test('inside of a span a line carries its ids, outside it carries none', async () => {
  tracing = await startTracing({ service: 'test', region: 'east' });
  const { log, lines } = captureLog();
  log.info({}, 'outside');
  const ids = await inSpan('work', {}, async () => {
    await Promise.resolve();
    log.info({}, 'inside');
    return currentTrace();
  });
  expect(lines()[0]).not.toHaveProperty('traceId');
  expect(lines()[1]).toMatchObject({ traceId: ids!.traceId, spanId: ids!.spanId });
});
