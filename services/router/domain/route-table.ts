/**
 * The routes of the public API: which service answers, where the unit is read from, and what may be done when a call fails.
 *
 * Invariant: every route of the API stands in this table; a path that is not here is answered 404 by the router and never
 * reaches a service. It does not validate bodies or tokens: the services do.
 */

export const SERVICES = ['dispatch', 'location', 'payment'] as const;
export type ServiceName = (typeof SERVICES)[number];

/**
 * Where a request's unit comes from: the zone of the body's pick-up, the caller's account, the ride named in the path, or
 * the quote named in the body.
 */
export type UnitSource = 'pickup' | 'caller' | 'ride' | 'quote';

export interface Route {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly pattern: string;
  readonly service: ServiceName;
  readonly unitFrom: UnitSource;
  /** Changes nothing, so it may be sent twice. */
  readonly safe: boolean;
  /** Takes an Idempotency-Key: with one it may be sent twice. */
  readonly keyed: boolean;
  /** Moves money: answered by this region or not at all. */
  readonly money: boolean;
  readonly stream: 'none' | 'sse' | 'websocket';
  /** Which region is asked first. A plain read is good anywhere; a write, or a live stream, belongs at the unit's home. */
  readonly prefers: 'home' | 'local';
}

const WRITE = { safe: false, keyed: false, money: false, stream: 'none', prefers: 'home' } as const;
const READ = { safe: true, keyed: false, money: false, stream: 'none', prefers: 'local' } as const;

export const ROUTES: readonly Route[] = [
  { ...WRITE, name: 'quote', method: 'POST', pattern: '/v1/quotes', service: 'dispatch', unitFrom: 'pickup', keyed: true },
  { ...WRITE, name: 'ride', method: 'POST', pattern: '/v1/rides', service: 'dispatch', unitFrom: 'quote', keyed: true },
  { ...READ, name: 'ride-read', method: 'GET', pattern: '/v1/rides/{id}', service: 'dispatch', unitFrom: 'ride' },
  { ...READ, name: 'ride-events', method: 'GET', pattern: '/v1/rides/{id}/events', service: 'dispatch', unitFrom: 'ride', stream: 'sse', prefers: 'home' },
  { ...WRITE, name: 'ride-cancel', method: 'POST', pattern: '/v1/rides/{id}/cancel', service: 'dispatch', unitFrom: 'ride', keyed: true },
  { ...WRITE, name: 'ride-rating', method: 'POST', pattern: '/v1/rides/{id}/rating', service: 'dispatch', unitFrom: 'ride', keyed: true },
  { ...WRITE, name: 'ride-tip', method: 'POST', pattern: '/v1/rides/{id}/tip', service: 'payment', unitFrom: 'caller', keyed: true, money: true },
  { ...WRITE, name: 'ride-payment', method: 'POST', pattern: '/v1/rides/{id}/payments', service: 'payment', unitFrom: 'caller', keyed: true, money: true },
  { ...READ, name: 'ride-receipt', method: 'GET', pattern: '/v1/rides/{id}/receipt', service: 'payment', unitFrom: 'caller' },
  { ...WRITE, name: 'driver-shift', method: 'PUT', pattern: '/v1/driver/shift', service: 'dispatch', unitFrom: 'caller', keyed: true },
  { ...READ, name: 'driver-stream', method: 'GET', pattern: '/v1/driver/stream', service: 'location', unitFrom: 'caller', stream: 'websocket', prefers: 'home' },
  { ...WRITE, name: 'offer-accept', method: 'POST', pattern: '/v1/driver/offers/{id}/accept', service: 'dispatch', unitFrom: 'caller', keyed: true },
  { ...WRITE, name: 'offer-decline', method: 'POST', pattern: '/v1/driver/offers/{id}/decline', service: 'dispatch', unitFrom: 'caller', keyed: true },
  { ...WRITE, name: 'stop-arrive', method: 'POST', pattern: '/v1/driver/stops/{id}/arrive', service: 'dispatch', unitFrom: 'caller', keyed: true },
  { ...WRITE, name: 'stop-board', method: 'POST', pattern: '/v1/driver/stops/{id}/board', service: 'dispatch', unitFrom: 'caller', keyed: true },
  { ...WRITE, name: 'stop-alight', method: 'POST', pattern: '/v1/driver/stops/{id}/alight', service: 'dispatch', unitFrom: 'caller', keyed: true },
];

export type RouteMatch =
  | { readonly kind: 'route'; readonly route: Route; readonly id: string | undefined }
  | { readonly kind: 'wrong-method'; readonly allow: readonly string[] }
  | { readonly kind: 'unknown' };

interface Compiled {
  readonly route: Route;
  readonly segments: readonly string[];
}

const COMPILED: readonly Compiled[] = ROUTES.map((route) => ({ route, segments: route.pattern.split('/') }));

/** Finds the route of a path without its query. HEAD matches GET. */
export function matchRoute(method: string, path: string): RouteMatch {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const segments = path.split('/');
  const allow: string[] = [];
  for (const { route, segments: pattern } of COMPILED) {
    const id = matchSegments(pattern, segments);
    if (id === null) continue;
    if (route.method === wanted) return { kind: 'route', route, id };
    allow.push(route.method);
  }
  return allow.length > 0 ? { kind: 'wrong-method', allow } : { kind: 'unknown' };
}

/** The value of `{id}`, undefined for a pattern without one, null where the path does not match. */
function matchSegments(pattern: readonly string[], segments: readonly string[]): string | undefined | null {
  if (pattern.length !== segments.length) return null;
  let id: string | undefined;
  for (const [i, expected] of pattern.entries()) {
    const actual = segments[i] as string;
    if (expected === '{id}' && actual !== '') id = actual;
    else if (expected !== actual) return null;
  }
  return id;
}
