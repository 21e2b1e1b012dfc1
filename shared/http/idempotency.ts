/**
 * One effect for one Idempotency-Key, however often a request is sent: over retries, crashes and both regions.
 *
 * Invariant: the effect and the stored answer commit in one transaction, fenced by the lock that this run took
 * (locked_until); a run that lost its lock commits nothing. A key belongs to one account; its row is named by a hash of
 * both, so that both regions mean the same row. It does not ask whether this region is the home: that comes before, so
 * that nothing is written in the wrong one. It does not forget keys: payment's sweep does, after 48 h, for all services.
 *
 * HAZARD: locked_until compares the clocks of this region's processes. One that runs ahead by more than the time a work
 * still needs may take a key over too early; then the slower run fails at its fence, having done nothing.
 */
import { createHash } from 'node:crypto';
import { hash63 } from '../kernel/hash.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { Database, Sql, TransactionOptions } from '../mysql/database.ts';
import { canonicalJson } from './canonical-json.ts';
import type { HttpReply, HttpRequest } from './http-server.ts';
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED } from './tandem-token.ts';

/** How long a crashed run holds its key; above the longest work, which its transaction's deadline bounds. */
export const LOCK_MS = 30_000;
const RETRY_AFTER_S = 1;

export interface IdempotentRequest {
  readonly accountId: bigint;
  readonly key: string;
  readonly method: string;
  /** With its parameters filled in: one key for two rides is a reuse. */
  readonly path: string;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Anything JSON can say. */
  readonly body: unknown;
}

export interface IdempotentDeps {
  readonly db: Database;
  /** Stamps the versions of what is written; see Database.transaction. */
  readonly clock?: TransactionOptions['clock'];
  readonly nowMs: () => number;
  readonly request: IdempotentRequest;
  /** The unit whose home decides where the key is written: that of the effect. */
  readonly unit: number;
}

/** The Idempotency-Key of a request. Throws idempotency-key-missing unless it is 1 to 255 printable ASCII characters. */
export function idempotencyKeyOf(request: Pick<HttpRequest, 'headers'>): string {
  const key = request.headers[IDEMPOTENCY_KEY];
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new TandemError('idempotency-key-missing', 'Send an Idempotency-Key of 1 to 255 printable ASCII characters.');
}

/** The parts of a request that make it the same as another, for a route behind requireRole(). */
export function idempotentRequestOf(request: HttpRequest): IdempotentRequest {
  const end = request.url.indexOf('?');
  const path = end === -1 ? request.url : request.url.slice(0, end);
  return { accountId: request.caller.accountId, key: idempotencyKeyOf(request), method: request.method, path, body: request.body };
}

/**
 * Runs `work` once for this key and answers with what it gave, or with what it gave the first time (then with the header
 * Idempotency-Replayed: true). `work` writes through `tx` only, and may be run again where its transaction is.
 * Throws idempotency-key-reused (another request), idempotency-in-flight (still running), and what `work` throws, after
 * which the key is free again.
 */
export async function runIdempotent(deps: IdempotentDeps, work: (tx: Sql) => Promise<Answer>): Promise<Answer> {
  const id = hash63('idem', String(deps.request.accountId), deps.request.key);
  const claim = await claimKey(deps, id);
  if (claim.kind === 'done') return claim.answer;
  try {
    return await deps.db.transaction(
      async (tx) => {
        const answer = await work(tx);
        await storeAnswer(tx, { id, lockedUntil: claim.lockedUntil, answer });
        return answer;
      },
      deps.clock === undefined ? {} : { clock: deps.clock },
    );
  } catch (error) {
    await freeKey(deps.db, id, claim.lockedUntil);
    throw error;
  }
}

/** Sends what runIdempotent gave; an async handler returns the reply, or awaits it. */
export function sendAnswer(reply: HttpReply, { status, headers = {}, body }: Answer): HttpReply {
  return reply.code(status).headers(headers).header('content-type', 'application/json; charset=utf-8').serializer(String).send(JSON.stringify(body));
}

type Claim = { readonly kind: 'mine'; readonly lockedUntil: Date } | { readonly kind: 'done'; readonly answer: Answer };

type KeyRow = {
  readonly request_hash: string;
  readonly status: 'in-flight' | 'done';
  readonly locked_until: Date;
  readonly response_status: number | null;
  readonly response_headers: string | null;
  readonly response_body: string | null;
};

