/**
 * What the control APIs of capture and apply take and say, under /v1/cdc: the schemas, and the types that follow from them.
 *
 * Invariant: 64-bit numbers are decimal strings, times RFC 3339 UTC. Both ends, routes and command line, read it from here.
 */
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import { REASON_CHARS_MAX } from './audit.ts';

export const PARTS = ['capture', 'apply'] as const;
export type Part = (typeof PARTS)[number];

const Decimal = Type.String({ pattern: '^[0-9]{1,20}$' });
const Time = Type.String({ format: 'date-time' });
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Reason = Type.String({ minLength: 1, maxLength: REASON_CHARS_MAX, description: 'Why; it stands in _audit.' });

export const ReasonBody = Type.Object({ reason: Reason });
export const LETTER_ID = '^[0-9]{1,19}$';
export const IdParams = Type.Object({ id: Type.String({ pattern: LETTER_ID }) });

/** Who paused a part, when and why. */
export const PauseSchema = Type.Object({ by: Type.String(), at: Time, reason: Type.String() });
export type PauseNote = Static<typeof PauseSchema>;

export const PauseAnswer = Type.Object({
  paused: orNull(PauseSchema),
  /** False where it was so already; then nothing is written. */
  changed: Type.Boolean(),
});
export type PauseReport = Static<typeof PauseAnswer>;

export const SnapshotSchema = Type.Object({
  id: Decimal,
  state: Type.String(),
  tables: Type.Array(Type.String()),
  table: orNull(Type.String()),
  /** The id in that table up to which Kafka has it. */
  afterId: orNull(Type.String()),
  rowsDone: Type.Number(),
  rowsPerSecond: Type.Integer(),
  requestedBy: Type.String(),
  reason: Type.String(),
  failure: orNull(Type.String()),
  requestedAt: Time,
  updatedAt: Time,
});
export type SnapshotNote = Static<typeof SnapshotSchema>;

export const SnapshotList = Type.Object({ snapshots: Type.Array(SnapshotSchema) });
export const SnapshotBody = Type.Object({
  tables: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 200, description: 'All replicated tables by default.' })),
  rowsPerSecond: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
  reason: Reason,
});

export const CaptureStatusSchema = Type.Object({
  part: Type.Literal('capture'),
  region: Type.String(),
  at: Time,
  state: Type.Union([Type.Literal('streaming'), Type.Literal('paused'), Type.Literal('stuck'), Type.Literal('standby')]),
  /** "code: message"; null while all is well. */
  trouble: orNull(Type.String()),
  pause: orNull(PauseSchema),
  /** GTID position up to which the topic holds everything. */
  position: orNull(Type.String()),
  queuedBytes: Type.Number(),
  queueLimitBytes: Type.Number(),
  changesSent: Type.Number(),
  bytesSent: Type.Number(),
  sessions: Type.Number(),
  /** Things that do not stop the stream, by kind: rows without version, truncated tables. */
  oddities: Type.Record(Type.String(), Type.Number()),
  settings: orNull(Type.Record(Type.String(), Type.String())),
  snapshots: Type.Array(SnapshotSchema),
});
export type CaptureStatus = Static<typeof CaptureStatusSchema>;

const WaitsFor = Type.Object({ table: Type.String(), column: orNull(Type.String()) });
const PartitionSchema = Type.Object({
  partition: Type.Integer(), next: Decimal, high: Decimal, behind: Decimal, trouble: orNull(Type.String()), waitsFor: orNull(WaitsFor),
});

export const LAG_WINDOW_S = 60;

export const ApplyStatusSchema = Type.Object({
  part: Type.Literal('apply'),
  region: Type.String(),
  /** Whose changes it applies. */
  source: Type.String(),
  at: Time,
  state: Type.Union([Type.Literal('applying'), Type.Literal('paused'), Type.Literal('stuck'), Type.Literal('standby')]),
  trouble: orNull(Type.String()),
  pause: orNull(PauseSchema),
  partitions: Type.Array(PartitionSchema),
  /** Of the last LAG_WINDOW_S seconds; null without a sample: nothing arrives. */
  lag: orNull(Type.Object({ p50Ms: Type.Number(), p99Ms: Type.Number(), samples: Type.Integer() })),
  rowsApplied: Type.Number(),
  transactions: Type.Number(),
  duplicates: Type.Number(),
  /** Of the last hour, by kind; null where the database does not answer. */
  conflicts: orNull(Type.Record(Type.String(), Type.Number())),
  /** Changes that wait in _dead_letters; null where the database does not answer. */
  deadLetters: orNull(Type.Object({ poison: Type.Number(), held: Type.Number() })),
  parkedUnits: Type.Array(Type.Integer()),
});
export type ApplyStatus = Static<typeof ApplyStatusSchema>;
export type PartStatus = CaptureStatus | ApplyStatus;

export const DeadLetterSchema = Type.Object({
  id: Decimal, source: Type.String(), partition: Type.Integer(), offset: Decimal, kind: Type.String(), state: Type.String(),
  holdsUnit: Type.Boolean(), unit: orNull(Type.Integer()), table: orNull(Type.String()), rowId: orNull(Type.String()),
  code: Type.String(), cause: Type.String(), tries: Type.Integer(), parkedAt: Type.String(), settledAt: orNull(Type.String()),
});
export type DeadLetterNote = Static<typeof DeadLetterSchema>;
export const LettersQuery = Type.Object({
  state: Type.Optional(Type.Union(['waiting', 'retried', 'skipped', 'all'].map((state) => Type.Literal(state)))),
  unit: Type.Optional(Type.Integer({ minimum: 0, maximum: 63 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
});
export const DeadLetterList = Type.Object({ deadLetters: Type.Array(DeadLetterSchema) });

export const RetryAllBody = Type.Object({ unit: Type.Optional(Type.Integer({ minimum: 0, maximum: 63 })), reason: Reason });
export const SettleAnswer = Type.Object({
  retried: Type.Number(),
  skipped: Type.Number(),
  failed: Type.Array(Type.Object({ id: Decimal, code: Type.String(), cause: Type.String() })),
  parkedUnits: Type.Array(Type.Integer()),
});
export type Settled = Static<typeof SettleAnswer>;

export const ApplyResetBody = Type.Object({
  to: Type.String({ pattern: '^(start|end|[0-9]{1,19})$' }),
  partition: Type.Optional(Type.Integer({ minimum: 0, maximum: 1023 })),
  /** Changes that are passed over are never applied: say so, or it is refused. */
  acceptLoss: Type.Optional(Type.Boolean()),
  reason: Reason,
});
export const ApplyResetAnswer = Type.Object({
  partitions: Type.Array(Type.Object({ partition: Type.Integer(), from: orNull(Decimal), to: Decimal })),
});

export const CaptureResetBody = Type.Object({
  to: Type.String({ pattern: '^(now|earliest|snapshot|gtid:.{1,8000})$' }),
  acceptLoss: Type.Optional(Type.Boolean()),
  reason: Reason,
});
/** The GTID position after which it goes on. */
export const CaptureResetAnswer = Type.Object({ to: Type.String(), position: Type.String() });
