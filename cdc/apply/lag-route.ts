/** GET /lag: the samples behind the lag figures, for the exporter and for `up`'s summary. */
import { Type } from 'typebox';
import type { buildHttp } from '../../shared/http/http-server.ts';
import type { LagRing } from './lag.ts';

const LagQuery = Type.Object({ sinceMs: Type.Optional(Type.Integer({ minimum: 0 })) });
const LagAnswer = Type.Object({
  samples: Type.Array(Type.Object({ atMs: Type.Number(), lagMs: Type.Number(), partition: Type.Integer() })),
});

/** `?sinceMs=` ms since 1970, 0 by default; at most the last ten minutes. */
export function addLagRoute(http: ReturnType<typeof buildHttp>, lag: () => LagRing): void {
  http.get('/lag', { schema: { querystring: LagQuery, response: { 200: LagAnswer } } }, (request) => ({
    samples: [...lag().since(request.query.sinceMs ?? 0)],
  }));
}
