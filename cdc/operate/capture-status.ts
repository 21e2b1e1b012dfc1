/** What capture says of itself to an operator: where it is, what it sends, what its server is set to, its snapshots. */
import type { Database } from '../../shared/mysql/database.ts';
import type { Capture } from '../capture/capture.ts';
import { listSnapshots } from '../capture/snapshot/snapshot-store.ts';
import { QUEUE_BYTES_MAX } from '../transport/change-producer.ts';
import type { CaptureStatus, PauseNote, SnapshotNote } from './control-api.ts';

/** Those under way are always among the newest. */
const SNAPSHOTS_SHOWN = 5;

export interface CaptureStatusParts {
  readonly region: string;
  readonly database: Database;
  readonly capture: Capture | undefined;
  readonly pause: PauseNote | null;
}

export async function captureStatus({ region, database, capture, pause }: CaptureStatusParts): Promise<CaptureStatus> {
  const seen = capture?.status;
  const state = pause !== null ? 'paused' : (seen?.state ?? 'standby');
  return {
    part: 'capture',
    region,
    at: new Date().toISOString(),
    state,
    trouble: pause !== null ? null : seen === undefined ? 'not-ready: another capture of the region holds the lock, or this one has just started' : seen.trouble,
    pause,
    position: seen?.position ?? null,
    queuedBytes: seen?.queuedBytes ?? 0,
    queueLimitBytes: QUEUE_BYTES_MAX,
    changesSent: seen?.stats.changesSent ?? 0,
    bytesSent: seen?.stats.bytesSent ?? 0,
    sessions: seen?.stats.sessions ?? 0,
    oddities: Object.fromEntries(seen?.stats.oddities ?? []),
    settings: seen === undefined ? null : { ...seen.settings },
    snapshots: await newestSnapshots(database),
  };
}

/** None where the database does not answer: the rest of the status is worth having without them. */
async function newestSnapshots(database: Database): Promise<SnapshotNote[]> {
  try {
    return (await listSnapshots(database)).slice(0, SNAPSHOTS_SHOWN).map(({ tables, ...snapshot }) => ({ ...snapshot, tables: [...tables] }));
  } catch {
    return [];
  }
}
