/**
 * GET /openapi.json of a region: the joined document of its services.
 *
 * Invariant: a document with a part missing says so and is asked for again soon; it never replaces an answer by an error.
 */
import type { HttpApp } from '../../../shared/http/http-server.ts';
import { OPENAPI_PATH } from '../../../shared/http/openapi.ts';
import { mergeOpenApi } from '../domain/open-api.ts';
import type { OpenApiInfo, OpenApiPart } from '../domain/open-api.ts';
import { SERVICES } from '../domain/route-table.ts';
import type { Upstreams } from '../proxy/upstreams.ts';

const INFO: OpenApiInfo = {
  title: 'Tandem',
  version: '1',
  description: 'The rider and driver API of a carpool backend that lives in two regions. Ids are decimal strings, times RFC 3339 UTC, '
    + 'money is {amountCents, currency}, errors are RFC 9457 problems. `./tandem token --rider 42` prints a token.',
};
/** A service changes its document only by being started anew. */
export const DOCUMENT_FRESH_MS = 60_000;
const INCOMPLETE_FRESH_MS = 2_000;
const FETCH_DEADLINE_MS = 1_500;

export function addOpenApiRoute(app: HttpApp, deps: { upstreams: Upstreams; nowMs: () => number }): void {
  let cached: { text: string; untilMs: number } | undefined;
  app.get(OPENAPI_PATH, { config: { isQuiet: true } }, async (_request, reply) => {
    if (cached === undefined || deps.nowMs() >= cached.untilMs) {
      const parts = await fetchParts(deps.upstreams);
      const isWhole = parts.every((part) => part.document !== undefined);
      cached = { text: JSON.stringify(mergeOpenApi(INFO, parts)), untilMs: deps.nowMs() + (isWhole ? DOCUMENT_FRESH_MS : INCOMPLETE_FRESH_MS) };
    }
    return reply.header('content-type', 'application/json; charset=utf-8').serializer(String).send(cached.text);
  });
}

async function fetchParts(upstreams: Upstreams): Promise<OpenApiPart[]> {
  return Promise.all(SERVICES.map(async (service) => {
    try {
      const upstream = upstreams.pick(service, { panic: 'try-anyway' });
      return { service, document: JSON.parse((await upstream?.fetchText(OPENAPI_PATH, FETCH_DEADLINE_MS)) ?? '') as unknown };
    } catch {
      // The document says which part is missing; a page about the others is better than none.
      return { service, document: undefined };
    }
  }));
}
