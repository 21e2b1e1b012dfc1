/**
 * Applies one partition of the peer's topic, in order, on a connection of its own, beside the consumer that fetches for all.
 *
 * Invariants: the database's checkpoint is the only truth. Where it is no longer where it was left, what was read since is
 * forgotten and reading goes on from there; so a lost COMMIT answer, a rebalance or a crash need no case of their own. What this
 * partition waits for (a schema, a database, a lock) it waits for alone, says so, and goes on by itself.
 */
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import { assert } from '../../shared/kernel/assert.ts';
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { TandemError, isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { ConsumedBatch } from '../../shared/kafka/consumer.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { HEARTBEAT_TABLE } from '../../shared/schema/tables.ts';
import { extractTrace, inSpan } from '../../shared/telemetry/tracing.ts';
import type { Change } from '../change/envelope.ts';
import { covers, parsePosition } from '../change/position.ts';
import type { Position } from '../change/position.ts';
import type { WriteReport } from './batch-writer.ts';
import { checkMoved, moveCheckpoint, placeCheckpoint, readCheckpoint } from './checkpoint.ts';
import type { CheckpointKey } from './checkpoint.ts';
import { Inbox } from './inbox.ts';
import type { Delivery, Letter } from './letters.ts';
import { PartitionWriter } from './partition-writer.ts';
import type { Batch, Poison } from './partition-writer.ts';
import { Pending } from './pending.ts';
import type { Decode, Limits, Taken } from './pending.ts';
import { TableCatalog } from './table-catalog.ts';
import type { TargetTransaction } from './target-transaction.ts';

/** How long it waits before it tries again what time must heal. */
const BACKOFF_MS = { first: 50, max: 2_000 } as const;
/** How long a new owner of the partition waits for the batch that the old one is writing. */
const HAND_OVER_MS = 3_000;

export interface Applied {
  readonly partition: number;
  readonly changes: readonly Change[];
  readonly report: WriteReport;
  /** ms of this process and of waiting for the server. */
  readonly spentMs: { readonly decode: number; readonly write: number; readonly wait: number; readonly commit: number };
}

export interface PartitionApplyDeps {
  readonly key: CheckpointKey;
  readonly database: string;
  readonly connect: () => Promise<RawConnection>;
  readonly rules: ConflictRules;
  readonly log: LogSink;
  readonly limits: Limits;
  readonly inboxBytes: number;
  readonly poison: Poison;
  /** One for each start from a checkpoint: parts of changes are put together in it. */
  readonly decoder: (catalog: TableCatalog) => Decode;
  /** After each commit. */
  readonly onApplied: (applied: Applied) => void;
}

interface Waiting { readonly table: string; readonly column: string | null }

/** The partition is somebody else's, or is to be read from another place: nothing went wrong. */
class HandedOver extends Error {}

export class PartitionApply {
  readonly #deps: PartitionApplyDeps;
  readonly #inbox: Inbox;
  readonly #writer: PartitionWriter;
  readonly #catalog: TableCatalog;
  #stopping = new AbortController();
  #connection: RawConnection | undefined;
  #next = 0n;
  #position: Position = { flavour: 'empty' };
  #pending: Pending;
  /** Set while a transaction larger than the limits is being written in steps. */
  #open: { readonly transaction: TargetTransaction; readonly reports: WriteReport[] } | undefined;
  #batch: ConsumedBatch | undefined;
  #pumping: Promise<void> | undefined;
  #failures = 0;
  #trouble: string | null = null;
  #waitsFor: Waiting | null = null;
  #decodeMs = 0;

  constructor(deps: PartitionApplyDeps) {
    this.#deps = deps;
    this.#inbox = new Inbox(deps.inboxBytes);
    this.#catalog = new TableCatalog(deps.database);
    this.#pending = new Pending(deps.limits, 0n, deps.decoder(this.#catalog));
    this.#writer = new PartitionWriter({
      key: deps.key, rules: deps.rules, log: deps.log, poison: deps.poison, signal: () => this.#stopping.signal,
      catalog: this.#catalog,
      connected: () => this.#connected(),
      onContended: (error) => (error === null ? this.#getsOn() : this.#isStuckOn(error)),
    });
  }

  /** The offset after the last one that is committed. */
  get next(): bigint {
    return this.#next;
  }

  /** Why it does not get on at the moment; null while it does. */
  get trouble(): string | null {
    return this.#trouble;
  }

  get waitsFor(): Waiting | null {
    return this.#waitsFor;
  }

  get parkedUnits(): ReadonlySet<number> {
    return this.#writer.parked;
  }

  /** The checkpoint as the database has it; null before the first start. Drops what was read and not written. */
  async reload(): Promise<bigint | null> {
    await this.#handOver();
    const checkpoint = await readCheckpoint(await this.#connected(), this.#deps.key);
    this.#startAt(checkpoint?.next ?? 0n, checkpoint?.position ?? '');
    return checkpoint?.next ?? null;
  }

  async place(next: bigint): Promise<void> {
    await placeCheckpoint(await this.#connected(), this.#deps.key, next);
    this.#next = next;
    this.#pending = new Pending(this.#deps.limits, next, this.#deps.decoder(this.#catalog));
  }

  /** Takes one fetched batch; what it holds is written beside the next fetches. Never throws. */
  async handle(batch: ConsumedBatch): Promise<void> {
    if (batch.isStale()) return;
    this.#batch = batch;
    const taken = this.#inbox.put(batch);
    this.#pumping ??= this.#pump();
    await taken;
  }

  async close(): Promise<void> {
    await this.#handOver();
    await this.#connection?.close();
    this.#connection = undefined;
  }

  /** Runs while there is something to do. That it has ended is known in the same moment, so that no message waits for the next. */
  async #pump(): Promise<void> {
    try {
      while (!this.#inbox.isEmpty) {
        try {
          await this.#consume();
        } catch (error) {
          if (error instanceof HandedOver || this.#isOver) return;
          await this.#goBack(error);
        }
      }
    } finally {
      this.#pumping = undefined;
    }
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#batch === undefined || this.#batch.isStale();
  }

  /** Decodes until a batch is full or nothing is left, and writes it. */
  async #consume(): Promise<void> {
    const startedMs = performance.now();
    for (let message = this.#inbox.take(); message !== undefined; message = this.#inbox.take()) {
      if (message.offset < this.#pending.read) continue;
      this.#pending.add(message);
      if (this.#pending.isFull) break;
    }
    this.#decodeMs += performance.now() - startedMs;
    if (this.#isOver) throw new HandedOver();
    if (this.#pending.hasWhole) {
      const taken = this.#pending.takeWhole();
      if (this.#open === undefined) await this.#writeWhole(taken);
      else await this.#finishOpen(taken);
    }
    if (this.#pending.isFull) await this.#writeStep(this.#pending.takeAll());
    // Partitions take turns, and so do timers and sockets.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async #writeWhole(taken: Taken): Promise<void> {
    if (taken.traceparent === undefined) await this.#writeUntilDone(taken);
    else {
      const parent = extractTrace({ traceparent: taken.traceparent });
      const attributes = { 'tandem.partition': this.#deps.key.partition, 'messaging.batch.message_count': taken.deliveries.length };
      await inSpan('changes apply', { kind: 'consumer', parent, attributes }, () => this.#writeUntilDone(taken));
    }
  }

  /** The batch stays in memory for as long as it takes; only a checkpoint that moved makes it void. */
  async #writeUntilDone(taken: Taken): Promise<void> {
    for (;;) {
      try {
        await this.#writeBatch(taken);
        return;
      } catch (error) {
        if (this.#isOver) throw new HandedOver();
        if (isTandemError(error, 'checkpoint-moved')) throw error;
        this.#isStuckOn(error);
        await this.#backOff();
        if (this.#isOver) throw new HandedOver();
      }
    }
  }

  async #writeBatch(taken: Taken): Promise<void> {
    const startedMs = performance.now();
    const batch = this.#batchOf(taken);
    if (batch.deliveries.length === 0 && batch.letters.length === 0) {
      const [moved] = await (await this.#connected()).script([moveCheckpoint(this.#deps.key, batch.move)]);
      checkMoved(this.#deps.key, batch.move.expected, moved?.affectedRows ?? 0);
      this.#committed(taken, batch, NOTHING, { write: 0, wait: performance.now() - startedMs, commit: 0 });
      return;
    }
    const { report, waitedMs, committedMs } = await this.#writer.whole(batch);
    const write = performance.now() - startedMs - waitedMs;
    this.#committed(taken, batch, report, { write, wait: waitedMs - committedMs, commit: committedMs });
  }

  /** Part of a transaction that does not fit in memory. Its failure means to read it from its beginning again. */
  async #writeStep(taken: Taken): Promise<void> {
    const batch = this.#batchOf(taken);
    this.#open ??= { transaction: await this.#writer.begin({ ...batch.move, watermark: 0n, position: null }), reports: [] };
    this.#open.reports.push(await this.#healing(batch, async (open) => await this.#writer.writeStep(open, batch)));
  }

  async #finishOpen(taken: Taken): Promise<void> {
    const startedMs = performance.now();
    const open = this.#open;
    if (open === undefined) return;
    const batch = this.#batchOf(taken);
    const { transaction } = open;
    open.reports.push(await this.#healing(batch, async () => await this.#writer.writeStep(transaction, batch)));
    await this.#healing(batch, async () => await transaction.commit([], batch.move));
    this.#open = undefined;
    this.#writer.committed(taken.deliveries);
    const { waitedMs, committedMs } = transaction;
    this.#committed(taken, batch, sumOf(open.reports), { write: Math.max(0, performance.now() - startedMs - waitedMs), wait: waitedMs - committedMs, commit: committedMs });
  }

  /** What a retry of the whole transaction may heal is made ready for it; then it is read from its beginning. */
  async #healing<T>(batch: Batch, run: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    const transaction = this.#open?.transaction;
    assert(transaction !== undefined, 'a transaction is open');
    try {
      return await run(transaction);
    } catch (error) {
      this.#open = undefined;
      transaction.abandon();
      await this.#writer.heal(error, batch);
      throw new TandemError('checkpoint-moved', 'a transaction that is larger than memory is read from its beginning again', { cause: error });
    }
  }

  #batchOf({ deliveries, unreadable, next }: Taken): Batch {
    const last = deliveries.findLast(({ change }) => change.last)?.change;
    const isProgress = last !== undefined && last.position !== '' && !covers(this.#position, last.source.gtid);
    return {
      deliveries: this.#rowsOf(deliveries), letters: unreadable, isRepeated: ({ source }) => covers(this.#position, source.gtid),
      move: { expected: this.#next, next, watermark: watermarkOf(deliveries), position: isProgress ? last.position : null },
    };
  }

  #committed(taken: Taken, { move: { position } }: Batch, report: WriteReport, spent: { write: number; wait: number; commit: number }): void {
    if (position !== null) this.#position = parsePosition(position);
    this.#next = taken.next;
    this.#getsOn();
    const conflicts = sumOf([report, { ...NOTHING, conflicts: this.#writer.takeAside() }]).conflicts;
    const decode = this.#decodeMs;
    this.#decodeMs = 0;
    this.#deps.onApplied({
      partition: this.#deps.key.partition, changes: taken.deliveries.map(({ change }) => change), report: { ...report, conflicts }, spentMs: { decode, ...spent },
    });
  }

  /** A heartbeat comes by in every partition; its row is written by the one it belongs to. */
  #rowsOf(deliveries: readonly Delivery[]): readonly Delivery[] {
    return this.#deps.key.partition === 0 ? deliveries : deliveries.filter(({ change }) => change.table !== HEARTBEAT_TABLE);
  }

  /** Forgets what was read and reads on from the checkpoint, as soon as that can be read. */
  async #goBack(error: unknown): Promise<void> {
    for (let cause: unknown = error; !this.#isOver; ) {
      try {
        this.#isStuckOn(cause);
        this.#abandon();
        await this.#backOff();
        const checkpoint = await readCheckpoint(await this.#connected(), this.#deps.key);
        if (this.#isOver) return;
        this.#startAt(checkpoint?.next ?? this.#next, checkpoint?.position ?? '');
        this.#batch?.seek(this.#next);
        this.#batch = undefined;
        return;
      } catch (again) {
        cause = again;
      }
    }
  }

  #isStuckOn(error: unknown): void {
    const { log, key } = this.#deps;
    this.#failures += 1;
    this.#trouble = isTandemError(error) ? `${error.code}: ${error.message}` : String(error);
    const wasWaiting = this.#waitsFor !== null;
    this.#waitsFor = isTandemError(error, 'apply-schema-behind') ? waitingOf(error) : null;
    if (this.#waitsFor !== null && wasWaiting) return;
    log.error({ partition: key.partition, next: String(this.#next), failures: this.#failures, err: error }, 'the partition does not get on');
  }

  #getsOn(): void {
    if (this.#failures > 0) this.#deps.log.info({ partition: this.#deps.key.partition }, 'the partition gets on again');
    this.#failures = 0;
    this.#trouble = null;
    this.#waitsFor = null;
  }

  async #backOff(): Promise<void> {
    const ms = Math.min(BACKOFF_MS.first * 2 ** Math.min(this.#failures - 1, 10), BACKOFF_MS.max);
    await sleep(ms, this.#stopping.signal).catch(() => {}); // who goes on looks whether it is over
  }

  /** Ends what is being written, by force if it must, so that the checkpoint stands still. */
  async #handOver(): Promise<void> {
    const pumping = this.#pumping;
    this.#stopping.abort(new Error('the partition is handed over'));
    this.#inbox.clear();
    if (pumping !== undefined) {
      await Promise.race([pumping, sleep(HAND_OVER_MS)]);
      if (this.#pumping !== undefined) this.#connection?.destroy();
      await pumping;
    }
    this.#abandon();
  }

  #abandon(): void {
    this.#open?.transaction.abandon();
    this.#open = undefined;
    this.#inbox.clear();
  }

  /** What came in while the checkpoint was being read is from further on: it will come again, in its turn. */
  #startAt(next: bigint, position: string): void {
    this.#inbox.clear();
    this.#stopping = new AbortController();
    this.#next = next;
    this.#position = parsePosition(position);
    this.#pending = new Pending(this.#deps.limits, next, this.#deps.decoder(this.#catalog));
  }

  async #connected(): Promise<RawConnection> {
    if (this.#connection === undefined || this.#connection.isLost) this.#connection = await this.#deps.connect();
    return this.#connection;
  }
}

const NOTHING: WriteReport = { applied: 0, duplicates: 0, stale: 0, conflicts: {}, letters: [] };

function waitingOf({ details }: TandemError): Waiting {
  const [column = null] = (details['columns'] as readonly string[] | undefined) ?? [];
  return { table: String(details['table']), column };
}

function sumOf(reports: readonly WriteReport[]): WriteReport {
  const conflicts: Record<string, number> = {};
  const letters: Letter[] = [];
  const sum = { applied: 0, duplicates: 0, stale: 0 };
  for (const report of reports) {
    sum.applied += report.applied;
    sum.duplicates += report.duplicates;
    sum.stale += report.stale;
    letters.push(...report.letters);
    for (const [kind, count] of Object.entries(report.conflicts)) conflicts[kind] = (conflicts[kind] ?? 0) + count;
  }
  return { ...sum, conflicts, letters };
}

/** The hlc of the newest heartbeat among them: everything its region wrote before is in this partition before it. */
function watermarkOf(deliveries: readonly Delivery[]): bigint {
  let highest = 0n;
  for (const { change } of deliveries) if (change.table === HEARTBEAT_TABLE && change.version.hlc > highest) highest = change.version.hlc;
  return highest;
}
