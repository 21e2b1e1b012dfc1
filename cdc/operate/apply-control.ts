/**
 * The control API of a region's apply: status, pause, dead letters, reset.
 *
 * Invariant: what people do here stands in _audit before it happens: dead letters and resets take several transactions on several
 * connections, so no single one could carry the row, and an action without a row is worse than a row without an action.
 */
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import type { Database } from '../../shared/mysql/database.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { Apply, ResetRequest } from '../apply/apply.ts';
import type { SettleReport } from '../apply/dead-letters.ts';
import { applyStatus } from './apply-status.ts';
import { checkReason, writeAudit } from './audit.ts';
import {
  ApplyResetAnswer, ApplyResetBody, ApplyStatusSchema, DeadLetterList, IdParams, LettersQuery, ReasonBody, RetryAllBody, SettleAnswer,
} from './control-api.ts';
import type { Settled } from './control-api.ts';
import { CONTROL_PREFIX, actorOf, addPauseRoutes, countPause, operatorsOnly, refuseLoss, running } from './part-routes.ts';
import { PauseKeeper } from './pause.ts';
import { losesChanges, meaningOf } from './reset.ts';

export interface ApplyControlDeps {
  readonly region: string;
  /** Whose changes it applies. */
  readonly source: string;
  readonly database: Database;
  readonly log: LogSink;
  readonly metrics: Metrics;
  readonly current: () => Apply | undefined;
}

/** Adds the routes. The keeper that comes back is started before what it is to hold. */
export function addApplyControl(http: HttpApp, { region, source, database, log, metrics, current }: ApplyControlDeps): PauseKeeper {
  const keeper = new PauseKeeper({ part: 'apply', region, database, log, current });
  countPause(metrics, keeper);
  const apply = (): Apply => running(current(), 'apply');
  const onRequest = operatorsOnly;
  const status = { onRequest, schema: { response: { 200: ApplyStatusSchema } } };
  http.get(`${CONTROL_PREFIX}/status`, status, () => applyStatus({ region, source, database, apply: current(), pause: keeper.paused }));
  addPauseRoutes(http, keeper);

  const list = { onRequest, schema: { querystring: LettersQuery, response: { 200: DeadLetterList } } };
  http.get(`${CONTROL_PREFIX}/dead-letters`, list, async ({ query }) => {
    const deadLetters = await apply().deadLetters.list(query);
    return { deadLetters: deadLetters.map(({ offset, ...letter }) => ({ ...letter, offset: String(offset) })) };
  });
  for (const verb of ['retry', 'skip'] as const) {
    const one = { onRequest, schema: { params: IdParams, body: ReasonBody, response: { 200: SettleAnswer } } };
    http.post(`${CONTROL_PREFIX}/dead-letters/:id/${verb}`, one, async ({ params: { id }, body: { reason }, caller }) => {
      const { deadLetters } = apply();
      // Throws not-found before anything is written down.
      await deadLetters.message(id);
      await writeAudit(database, { actor: actorOf(caller), action: `dead-letter.${verb}`, subject: id, reason });
      return answerOf(verb === 'retry' ? await deadLetters.retry({ id }) : await deadLetters.skip(id));
    });
  }
  const all = { onRequest, schema: { body: RetryAllBody, response: { 200: SettleAnswer } } };
  http.post(`${CONTROL_PREFIX}/dead-letters/retry`, all, async ({ body: { unit, reason }, caller }) => {
    const { deadLetters } = apply();
    const subject = unit === undefined ? 'all' : `unit ${unit}`;
    await writeAudit(database, { actor: actorOf(caller), action: 'dead-letter.retry', subject, reason });
    return answerOf(await deadLetters.retry(unit === undefined ? 'all' : { unit }));
  });

  const reset = { onRequest, schema: { body: ApplyResetBody, response: { 200: ApplyResetAnswer } } };
  http.post(`${CONTROL_PREFIX}/reset`, reset, async ({ body: { to, partition, acceptLoss, reason }, caller }) => {
    const request: ResetRequest = { to: to === 'start' || to === 'end' ? to : BigInt(to), ...(partition === undefined ? {} : { partition }) };
    const here = apply();
    const plan = { part: 'apply', region, peer: source, to, partition } as const;
    if (losesChanges(plan, (no) => here.partitions.find((each) => each.partition === no)?.next)) refuseLoss(acceptLoss, meaningOf(plan, true));
    const actor = actorOf(caller);
    await writeAudit(database, { actor, action: 'apply.reset', subject: region, reason: checkReason(reason), details: { to, partition: partition ?? 'all' } });
    const moved = await here.reset(request);
    log.warn({ to, actor, reason, moved: moved.length }, 'apply was reset');
    return { partitions: moved.map(({ partition: no, from, to: next }) => ({ partition: no, from: from === null ? null : String(from), to: String(next) })) };
  });
  return keeper;
}

function answerOf({ retried, skipped, failed, parkedUnits }: SettleReport): Settled {
  return { retried, skipped, failed: [...failed], parkedUnits: [...parkedUnits] };
}
