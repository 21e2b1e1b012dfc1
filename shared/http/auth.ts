/**
 * Who is calling: JWTs signed with Ed25519, checked here, made here for the command line.
 *
 * Invariant: the algorithm is pinned, issuer, audience and expiry are required, and no cached answer outlives the expiry
 * of its token. It knows three roles and no rights: whether this rider may see that ride is decided where rides are.
 */
import { SignJWT, exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose';
import type { JWK } from 'jose';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { VerifyToken } from './app-state.ts';
import type { HttpRequest } from './http-server.ts';

export type { VerifyToken } from './app-state.ts';
/** A JSON Web Key. */
export type Jwk = JWK;

export const ROLES = ['rider', 'driver', 'operator'] as const;
export type Role = (typeof ROLES)[number];

export interface Caller {
  readonly accountId: bigint;
  readonly role: Role;
  /** What an audit calls them, where the token says: operators have names. */
  readonly name?: string;
}

const ALGORITHM = 'EdDSA';
const ISSUER = 'tandem';
const AUDIENCE = 'tandem-api';
/** Longer ones are refused unread. */
export const TOKEN_CHARS_MAX = 2048;
/** Tokens whose signature need not be checked again, the last used kept. */
export const VERIFIED_MAX = 10_000;

/** A check of Authorization headers against one public key (an OKP JWK). Throws unauthenticated. */
export function createVerifier(publicJwk: Jwk, { nowMs = Date.now }: { readonly nowMs?: () => number } = {}): VerifyToken {
  const key = importJWK(publicJwk, ALGORITHM);
  // Whoever awaits it sees the failure; nobody may have asked yet.
  key.catch(() => undefined);
  const verified = new Map<string, { readonly caller: Caller; readonly untilMs: number }>();
  return async (authorization) => {
    const token = bearerToken(authorization);
    const seen = verified.get(token);
    if (seen !== undefined) {
      verified.delete(token);
      if (nowMs() < seen.untilMs) {
        verified.set(token, seen);
        return seen.caller;
      }
    }
    const fresh = await verify(token, await key, nowMs);
    verified.set(token, fresh);
    if (verified.size > VERIFIED_MAX) verified.delete(verified.keys().next().value!);
    return fresh.caller;
  };
}

async function verify(token: string, key: Awaited<ReturnType<typeof importJWK>>, nowMs: () => number): Promise<{ caller: Caller; untilMs: number }> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ['sub', 'exp', 'role'],
      currentDate: new Date(nowMs()),
    });
    const role = ROLES.find((name) => name === payload['role']);
    if (role === undefined) throw new TandemError('unauthenticated', 'The token names no known role.');
    const name = nameOf(payload['name']);
    const caller = { accountId: accountOf(payload.sub), role, ...(name === undefined ? {} : { name }) };
    return { caller, untilMs: payload.exp! * 1000 };
  } catch (error) {
    if (isTandemError(error)) throw error;
    throw new TandemError('unauthenticated', 'The token is not valid, or has expired.', { cause: error });
  }
}

function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([A-Za-z0-9._-]+) *$/i.exec(authorization ?? '')?.[1];
  if (token === undefined || token.length > TOKEN_CHARS_MAX) throw new TandemError('unauthenticated', 'Send Authorization: Bearer with a token.');
  return token;
}

const ACCOUNT_MAX = 2n ** 63n - 1n;

function accountOf(subject: string | undefined): bigint {
  const id = /^[1-9][0-9]{0,18}$/.test(subject ?? '') ? BigInt(subject!) : 0n;
  if (id < 1n || id > ACCOUNT_MAX) throw new TandemError('unauthenticated', 'The token names no account.');
  return id;
}

const NAME = /^[\w.@-]{1,64}$/;

/** It goes into audit rows and logs, so an odd one is refused whole rather than shown. */
function nameOf(name: unknown): string | undefined {
  if (name === undefined) return undefined;
  if (typeof name !== 'string' || !NAME.test(name)) throw new TandemError('unauthenticated', 'The name in the token is none.');
  return name;
}

/** A token for one account, valid from now for `ttlS` seconds. `name`: 1 to 64 letters, digits, . _ @ - */
export async function signToken(privateJwk: Jwk, { accountId, role, name, ttlS }: Caller & { readonly ttlS: number }): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return new SignJWT(name === undefined ? { role } : { role, name })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(String(accountId))
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + ttlS)
    .sign(await importJWK(privateJwk, ALGORITHM));
}

/** A new Ed25519 pair: the public one for all processes, the private one for whoever signs tokens. */
export async function createKeyPair(): Promise<{ readonly publicJwk: Jwk; readonly privateJwk: Jwk }> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)]);
  return { publicJwk, privateJwk };
}

/**
 * `any`, because fastify infers a route's schema types from all of its hooks too: a hook typed for any schema would make
 * the handler's body and params unknown.
 */
export type RoleHook = (request: any) => Promise<void>;

const roleHooks = new WeakSet<object>();

/**
 * A hook that lets only these roles through and sets request.caller. As onRequest it runs before the body is read, which
 * is where it belongs: `app.post('/v1/rides', { onRequest: requireRole('rider'), schema }, handler)`.
 * Throws unauthenticated (401) or forbidden (403).
 */
export function requireRole(...roles: readonly [Role, ...Role[]]): RoleHook {
  const hook: RoleHook = async (request: HttpRequest) => {
    const caller = await callerOf(request);
    if (!roles.includes(caller.role)) throw new TandemError('forbidden', `This is for a ${roles.join(' or ')}, not for a ${caller.role}.`);
    request.caller = caller;
  };
  roleHooks.add(hook);
  return hook;
}

/** True for what requireRole made; the OpenAPI document marks such routes. */
export function isRoleHook(hook: unknown): boolean {
  return typeof hook === 'function' && roleHooks.has(hook);
}

async function callerOf(request: HttpRequest): Promise<Caller> {
  const { verifyToken } = request.server.tandem;
  if (verifyToken === undefined) throw new TandemError('unauthenticated', 'This process checks no tokens.');
  return verifyToken(request.headers.authorization ?? queryToken(request));
}

/**
 * Browsers cannot set headers on a WebSocket or an EventSource: there, and only there, a token may stand in the query.
 * It is taken out of the parsed query, so that no later hook, schema or log meets it.
 */
function queryToken(request: HttpRequest): string | undefined {
  const query = request.query as Record<string, unknown>;
  const token = query['access_token'];
  if (typeof token !== 'string') return undefined;
  const isStream = request.headers.upgrade?.toLowerCase() === 'websocket' || request.headers.accept?.includes('text/event-stream') === true;
  if (!isStream) return undefined;
  delete query['access_token'];
  return `Bearer ${token}`;
}
