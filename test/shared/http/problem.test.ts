/** Whatever goes wrong, the client gets one problem+json that says what, and nothing that is none of its business. */
import { connect } from 'node:net';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { CODES } from '../../../shared/kernel/codes.ts';
import type { ErrorCode } from '../../../shared/kernel/codes.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { testApp } from './test-app.ts';

const Quote = Type.Object({
  pickup: Type.Object({ lat: Type.Number({ minimum: -90, maximum: 90 }), lon: Type.Number() }),
  seats: Type.Optional(Type.Integer({ minimum: 1, maximum: 4 })),
  kind: Type.Optional(Type.Union([Type.Literal('solo'), Type.Literal('pooled')])),
  tags: Type.Optional(Type.Array(Type.Object({ id: Type.String({ pattern: '^[0-9]+$' }) }))),
  note: Type.Optional(Type.Union([Type.String({ maxLength: 3 }), Type.Null()])),
});

function quoteApp() {
  const made = testApp();
  made.app.post('/v1/quotes', { schema: { body: Quote } }, async (request) => ({ seats: request.body.seats ?? 1 }));
  made.app.get('/v1/rides/:id', { schema: { params: Type.Object({ id: Type.String({ pattern: '^[0-9]+$' }) }), querystring: Type.Object({ after: Type.Optional(Type.Integer()) }) } }, async (request) => ({
    id: request.params.id,
    after: request.query.after ?? null,
  }));
  return made;
}

const post = (app: ReturnType<typeof quoteApp>['app'], payload: unknown) =>
  app.inject({ method: 'POST', url: '/v1/quotes', headers: { 'content-type': 'application/json' }, payload: payload as string });

test('every bad field of a body is named, with its path and what is wanted', async () => {
  await using made = quoteApp();
  const answer = await post(made.app, { pickup: { lat: 91 }, seats: '2', kind: 'bike', tags: [{ id: '1' }, { id: 'x' }], note: 'long', colour: 'red' });
  expect(answer.statusCode).toBe(400);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const problem = answer.json();
  expect(problem).toMatchObject({ type: 'https://tandem.example/problems/validation-failed', title: CODES['validation-failed'].meaning, status: 400, code: 'validation-failed', instance: '/v1/quotes' });
  const byField = Object.fromEntries(problem.errors.map(({ field, message }: { field: string; message: string }) => [field, message]));
  expect(byField).toEqual({
    'pickup.lat': 'must be <= 90',
    'pickup.lon': 'is required',
    'seats': 'must be integer',
    'kind': 'must be one of "solo", "pooled"',
    'tags.1.id': 'must match pattern "^[0-9]+$"',
    'note': expect.stringContaining('must NOT have more than 3 characters'),
    'colour': 'is not a known field',
  });
});

test('a body is taken as it is, a query is text by nature', async () => {
  await using made = quoteApp();
  expect((await post(made.app, { pickup: { lat: 1, lon: 2 }, seats: 2 })).json()).toEqual({ seats: 2 });
  expect((await post(made.app, { pickup: { lat: 1, lon: '2' } })).json().errors).toEqual([{ field: 'pickup.lon', message: 'must be number' }]);
  expect((await made.app.inject('/v1/rides/7?after=12')).json()).toEqual({ id: '7', after: 12 });
  expect((await made.app.inject('/v1/rides/7?after=x')).json().errors).toEqual([{ field: 'after', message: 'must be integer' }]);
  expect((await made.app.inject('/v1/rides/7?aftr=1')).json().errors).toEqual([{ field: 'aftr', message: 'is not a known field' }]);
  expect((await made.app.inject('/v1/rides/seven')).json().errors).toEqual([{ field: 'id', message: 'must match pattern "^[0-9]+$"' }]);
});

test('nested unknown fields are refused, not dropped', async () => {
  await using made = quoteApp();
  const answer = await post(made.app, { pickup: { lat: 1, lon: 2, alt: 3 }, tags: [{ id: '1', x: 1 }] });
  expect(answer.json().errors.map(({ field }: { field: string }) => field)).toEqual(['pickup.alt', 'tags.0.x']);
});

test('malformed JSON is 400, an empty body too, another type 415, a large one 413', async () => {
  await using made = quoteApp();
  const send = async (headers: Record<string, string>, payload: string) => {
    const answer = await made.app.inject({ method: 'POST', url: '/v1/quotes', headers, payload });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    return { status: answer.statusCode, code: answer.json().code };
  };
  const json = { 'content-type': 'application/json' };
  expect(await send(json, '{"pickup":')).toEqual({ status: 400, code: 'validation-failed' });
  expect(await send(json, '')).toEqual({ status: 400, code: 'validation-failed' });
  expect(await send(json, '{"__proto__":{"x":1}}')).toEqual({ status: 400, code: 'validation-failed' });
  expect(await send({ 'content-type': 'text/plain' }, 'hello')).toEqual({ status: 415, code: 'unsupported-media-type' });
  expect(await send({ 'content-type': 'application/xml' }, '<a/>')).toEqual({ status: 415, code: 'unsupported-media-type' });
  expect(await send(json, JSON.stringify({ pickup: 'x'.repeat(70_000) }))).toEqual({ status: 413, code: 'body-too-large' });
});

