/** Rollouts over a test's two regions: the shipped migrations and those of the test. */
import { loadMigrations } from '../../../shared/schema/migrations.ts';
import type { Migration } from '../../../shared/schema/migrations.ts';
import { openRollout } from '../../../shared/schema/rollout.ts';
import type { OnStep, Rollout } from '../../../shared/schema/rollout.ts';
import { REPLICATED_TABLES } from '../../../shared/schema/tables.ts';
import { SIDES } from '../../cdc/twin.ts';
import type { Side, Twin } from '../../cdc/twin.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

export const silent: OnStep = () => {};

export async function openTestRollout(twin: Twin, extra: readonly Migration[], only?: Side, lockWaitS = 5): Promise<Rollout & AsyncDisposable> {
  const [east, west] = SIDES.map((side) => ({ region: side, origin: twin.of(side).origin, database: twin.of(side).mysql.config }));
  const rollout = await openRollout({
    sides: [east!, west!], migrations: [...(await loadMigrations()), ...extra], tables: [...REPLICATED_TABLES, 'zoo'], only, log: SILENT_LOG, lockWaitS,
  });
  return Object.assign(rollout, { [Symbol.asyncDispose]: () => rollout.close() });
}

/** Expands one region. */
export async function migrateSides(twin: Twin, extra: readonly Migration[], only: Side): Promise<void> {
  await using rollout = await openTestRollout(twin, extra, only);
  await rollout.expand(silent);
}
