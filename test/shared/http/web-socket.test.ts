/** WebSockets go through the same door as requests, and are told when the server leaves. */
import { Type } from 'typebox';
import { beforeAll, expect, test } from 'vitest';
import { WebSocket as Client } from 'ws';
import { createKeyPair, createVerifier, requireRole, signToken } from '../../../shared/http/auth.ts';
import type { Jwk } from '../../../shared/http/auth.ts';
import { drain } from '../../../shared/http/http-server.ts';
import { FRAME_BYTES_MAX, acceptWebSockets } from '../../../shared/http/web-socket.ts';
import { until } from '../until.ts';
import { testApp } from './test-app.ts';

let publicJwk: Jwk;
let token: string;
beforeAll(async () => {
  const pair = await createKeyPair();
  publicJwk = pair.publicJwk;
  token = await signToken(pair.privateJwk, { accountId: 7n, role: 'driver', ttlS: 60 });
});

async function echoApp() {
  const made = testApp({ verifyToken: createVerifier(publicJwk) });
  acceptWebSockets(made.app);
  const querystring = Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })) });
  made.app.get('/stream', { websocket: true, onRequest: requireRole('driver'), schema: { querystring } }, (socket, request) => {
    socket.send(JSON.stringify({ driver: String(request.caller.accountId), query: request.query }));
    socket.on('message', (data) => socket.send(String(data)));
  });
  const url = (await made.serve()).replace('http', 'ws');
  return { ...made, url, [Symbol.asyncDispose]: made[Symbol.asyncDispose] };
}

interface Connected {
  readonly client: Client;
  readonly messages: string[];
  readonly closed: Promise<number>;
}

function open(url: string, headers: Record<string, string> = {}): Connected {
  const client = new Client(url, { headers });
  const messages: string[] = [];
  client.on('message', (data) => void messages.push(String(data)));
  const closed = new Promise<number>((resolve) => client.on('close', (code) => resolve(code)));
  client.on('error', () => undefined);
  return { client, messages, closed };
}

function refusal(url: string, headers: Record<string, string> = {}): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const client = new Client(url, { headers });
    client.on('open', () => reject(new Error('it was let in')));
    client.on('error', () => undefined);
    client.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => (body += String(chunk))).on('end', () => resolve({ status: response.statusCode, body }));
    });
  });
}

test('a token in the header or, for browsers, in the query opens the socket; the query keeps no token', async () => {
  await using made = await echoApp();
  for (const socket of [open(`${made.url}/stream?after=5`, { authorization: `Bearer ${token}` }), open(`${made.url}/stream?after=5&access_token=${token}`)]) {
    await until('it is greeted', 2_000, () => socket.messages.length === 1);
    expect(JSON.parse(socket.messages[0]!)).toEqual({ driver: '7', query: { after: 5 } });
    socket.client.send('hello');
    await until('it is echoed', 2_000, () => socket.messages[1] === 'hello');
    socket.client.close();
    await socket.closed;
  }
  expect(made.captured.text()).not.toContain(token);
});

test('who may not, or asks wrongly, gets a problem instead of an upgrade', async () => {
  await using made = await echoApp();
  const anonymous = await refusal(`${made.url}/stream`);
  expect([anonymous.status, JSON.parse(anonymous.body).code]).toEqual([401, 'unauthenticated']);
  const malformed = await refusal(`${made.url}/stream?after=x`, { authorization: `Bearer ${token}` });
  expect([malformed.status, JSON.parse(malformed.body).errors[0].field]).toEqual([400, 'after']);
  expect((await refusal(`${made.url}/nowhere`)).status).toBe(404);
});

test('a plain request is told to upgrade', async () => {
  await using made = await echoApp();
  const answer = await fetch(`${made.url.replace('ws', 'http')}/stream`);
  expect([answer.status, answer.headers.get('upgrade')]).toEqual([426, 'websocket']);
  expect(await answer.json()).toMatchObject({ code: 'upgrade-required' });
});

test('a handshake that is not one is a problem that names its headers', async () => {
  await using made = await echoApp();
  const answer = await made.app.inject({ url: '/stream', headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '7', 'sec-websocket-key': 'x' } });
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([400, 'application/problem+json']);
  expect(answer.json().errors).toMatchObject([{ field: 'sec-websocket-version' }, { field: 'sec-websocket-key' }]);
});

test('a frame over the limit closes its socket with 1009', async () => {
  await using made = await echoApp();
  const socket = open(`${made.url}/stream`, { authorization: `Bearer ${token}` });
  await until('it is open', 2_000, () => socket.messages.length === 1);
  socket.client.send('x'.repeat(FRAME_BYTES_MAX));
  await until('the largest frame passes', 2_000, () => socket.messages.length === 2);
  socket.client.send('x'.repeat(FRAME_BYTES_MAX + 1));
  expect(await socket.closed).toBe(1009);
  // Else whoever holds a token could fill the error log, and wake somebody up.
  const told = made.captured.text().split('\n').filter((line) => line.includes('Max payload size exceeded'));
  expect(told.map((line) => JSON.parse(line).level)).toEqual(['debug']);
});

test('on drain each socket is closed with 1012; a request in flight counts until its socket is gone', async () => {
  await using made = await echoApp();
  const socket = open(`${made.url}/stream`, { authorization: `Bearer ${token}` });
  await until('it is open', 2_000, () => socket.messages.length === 1);
  expect(await made.metrics.expose()).toMatch(/^http_streams_open\{kind="socket",.*\} 1$/m);
  expect(made.app.tandem.requestsInFlight).toBe(1);
  drain(made.app);
  expect(await socket.closed).toBe(1012);
  await until('nothing is in flight', 2_000, () => made.app.tandem.requestsInFlight === 0);
  expect(await made.metrics.expose()).toMatch(/^http_requests_total\{method="GET",route="\/stream",status="101",.*\} 1$/m);
});
