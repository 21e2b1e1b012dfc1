/**
 * The OpenAPI 3.1 document of a server, made from the schemas that validate it, so that the two cannot differ.
 *
 * Invariant: every operation shows its problem answers; those behind requireRole() show that they want a bearer token.
 * It serves the document, not a page for it (docs-page.ts).
 */
import { fastifySwagger } from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import { assert } from '../kernel/assert.ts';
import { isRoleHook } from './auth.ts';
import type { HttpApp } from './http-server.ts';
import { PROBLEM_CONTENT_TYPE, PROBLEM_SCHEMA } from './problem.ts';

export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
}

export const OPENAPI_PATH = '/openapi.json';

/** Before the first route: what is added later is seen, what came earlier is not. */
export function documentRoutes(app: HttpApp, { name, title, version, description, tags = [] }: OpenApiOptions & { readonly name: string }): void {
  app.addSchema(PROBLEM_SCHEMA);
  // Called, not registered: a registered plugin runs at ready(), after the routes of whoever builds the app.
  fastifySwagger(
    app as never,
    {
      openapi: {
        openapi: '3.1.0',
        info: { title, version, ...(description === undefined ? {} : { description }), 'x-service': name } as { title: string; version: string },
        tags: tags.map((tag) => ({ ...tag })),
        components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      },
      refResolver: { buildLocalReference: (schema, _base, _fragment, index) => (typeof schema['$id'] === 'string' ? schema['$id'] : `def-${index}`) },
      transform: ({ schema, url, route }) => ({ schema: documented(schema, route), url }),
    },
    (error) => assert(error === undefined, `OpenAPI cannot be set up: ${String(error)}`),
  );
  let text: string | undefined;
  app.get(OPENAPI_PATH, { schema: { hide: true }, config: { isQuiet: true } }, (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    void reply.header('content-type', 'application/json; charset=utf-8').serializer(String).send(text);
  });
}

const PROBLEM_ANSWER = { description: 'A problem.', content: { [PROBLEM_CONTENT_TYPE]: { schema: { $ref: 'Problem#' } } } };

const SOCKET_ANSWER = { 101: { description: 'The connection speaks WebSocket from here on.', type: 'null' } };

function documented(schema: FastifySchema | undefined, route: Pick<RouteOptions, 'onRequest' | 'preValidation' | 'preHandler' | 'websocket'>): FastifySchema {
  const isGuarded = [route.onRequest, route.preValidation, route.preHandler].flat().some(isRoleHook);
  const isSocket = route.websocket === true;
  const response = { ...(schema?.response as Record<string, unknown> | undefined), ...(isSocket ? SOCKET_ANSWER : {}), default: PROBLEM_ANSWER };
  // The plugin hides its WebSocket routes; whoever writes a client needs them most of all.
  return { ...schema, response, ...(isSocket ? { hide: false } : {}), ...(isGuarded ? { security: [{ bearer: [] }] } : {}) };
}
