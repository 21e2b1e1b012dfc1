/**
 * What the control APIs of capture and apply have in common: who may ask, who is written down, pause and resume.
 *
 * Invariant: every route below /v1/cdc lets operators in and nobody else, reads included: a dead letter's cause may quote data.
 */
import { createVerifier, requireRole } from '../../shared/http/auth.ts';
import type { Caller, Jwk, VerifyToken } from '../../shared/http/auth.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { PauseAnswer, ReasonBody } from './control-api.ts';
import type { PauseKeeper } from './pause.ts';

export const CONTROL_PREFIX = '/v1/cdc';
export const operatorsOnly = requireRole('operator');

/** What _audit calls the caller: the name in the token, else the account's number. */
export function actorOf({ name, accountId }: Caller): string {
  return name ?? `operator:${accountId}`;
}

export function addPauseRoutes(http: HttpApp, keeper: PauseKeeper): void {
  for (const word of ['pause', 'resume'] as const) {
    const schema = { body: ReasonBody, response: { 200: PauseAnswer } };
    http.post(`${CONTROL_PREFIX}/${word}`, { onRequest: operatorsOnly, schema }, ({ body, caller }) =>
      keeper.set(word, { actor: actorOf(caller), reason: body.reason }));
  }
}

/** For buildHttp(): without a key, every call of the control API is refused. */
export function operatorCheck(publicJwk: Jwk | undefined): { readonly verifyToken?: VerifyToken } {
  return publicJwk === undefined ? {} : { verifyToken: createVerifier(publicJwk) };
}

/** A pause is no fault, yet a dashboard shows it and an alert may find it too long. */
export function countPause(metrics: Metrics, keeper: PauseKeeper): void {
  metrics.observe('tandem_cdc_paused', '1 while this part is paused on purpose; tandem cdc status says by whom and why.', [], (report) => report(keeper.paused === null ? 0 : 1));
}

/** What runs here. Throws not-ready where this process waits for its turn. */
export function running<T>(current: T | undefined, part: string): T {
  if (current === undefined) throw new TandemError('not-ready', `this process waits: another ${part} of the region is at work, or it has just started`);
  return current;
}

/** @throws operation-refused unless the caller has said that losing changes is meant */
export function refuseLoss(acceptLoss: boolean | undefined, consequence: string): void {
  if (acceptLoss !== true) throw new TandemError('operation-refused', consequence, { details: { loses: true } });
}