/** Rounds of look, insert, take over; each is lost to somebody else's progress, so that two nearly always do. */
const CLAIM_ROUNDS_MAX = 5;

async function claimKey({ db, nowMs, request, unit }: IdempotentDeps, id: bigint): Promise<Claim> {
  const hash = requestHash(request);
  for (let round = 0; round < CLAIM_ROUNDS_MAX; round += 1) {
    const nowAtMs = nowMs();
    const lockedUntil = new Date(nowAtMs + LOCK_MS);
    // Looking first: an INSERT would wait for the lock of a first request that is just committing.
    const [row] = await db.query<KeyRow>(
      'SELECT request_hash, status, locked_until, response_status, response_headers, response_body FROM idempotency_keys WHERE id = ?',
      [id],
    );
    if (row === undefined) {
      if (await insertKey(db, { id, unit, request, hash, lockedUntil })) return { kind: 'mine', lockedUntil };
      continue;
    }
    if (row.request_hash !== hash) throw new TandemError('idempotency-key-reused', 'This Idempotency-Key was used with another request.');
    if (row.status === 'done') return { kind: 'done', answer: replayOf(row) };
    if (row.locked_until.getTime() > nowAtMs) throw inFlight();
    const taken = await db.execute("UPDATE idempotency_keys SET locked_until = ? WHERE id = ? AND status = 'in-flight' AND locked_until = ?", [
      lockedUntil,
      id,
      row.locked_until,
    ]);
    if (taken.affectedRows === 1) return { kind: 'mine', lockedUntil };
  }
  throw inFlight();
}

async function insertKey(
  db: Database,
  { id, unit, request, hash, lockedUntil }: { readonly id: bigint; readonly unit: number; readonly request: IdempotentRequest; readonly hash: string; readonly lockedUntil: Date },
): Promise<boolean> {
  try {
    await db.execute(
      "INSERT INTO idempotency_keys (id, unit, account_id, idem_key, request_hash, status, locked_until) VALUES (?, ?, ?, ?, ?, 'in-flight', ?)",
      [id, unit, request.accountId, request.key, hash, lockedUntil],
    );
    return true;
  } catch (error) {
    if (isTandemError(error, 'db-duplicate')) return false;
    // It may have been written and only the answer lost; left there, the key would be busy until its lock runs out.
    await freeKey(db, id, lockedUntil);
    throw error;
  }
}

/** The fence: matches only while the lock is still this run's, and throws the work away otherwise. */
async function storeAnswer(tx: Sql, { id, lockedUntil, answer }: { readonly id: bigint; readonly lockedUntil: Date; readonly answer: Answer }): Promise<void> {
  const { affectedRows } = await tx.execute(
    "UPDATE idempotency_keys SET status = 'done', response_status = ?, response_headers = ?, response_body = ? WHERE id = ? AND status = 'in-flight' AND locked_until = ?",
    [answer.status, JSON.stringify(answer.headers ?? {}), JSON.stringify(answer.body ?? null), id, lockedUntil],
  );
  if (affectedRows !== 1) throw inFlight();
}

/**
 * Frees the key after a failure, unless the transaction did commit and only its confirmation was lost: then the row is
 * done and stays. Where the row cannot be reached its lock runs out by itself, so the first error is the one to tell.
 */
async function freeKey(db: Database, id: bigint, lockedUntil: Date): Promise<void> {
  await db.execute("DELETE FROM idempotency_keys WHERE id = ? AND status = 'in-flight' AND locked_until = ?", [id, lockedUntil]).catch(() => undefined);
}

function replayOf(row: KeyRow): Answer {
  const headers = JSON.parse(row.response_headers ?? '{}') as Record<string, string>;
  return { status: row.response_status ?? 200, headers: { ...headers, [IDEMPOTENCY_REPLAYED]: 'true' }, body: JSON.parse(row.response_body ?? 'null') };
}

function inFlight(): TandemError {
  return new TandemError('idempotency-in-flight', 'The first request with this Idempotency-Key is still running.', { details: { retryAfterS: RETRY_AFTER_S } });
}

function requestHash({ method, path, body }: IdempotentRequest): string {
  return createHash('sha256').update(canonicalJson([method, path, body ?? null])).digest('hex');
}
