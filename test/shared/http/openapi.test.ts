/** The OpenAPI document says what the server does: schemas, who may, and how problems look. */
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { requireRole } from '../../../shared/http/auth.ts';
import { addDocsPage } from '../../../shared/http/docs-page.ts';
import { acceptWebSockets } from '../../../shared/http/web-socket.ts';
import { testApp } from './test-app.ts';

function documentedApp() {
  const made = testApp({ openapi: { title: 'Tandem test', version: '1.2.3', tags: [{ name: 'riding', description: 'For riders.' }] } });
  const Ride = Type.Object({ id: Type.String() });
  made.app.post(
    '/v1/rides/:id/cancel',
    { onRequest: requireRole('rider'), schema: { tags: ['riding'], summary: 'Cancel', params: Type.Object({ id: Type.String() }), body: Type.Object({ reason: Type.Optional(Type.String()) }), response: { 200: Ride } } },
    async (request) => ({ id: request.params.id }),
  );
  made.app.get('/v1/zones', { schema: { response: { 200: Type.Array(Type.String()) } } }, async () => []);
  return made;
}

test('it is OpenAPI 3.1 with every public operation, and no others', async () => {
  await using made = documentedApp();
  const answer = await made.app.inject('/openapi.json');
  expect(answer.headers['content-type']).toContain('application/json');
  const document = answer.json();
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Tandem test', version: '1.2.3' }, tags: [{ name: 'riding' }] });
  expect(Object.keys(document.paths)).toEqual(['/v1/rides/{id}/cancel', '/v1/zones']);
});

test('a WebSocket is in the document: who writes a client looks for it there', async () => {
  await using made = documentedApp();
  acceptWebSockets(made.app);
  made.app.get('/v1/stream', { websocket: true, onRequest: requireRole('driver'), schema: { summary: 'Frames' } }, () => {});
  const { paths } = (await made.app.inject('/openapi.json')).json();
  expect(paths['/v1/stream'].get).toMatchObject({ summary: 'Frames', security: [{ bearer: [] }], responses: { 101: {}, default: {} } });
});

test('operations behind requireRole want a bearer token, others do not; all show the problem', async () => {
  await using made = documentedApp();
  const { paths, components } = (await made.app.inject('/openapi.json')).json();
  expect(components.securitySchemes.bearer).toEqual({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
  const cancel = paths['/v1/rides/{id}/cancel'].post;
  expect(cancel.security).toEqual([{ bearer: [] }]);
  expect(paths['/v1/zones'].get.security).toBeUndefined();
  expect(cancel.responses.default.content['application/problem+json'].schema).toEqual({ $ref: '#/components/schemas/Problem' });
  expect(components.schemas.Problem.required).toContain('code');
  expect(cancel.requestBody.content['application/json'].schema.additionalProperties).toBe(false);
});

test('the docs page loads nothing from elsewhere and finds its files', async () => {
  await using made = documentedApp();
  addDocsPage(made.app, { title: 'Tandem <docs>' });
  const page = await made.app.inject('/docs');
  expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  expect(page.body).toContain('<title>Tandem &lt;docs></title>');
  for (const [, path] of page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)) expect((await made.app.inject(path!)).statusCode, path).toBe(200);
});