test('an unknown path is 404; a known one with another method 405 with Allow', async () => {
  await using made = quoteApp();
  const absent = await made.app.inject('/v1/nothing?access_token=abc');
  expect(absent.json()).toMatchObject({ status: 404, code: 'not-found', instance: '/v1/nothing' });
  const wrong = await made.app.inject({ method: 'DELETE', url: '/v1/rides/7' });
  expect(wrong.json()).toMatchObject({ status: 405, code: 'method-not-allowed' });
  expect(wrong.headers.allow).toBe('GET, HEAD');
  expect((await made.app.inject({ method: 'GET', url: '/v1/quotes' })).headers.allow).toBe('POST');
  expect((await made.app.inject('/v1/rides/%zz')).json()).toMatchObject({ status: 400, code: 'validation-failed' });
});

test('every code of the table becomes its HTTP status; from 500 on, and of the database, nothing of the message or the details is shown', async () => {
  await using made = testApp();
  made.app.get('/fail/:code', async (request) => {
    const { code } = request.params as { code: ErrorCode };
    throw new TandemError(code, `secret-message of ${code}`, { details: { hint: 'secret-detail' }, cause: new Error('secret-cause') });
  });
  for (const [code, { http, meaning }] of Object.entries(CODES)) {
    const answer = await made.app.inject(`/fail/${code}`);
    expect(answer.statusCode, code).toBe(http);
    expect(answer.json()).toMatchObject({ type: `https://tandem.example/problems/${code}`, title: meaning, status: http, code, instance: `/fail/${code}` });
    expect(answer.body).not.toContain('secret-cause');
    if (http >= 500 || code.startsWith('db-')) expect(answer.body, code).not.toContain('secret');
    else expect(answer.json()).toMatchObject({ detail: `secret-message of ${code}`, hint: 'secret-detail' });
  }
});

test('details name the home, the unit and when to come back, in the body and in headers', async () => {
  await using made = testApp();
  made.app.get('/away', async () => {
    throw new TandemError('not-home', 'Unit 7 lives in west.', { details: { home: 'west', unit: 7, epoch: 3 } });
  });
  made.app.get('/busy', async () => {
    throw new TandemError('idempotency-in-flight', 'Still running.', { details: { retryAfterS: 1 } });
  });
  made.app.get('/who', async () => {
    throw new TandemError('unauthenticated', 'Who are you?');
  });
  const away = await made.app.inject('/away');
  expect(away.json()).toMatchObject({ status: 421, home: 'west', unit: 7, epoch: 3 });
  expect(away.headers).toMatchObject({ 'tandem-home': 'west', 'tandem-unit': '7' });
  expect((await made.app.inject('/busy')).headers['retry-after']).toBe('1');
  expect((await made.app.inject('/who')).headers['www-authenticate']).toContain('Bearer');
});

test('an unexpected error is 500 `internal`, says nothing of itself to the client, and all of it to the log', async () => {
  await using made = testApp();
  made.app.get('/boom', async () => {
    throw new Error('connect ECONNREFUSED 10.1.2.3:3306');
  });
  const answer = await made.app.inject('/boom');
  expect(answer.json()).toMatchObject({ status: 500, code: 'internal', detail: expect.stringContaining(String(answer.headers['x-request-id'])) });
  expect(answer.body).not.toContain('ECONNREFUSED');
  expect(made.captured.lines()).toEqual([
    expect.objectContaining({ level: 'error', msg: 'request failed', requestId: answer.headers['x-request-id'], path: '/boom', err: expect.objectContaining({ message: expect.stringContaining('ECONNREFUSED') }) }),
  ]);
});

test('what is not even HTTP gets a problem too, and a closed connection', async () => {
  await using made = testApp();
  const { port } = new URL(await made.serve());
  const talk = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
      socket.on('data', (chunk) => (answer += chunk.toString())).on('close', () => resolve(answer)).on('error', reject);
    });
  const malformed = await talk('NONSENSE\r\n\r\n');
  expect(malformed).toMatch(/^HTTP\/1\.1 400 /);
  expect(malformed).toContain('application/problem+json');
  expect(await talk(`GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
});
