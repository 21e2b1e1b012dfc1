/**
 * From which GTID position the binlog is read where the topic does not say, or is no longer to be asked.
 *
 * Invariant: the position is fixed by a record in the topic before anything is sent after it; a capture that dies in between
 * begins anew by the same rule. A start that would leave rows out in silence is refused.
 */
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Database, MysqlConfig } from '../../shared/mysql/database.ts';
import { formatPosition, parsePosition } from '../change/position.ts';
import { checkBinlogReach } from './binlog-reach.ts';
import type { ServerPosition } from './server-position.ts';
import { insertSnapshot, nextSnapshot } from './snapshot/snapshot-store.ts';
import { checkStart, endOf, oldestOf } from './start-check.ts';
import type { ResetTarget, StartMode } from './start-mode.ts';

/** Who asks for a snapshot that nobody asked for by name. */
const START_ACTOR = 'capture';

export interface BeginningOptions {
  readonly region: string;
  readonly mysql: MysqlConfig;
  readonly database: Database;
  readonly server: ServerPosition;
  readonly replicaId: number;
  readonly tables: readonly string[];
}

/** '' stands for the beginning of the oldest binlog. Throws capture-needs-snapshot, and as checkStart() for gtid:. */
export async function beginningOf(mode: StartMode | ResetTarget, options: BeginningOptions): Promise<string> {
  const { server } = options;
  switch (mode.kind) {
    case 'resume':
      await checkBinlogReach(options);
      return formatPosition(oldestOf(server));
    case 'earliest':
      return formatPosition(oldestOf(server));
    case 'now':
      return formatPosition(endOf(server));
    case 'gtid':
      return given(mode.position, options);
    case 'snapshot':
      await requestWholeSnapshot(options);
      return formatPosition(endOf(server));
  }
}

/** One that has not begun reads every row after now, as is needed; one that is under way has passed rows already. */
async function requestWholeSnapshot({ database, tables }: BeginningOptions): Promise<void> {
  const next = await nextSnapshot(database);
  if (next?.state === 'requested' && tables.every((table) => next.tables.includes(table))) return;
  await insertSnapshot(database, { actor: START_ACTOR, reason: 'a start from a snapshot' }, tables);
}

function given(text: string, { server, region }: BeginningOptions): string {
  const position = parsePosition(text);
  try {
    checkStart({ from: position, sent: [position], server, region });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TandemError('capture-reset-refused', `the server cannot stream from ${text}: ${why}`, { cause, details: { position: text } });
  }
  return formatPosition(position);
}
