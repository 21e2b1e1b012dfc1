/** What capture says of itself: to operators, to metrics. Pure. */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import { QUEUE_BYTES_MAX } from '../transport/change-producer.ts';
import type { ServerFacts } from './server-settings.ts';

export interface CaptureStats {
  changesSent: number;
  bytesSent: number;
  sessions: number;
  /** Rows whose change another session had sent. */
  changesSkipped: number;
  /** Rows that snapshots read, once Kafka has them. */
  snapshotRows: number;
  /** By kind: unstamped, no-tombstone, truncated. */
  readonly oddities: Map<string, number>;
}

export interface UnsafeSetting { readonly setting: string; readonly value: string; readonly wanted: string }

export interface CaptureStatus {
  /** stuck: it tries again and again, trouble says why it cannot. */
  readonly state: 'streaming' | 'paused' | 'stuck';
  /** "code: message"; null while it streams. */
  readonly trouble: string | null;
  readonly troubleCode: string | null;
  readonly unsafeSettings: readonly UnsafeSetting[];
  /** A GTID position up to which the topic holds everything, of the last session that streamed; null before the first. */
  readonly position: string | null;
  readonly queuedBytes: number;
  readonly queueLimitBytes: number;
  /** null before the server has answered. */
  readonly server: { readonly engine: string; readonly version: string; readonly serverId: number } | null;
  /** The server's settings as the last session found them, by name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly stats: Readonly<CaptureStats>;
}

export interface StatusParts {
  readonly isPaused: boolean;
  readonly trouble: string | null;
  /** What the last session failed with; null once one streams. */
  readonly refusal: unknown;
  readonly position: string | null;
  readonly queuedBytes: number;
  readonly facts: ServerFacts | null;
  readonly stats: Readonly<CaptureStats>;
}

export function statusOf({ isPaused, trouble, refusal, position, queuedBytes, facts, stats }: StatusParts): CaptureStatus {
  const isUnsafe = isTandemError(refusal, 'capture-unsafe-settings');
  return {
    state: isPaused ? 'paused' : trouble === null ? 'streaming' : 'stuck',
    trouble,
    troubleCode: isTandemError(refusal) ? refusal.code : null,
    unsafeSettings: isUnsafe ? ((refusal.details['settings'] as UnsafeSetting[] | undefined) ?? []) : [],
    position,
    queuedBytes,
    queueLimitBytes: QUEUE_BYTES_MAX,
    server: facts === null ? null : { engine: facts.engine, version: facts.version, serverId: facts.serverId },
    settings: facts?.settings ?? {},
    stats,
  };
}
