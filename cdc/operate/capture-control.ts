/**
 * The control API of a region's capture: status, pause, snapshots, reset.
 *
 * Invariant: a snapshot's request or end and its audit row are one transaction; so it is the region's, and a capture that takes over
 * works it off. A reset writes to Kafka, so its audit row comes first.
 */
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Database } from '../../shared/mysql/database.ts';
import { REPLICATED_TABLES } from '../../shared/schema/tables.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import type { Capture } from '../capture/capture.ts';
import type { Snapshot } from '../capture/snapshot/snapshot.ts';
import { endSnapshot, insertSnapshot, listSnapshots } from '../capture/snapshot/snapshot-store.ts';
import { RESET_TARGETS_EXPECTED, parseResetTarget } from '../capture/start-mode.ts';
import { writeAudit } from './audit.ts';
import { captureStatus } from './capture-status.ts';
import {
  CaptureResetAnswer, CaptureResetBody, CaptureStatusSchema, IdParams, ReasonBody, SnapshotBody, SnapshotList, SnapshotSchema,
} from './control-api.ts';
import { CONTROL_PREFIX, actorOf, addPauseRoutes, countPause, operatorsOnly, refuseLoss, running } from './part-routes.ts';
import { PauseKeeper } from './pause.ts';
import { losesChanges, meaningOf } from './reset.ts';

export interface CaptureControlDeps {
  readonly region: string;
  /** Where its changes go. */
  readonly peer: string;
  readonly database: Database;
  readonly log: LogSink;
  readonly metrics: Metrics;
  readonly current: () => Capture | undefined;
}

/** Adds the routes. The keeper that comes back is started before what it is to hold. */
export function addCaptureControl(http: HttpApp, { region, peer, database, log, metrics, current }: CaptureControlDeps): PauseKeeper {
  const keeper = new PauseKeeper({ part: 'capture', region, database, log, current });
  countPause(metrics, keeper);
  const onRequest = operatorsOnly;
  const status = { onRequest, schema: { response: { 200: CaptureStatusSchema } } };
  http.get(`${CONTROL_PREFIX}/status`, status, () => captureStatus({ region, database, capture: current(), pause: keeper.paused }));
  addPauseRoutes(http, keeper);

  const list = { onRequest, schema: { response: { 200: SnapshotList } } };
  http.get(`${CONTROL_PREFIX}/snapshots`, list, async () => ({ snapshots: (await listSnapshots(database)).map(noteOf) }));
  const request = { onRequest, schema: { body: SnapshotBody, response: { 200: SnapshotSchema } } };
  http.post(`${CONTROL_PREFIX}/snapshots`, request, async ({ body: { tables, rowsPerSecond, reason }, caller }) => {
    const actor = actorOf(caller);
    return await database.transaction(async (tx) => {
      const snapshot = await insertSnapshot(tx, { tables, rowsPerSecond, actor, reason }, REPLICATED_TABLES);
      await writeAudit(tx, { actor, action: 'snapshot.request', subject: snapshot.id, reason, details: { tables: snapshot.tables, rowsPerSecond: snapshot.rowsPerSecond } });
      return noteOf(snapshot);
    });
  });
  const cancel = { onRequest, schema: { params: IdParams, body: ReasonBody, response: { 200: SnapshotSchema } } };
  http.post(`${CONTROL_PREFIX}/snapshots/:id/cancel`, cancel, ({ params: { id }, body: { reason }, caller }) => database.transaction(async (tx) => {
    if (!(await endSnapshot(tx, id, 'cancelled'))) throw new TandemError('not-found', `no snapshot ${id} is under way in ${region}`);
    await writeAudit(tx, { actor: actorOf(caller), action: 'snapshot.cancel', subject: id, reason });
    const [snapshot] = await listSnapshots(tx, 'WHERE id = ?', [BigInt(id)]);
    return noteOf(snapshot as Snapshot);
  }));

  const reset = { onRequest, schema: { body: CaptureResetBody, response: { 200: CaptureResetAnswer } } };
  http.post(`${CONTROL_PREFIX}/reset`, reset, async ({ body: { to, acceptLoss, reason }, caller }) => {
    const target = parseResetTarget(to);
    if (target === undefined) throw new TandemError('validation-failed', `to: say ${RESET_TARGETS_EXPECTED}`);
    const plan = { part: 'capture', region, peer, to } as const;
    if (losesChanges(plan, () => undefined)) refuseLoss(acceptLoss, meaningOf(plan, true));
    const here = running(current(), 'capture');
    const actor = actorOf(caller);
    await writeAudit(database, { actor, action: 'capture.reset', subject: region, reason, details: { to } });
    const { position } = await here.reset(target);
    return { to, position };
  });
  return keeper;
}

function noteOf({ tables, ...snapshot }: Snapshot) {
  return { ...snapshot, tables: [...tables] };
}
