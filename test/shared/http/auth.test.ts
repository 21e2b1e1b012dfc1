/** Who gets in: a token of our issuer, for us, of the pinned algorithm, before its expiry, of the right role. */
import { Type } from 'typebox';
import { SignJWT, generateKeyPair, importJWK } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { createKeyPair, createVerifier, requireRole, signToken } from '../../../shared/http/auth.ts';
import type { Jwk } from '../../../shared/http/auth.ts';
import { testApp } from './test-app.ts';

let publicJwk: Jwk;
let privateJwk: Jwk;
let privateKey: Awaited<ReturnType<typeof importJWK>>;
beforeAll(async () => {
  ({ publicJwk, privateJwk } = await createKeyPair());
  privateKey = await importJWK(privateJwk, 'EdDSA');
});

const claims = (alg = 'EdDSA') => new SignJWT({ role: 'rider' }).setProtectedHeader({ alg }).setIssuer('tandem').setAudience('tandem-api').setSubject('42').setIssuedAt().setExpirationTime('1h');
const verify = (token: string) => createVerifier(publicJwk)(`Bearer ${token}`);

test('a token made by signToken names its account, up to the largest 63-bit id, and its role', async () => {
  const accountId = 2n ** 63n - 1n;
  const token = await signToken(privateJwk, { accountId, role: 'driver', ttlS: 60 });
  expect(await verify(token)).toEqual({ accountId, role: 'driver' });
});

test('an operator\'s token says what to call them; a name that is none is refused', async () => {
  const accountId = 7n;
  expect(await verify(await signToken(privateJwk, { accountId, role: 'operator', name: 'ada@ops', ttlS: 60 }))).toEqual({ accountId, role: 'operator', name: 'ada@ops' });
  await expect(verify(await signToken(privateJwk, { accountId, role: 'operator', name: 'ada <script>', ttlS: 60 }))).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('wrong issuer, audience, algorithm, key, role, account, or no expiry: unauthenticated', async () => {
  const other = await generateKeyPair('EdDSA');
  const unsigned = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"42","role":"rider","iss":"tandem","aud":"tandem-api","exp":9999999999}')}.`.replaceAll('=', '');
  const bad: Record<string, string> = {
    issuer: await claims().setIssuer('other').sign(privateKey),
    audience: await claims().setAudience('other').sign(privateKey),
    key: await claims().sign(other.privateKey),
    symmetric: await claims('HS256').sign(Buffer.from(publicJwk.x!, 'base64url')),
    unsigned,
    expired: await claims().setExpirationTime(Math.floor(Date.now() / 1000) - 1).sign(privateKey),
    early: await claims().setNotBefore('1h').sign(privateKey),
    role: await new SignJWT({ role: 'admin' }).setProtectedHeader({ alg: 'EdDSA' }).setIssuer('tandem').setAudience('tandem-api').setSubject('42').setExpirationTime('1h').sign(privateKey),
    endless: await new SignJWT({ role: 'rider' }).setProtectedHeader({ alg: 'EdDSA' }).setIssuer('tandem').setAudience('tandem-api').setSubject('42').sign(privateKey),
    account: await claims().setSubject('0x2a').sign(privateKey),
    negative: await claims().setSubject('-1').sign(privateKey),
    huge: await claims().setSubject(String(2n ** 63n)).sign(privateKey),
    garbage: 'a.b.c',
  };
  for (const [what, token] of Object.entries(bad)) await expect(verify(token), what).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('an answer from the cache ends with its token', async () => {
  let nowMs = Date.now();
  const cached = createVerifier(publicJwk, { nowMs: () => nowMs });
  const header = `Bearer ${await signToken(privateJwk, { accountId: 1n, role: 'rider', ttlS: 60 })}`;
  const first = await cached(header);
  expect(await cached(header)).toBe(first);
  nowMs += 61_000;
  await expect(cached(header)).rejects.toMatchObject({ code: 'unauthenticated' });
});

function guardedApp() {
  const made = testApp({ verifyToken: createVerifier(publicJwk) });
  made.app.post('/v1/rides', { onRequest: requireRole('rider'), schema: { body: Type.Object({ quoteId: Type.String() }) } }, async (request) => ({ by: String(request.caller.accountId) }));
  made.app.get('/v1/both', { preHandler: requireRole('rider', 'operator'), schema: { querystring: Type.Object({}) } }, async (request) => ({ role: request.caller.role }));
  made.app.get('/v1/open', async (request) => ({ role: request.caller.role }));
  return made;
}
const bearer = async (role: 'rider' | 'driver' | 'operator') => `Bearer ${await signToken(privateJwk, { accountId: 42n, role, ttlS: 60 })}`;

test('without a token 401, with the wrong role 403, before the body is looked at', async () => {
  await using made = guardedApp();
  const post = (headers: Record<string, string>, payload: object) => made.app.inject({ method: 'POST', url: '/v1/rides', headers, payload });
  expect((await post({}, {})).json()).toMatchObject({ status: 401, code: 'unauthenticated' });
  expect((await post({ authorization: 'Basic abc' }, {})).statusCode).toBe(401);
  expect((await post({ authorization: await bearer('driver') }, {})).json()).toMatchObject({ status: 403, code: 'forbidden', detail: 'This is for a rider, not for a driver.' });
  expect((await post({ authorization: await bearer('rider') }, {})).statusCode).toBe(400);
  expect((await post({ authorization: await bearer('rider') }, { quoteId: '1' })).json()).toEqual({ by: '42' });
});

test('a route may be for several roles', async () => {
  await using made = guardedApp();
  for (const role of ['rider', 'operator'] as const) {
    expect((await made.app.inject({ url: '/v1/both', headers: { authorization: await bearer(role) } })).json()).toEqual({ role });
  }
});

test('a token in the query counts for an event stream alone', async () => {
  await using made = testApp({ verifyToken: createVerifier(publicJwk) });
  made.app.get('/v1/stream', { onRequest: requireRole('rider'), schema: { querystring: Type.Object({}) } }, async (request) => ({ role: request.caller.role, query: request.query }));
  const url = `/v1/stream?access_token=${(await bearer('rider')).slice('Bearer '.length)}`;
  expect((await made.app.inject(url)).statusCode).toBe(401);
  const answer = await made.app.inject({ url, headers: { accept: 'text/event-stream' } });
  expect([answer.statusCode, answer.json()]).toEqual([200, { role: 'rider', query: {} }]);
});

test('reading the caller on an open route is a programmer’s error', async () => {
  await using made = guardedApp();
  expect((await made.app.inject('/v1/open')).json()).toMatchObject({ status: 500, code: 'internal' });
  expect(made.captured.text()).toContain('without requireRole');
});
