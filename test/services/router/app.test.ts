/** The router as it is built for its process: what it says about itself, problems, ids, docs, and draining. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeHttp, drain, listen } from '../../../shared/http/http-server.ts';
import { createLog } from '../../../shared/telemetry/log.ts';
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import { buildRouter } from '../../../services/router/app.ts';
import type { Router } from '../../../services/router/app.ts';
import { readRouterConfig } from '../../../services/router/config.ts';
import { PEER, Upstreams } from '../../../services/router/proxy/upstreams.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { until } from '../../shared/until.ts';
import { FakeUpstream, json } from './fake-upstream.ts';
import { REGIONS } from './twin-doors.ts';

describe('the router app', () => {
  let fakes: Record<'dispatch' | 'location' | 'payment', FakeUpstream>;
  let upstreams: Upstreams;
  let router: Router;
  let url: string;

  beforeEach(async () => {
    fakes = { dispatch: await start('dispatch'), location: await start('location'), payment: await start('payment') };
    const hostPortsOf = new Map(Object.entries(fakes).map(([name, fake]) => [name, [fake.hostPort]]));
    upstreams = new Upstreams({ hostPortsOf: hostPortsOf.set(PEER, ['127.0.0.1:9']), log: SILENT_LOG, nowMs: () => performance.now() });
    const labels = { service: 'router', region: 'east', instance: 'router-east' };
    router = buildRouter({
      region: 'east', regions: REGIONS, upstreams, nowMs: () => performance.now(), homeOfUnit: () => 'east',
      verifyToken: async () => ({ accountId: 42n, role: 'driver' }),
      log: createLog({ name: 'router', level: 'silent', ...labels }), metrics: createMetrics(labels),
    });
    await upstreams.start();
    url = `http://127.0.0.1:${(await listen(router.app, { host: '127.0.0.1', port: 0 })).port}`;
  });

  afterEach(async () => {
    await closeHttp(router.app);
    await upstreams.stop();
    await Promise.all(Object.values(fakes).map((fake) => fake.kill()));
  });

  it('says what it is, and is ready while every service has a healthy instance', async () => {
    expect(await (await fetch(url)).json()).toMatchObject({ name: 'tandem', region: 'east', docs: '/docs' });
    // On a busy machine the first probe may miss its 300 ms.
    await until('the router is ready', 5_000, async () => (await fetch(`${url}/health/ready`, { method: 'HEAD' })).status === 200);
    await fakes.payment.kill();
    await until('the router is not ready', 5_000, async () => (await fetch(`${url}/health/ready`)).status === 503);
    expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({ reasons: [expect.stringContaining('payment')] });
  });

  it('passes bodies of any type as they are, with the request id it answers with', async () => {
    fakes.dispatch.answer = (request, response) => json(response, 200, request, { 'x-request-id': String(request.headers['x-request-id']) });
    const answer = await fetch(`${url}/v1/quotes`, { method: 'POST', body: '{"not json', headers: { 'content-type': 'application/json' } });
    expect(await answer.json()).toMatchObject({ body: '{"not json', headers: { 'content-type': 'application/json' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
    const bare = await fetch(`${url}/v1/rides/7/cancel`, { method: 'POST' });
    expect(await bare.json()).toMatchObject({ body: '', headers: { 'content-length': '0' } });
  });

  it('an offer of h2c, as HTTP clients make it with plain requests, is passed over and the request answered', async () => {
    fakes.dispatch.answer = (request, response) => json(response, 201, request, {});
    for (const path of ['/v1/quotes', '/openapi.json']) {
      const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' };
      const asked = request(url + path, { method: path === '/v1/quotes' ? 'POST' : 'GET', headers, agent: false });
      asked.end('{}');
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(path === '/v1/quotes' ? 201 : 200);
      answer.resume();
    }
  });

  it('its own refusals are problems', async () => {
    const unknown = await fetch(`${url}/v1/nothing`);
    expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    const wrong = await fetch(`${url}/v1/quotes`, { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    await fakes.dispatch.kill();
    const gone = await fetch(`${url}/v1/quotes`, { method: 'POST', body: '{}' });
    expect([gone.status, gone.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await gone.json()).toMatchObject({ type: 'https://tandem.example/problems/upstream-unavailable', code: 'upstream-unavailable' });
  });

  it('joins the API documents, names what is missing, and serves a page for them that needs no other host', async () => {
    for (const [name, fake] of Object.entries(fakes)) {
      fake.answer = (_request, response) => json(response, name === 'payment' ? 500 : 200, { paths: { [`/v1/${name}`]: {} } });
    }
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as Record<string, object>;
    expect(document).toMatchObject({ 'openapi': '3.1.0', 'x-tandem-missing': ['payment'] });
    expect(Object.keys(document['paths']!)).toEqual(['/v1/dispatch', '/v1/location']);
    const page = await (await fetch(`${url}/docs`)).text();
    expect(page).toContain('/docs/swagger-ui-bundle.js');
    expect(page).not.toMatch(/https?:\/\/(?!127)/);
    expect((await fetch(`${url}/docs/swagger-ui-bundle.js`)).status).toBe(200);
  });

  it('counts requests for the SLA, and shows every instance', async () => {
    await fetch(`${url}/v1/rides/7`);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(/tandem_router_requests_total\{[^}]*source="client"[^}]*\} 1/);
    for (const label of ['answered_by="local"', 'outcome="ok"', 'route="ride-read"', 'service="router"']) expect(text).toContain(label);
    expect(text).toContain(`target="dispatch@${fakes.dispatch.hostPort}"`);
  });

  it('draining ends open streams cleanly and closes connections after their answer', async () => {
    fakes.dispatch.answer = (request, response) => {
      if (!request.url.endsWith('/events')) return json(response, 200, {});
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('id: 1\ndata: {}\n\n');
    };
    const stream = await fetch(`${url}/v1/rides/7/events`);
    await until('the stream is open', 2_000, () => router.streams.count('sse') === 1);
    drain(router.app);
    expect(await stream.text()).toBe('id: 1\ndata: {}\n\n');
    expect((await fetch(`${url}/v1/rides/7`)).headers.get('connection')).toBe('close');
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    const closed = once(router.app.server, 'close');
    await closeHttp(router.app);
    await closed;
  });
});

describe('the router configuration', () => {
  it('lists every bad key at once, and a service without instances', () => {
    expect(() => readRouterConfig({})).toThrow(/TANDEM_UPSTREAMS[\s\S]*TANDEM_PEER_ROUTER/);
    const jwk = Buffer.from(JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: 'x' })).toString('base64url');
    const env = {
      TANDEM_REGION: 'east', TANDEM_REGIONS: 'east=1,west=2', TANDEM_INSTANCE: 'router-east', TANDEM_HTTP_PORT: '1', TANDEM_ETCD: 'a:1',
      TANDEM_JWT_PUBLIC_KEY: jwk, TANDEM_PEER_ROUTER: 'http://127.0.0.1:2', TANDEM_UPSTREAMS: 'dispatch=127.0.0.1:3',
    };
    expect(() => readRouterConfig(env)).toThrow('got none for location, payment');
    expect(readRouterConfig({ ...env, TANDEM_UPSTREAMS: 'dispatch=a:1;location=a:2;payment=a:3' }).upstreams.size).toBe(3);
  });
});

function start(name: string): Promise<FakeUpstream> {
  return new FakeUpstream(name).start();
}
