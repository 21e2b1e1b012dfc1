/**
 * One membership in a consumer group, from join to the first failure: a single kafkajs consumer, never restarted.
 *
 * Invariant: after each assignment a partition's first message delivered is the one that startAt names; from then on
 * its messages come in offset order, one batch at a time, none twice unless the reader seeks back. What was to be read
 * and is gone (retention, a topic made anew) ends the membership, it is never skipped in silence.
 *
 * HAZARD: during a rebalance two members may work on one partition for a moment. isStale() makes that short; only a
 * guarded checkpoint in the reader's own transaction makes it harmless.
 */
import { performance } from 'node:perf_hooks';
import type { Admin, Consumer, EachBatchPayload } from 'kafkajs';
import { assert } from '../kernel/assert.ts';
import { sleep, withDeadline } from '../kernel/deadline.ts';
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';
import type { ConsumerOptions } from './consumer.ts';
import { isKafkaJsError, translateKafkaError } from './kafka-errors.ts';
import { KafkaLink } from './link.ts';
import type { KafkaConfig } from './link.ts';
import { toIncoming } from './message.ts';
import type { IncomingMessage, PartitionOffsets } from './message.ts';
import type { KafkaSession } from './session.ts';
import { topicOffsets } from './topics.ts';

/** The least that brokers allow by default: how long a crashed member holds up its group. */
const SESSION_MS = 6000;
const HEARTBEAT_MS = 1000;
const REBALANCE_MS = 10_000;
const LONG_POLL_MS = 500;
const START_AT_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 5000;
/** kafkajs says something at least every long poll; silence this long means that it hangs. */
const SILENCE_MS_MAX = 15_000;
const SILENCE_CHECK_MS = 1000;

interface Assignment {
  readonly partitions: readonly number[];
  /** The offset each partition's next message is expected to have, at least. */
  readonly next: Map<number, bigint>;
  /** Resolves when `next` is filled, or never will be. */
  readonly ready: PromiseWithResolvers<void>;
}

export class GroupMember {
  readonly #options: ConsumerOptions;
  readonly #admin: KafkaSession<Admin>;
  readonly #link: KafkaLink;
  readonly #consumer: Consumer;
  readonly #onEnd: (error: TandemError) => void;
  readonly #started = Promise.withResolvers<void>();
  readonly #handlers = new Set<Promise<void>>();
  #assignment: Assignment | undefined;
  #state: 'starting' | 'running' | 'over' = 'starting';
  #heardAtMs = performance.now();
  #watchdog: NodeJS.Timeout | undefined;

  /** @param onEnd called at most once, when a membership that had started failed; nothing is delivered after it. */
  constructor(config: KafkaConfig, admin: KafkaSession<Admin>, options: ConsumerOptions, onEnd: (error: TandemError) => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    this.#admin = admin;
    this.#link = new KafkaLink(config);
    this.#consumer = this.#link.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs ?? SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: LONG_POLL_MS,
      ...(options.fetchBytes === undefined ? {} : { maxBytesPerPartition: options.fetchBytes.partition, maxBytes: options.fetchBytes.total }),
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 20, restartOnFailure: async () => false },
    });
    // Not every failure of start() is awaited there.
    this.#started.promise.catch(() => undefined);
    this.#listen();
  }

  /** Resolves once it has joined and knows where to start in each partition. Throws; the member is then over. */
  async start(): Promise<void> {
    const { topic, concurrency = 1 } = this.#options;
    const joining = (async () => {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topic, fromBeginning: true });
      await this.#consumer.run({ autoCommit: false, partitionsConsumedConcurrently: concurrency, eachBatch: (payload) => this.#track(payload) });
    })();
    // Where start() has given up already, a later failure is of no interest.
    joining.catch(() => undefined);
    try {
      await Promise.race([this.#started.promise, joining.then(() => this.#started.promise)]);
    } catch (e) {
      this.#close();
      throw translateKafkaError(e, `consumer ${this.#options.groupId}`);
    }
    this.#state = 'running';
    this.#watchdog = setInterval(() => this.#checkSilence(), SILENCE_CHECK_MS);
  }

  /** Leaves the group where that is possible in time, and waits for handlers that still run. Never throws. */
  async stop(): Promise<void> {
    const wasJoined = this.#state !== 'over';
    this.#state = 'over';
    // Over a link that was cut there is nobody to take leave of.
    if (wasJoined) await withDeadline('kafka consumer stops', STOP_DEADLINE_MS, () => this.#consumer.disconnect()).catch(() => undefined);
    this.#close();
    await Promise.all(this.#handlers);
  }

  #close(): void {
    this.#state = 'over';
    clearInterval(this.#watchdog);
    this.#link.cut();
    // Ends the loops inside of kafkajs; whether it manages to say so is of no interest.
    this.#consumer.disconnect().catch(() => undefined);
  }

  #listen(): void {
    const { GROUP_JOIN, CRASH, FETCH, HEARTBEAT, FETCH_START } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#onJoin(payload.memberAssignment[this.#options.topic] ?? []));
    this.#consumer.on(CRASH, ({ payload }) => this.#fail(payload.error));
    const heard = (): void => void (this.#heardAtMs = performance.now());
    for (const event of [FETCH, FETCH_START, HEARTBEAT]) this.#consumer.on(event, heard);
  }

  #onJoin(partitions: readonly number[]): void {
    this.#heardAtMs = performance.now();
    const assignment = { partitions, next: new Map<number, bigint>(), ready: Promise.withResolvers<void>() };
    this.#assignment = assignment;
    void this.#begin(assignment);
  }

  async #begin(assignment: Assignment): Promise<void> {
    const { partitions, next, ready } = assignment;
    try {
      await this.#findStarts(partitions, next);
      if (this.#assignment !== assignment || this.#state === 'over') return;
      // Only now: a seek drops what kafkajs has fetched meanwhile from wherever it began by itself.
      for (const [partition, offset] of next) this.#seek(partition, offset);
      this.#options.onAssigned?.(partitions);
      this.#started.resolve();
    } catch (e) {
      this.#fail(e);
    } finally {
      ready.resolve();
    }
  }

  async #findStarts(partitions: readonly number[], next: Map<number, bigint>): Promise<void> {
    if (partitions.length === 0) return;
    const offsets = await topicOffsets(this.#admin, this.#options.topic);
    await withDeadline('finding where to start', START_AT_DEADLINE_MS, () => Promise.all(partitions.map(async (partition) => {
      const bounds = offsets.find((each) => each.partition === partition);
      assert(bounds !== undefined, `partition ${partition} was assigned but has no offsets`);
      const start = await this.#options.startAt(partition, bounds);
      if (start < bounds.low || start > bounds.high) throw lost(this.#options.topic, start, bounds);
      next.set(partition, start);
    })));
  }

  async #track(payload: EachBatchPayload): Promise<void> {
    const handling = this.#onBatch(payload);
    const settled = handling.then(() => undefined, () => undefined);
    this.#handlers.add(settled);
    try {
      await handling;
    } finally {
      this.#handlers.delete(settled);
      this.#heardAtMs = performance.now();
    }
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { partition } = payload.batch;
    const assignment = this.#assignment;
    if (assignment === undefined || this.#state === 'over') return;
    await this.#whenReady(assignment, payload);
    const next = assignment.next.get(partition);
    if (next === undefined || this.#isOver(assignment, payload)) return;
    const messages = payload.batch.messages.map(toIncoming);
    const [first] = messages;
    if (first === undefined) return;
    try {
      if (first.offset === next || await this.#isHarmless(partition, first.offset, next)) {
        await this.#deliver(assignment, payload, messages);
      } else {
        this.#seek(partition, next);
      }
    } catch (e) {
      if (isKafkaJsError(e)) throw e; // a rebalance, or a lost broker: kafkajs knows what to do
      this.#fail(e);
    }
  }

  async #deliver(assignment: Assignment, payload: EachBatchPayload, messages: readonly IncomingMessage[]): Promise<void> {
    const { partition, highWatermark } = payload.batch;
    let groupError: unknown;
    let hasSought = false;
    await this.#options.eachBatch({
      partition,
      messages,
      highWatermark: BigInt(highWatermark),
      seek: (offset) => {
        hasSought = true;
        assignment.next.set(partition, offset);
        if (this.#assignment === assignment) this.#seek(partition, offset);
      },
      pause: () => payload.pause(),
      heartbeat: async () => {
        try {
          await withDeadline('kafka heartbeat', SESSION_MS, () => payload.heartbeat());
        } catch (e) {
          groupError ??= e;
        }
      },
      isStale: () => groupError !== undefined || this.#isOver(assignment, payload),
    });
    const last = messages.at(-1);
    assert(last !== undefined, 'a batch is never empty');
    if (!hasSought) assignment.next.set(partition, last.offset + 1n);
    // kafkajs must see that the group is rebalancing in order to join it again.
    if (groupError !== undefined) throw groupError;
  }

  /**
   * For a batch that does not begin where it should. True: offsets were skipped that hold no messages (compaction).
   * False: an old fetch, read again from where we were. Throws kafka-offset-lost where the messages are gone.
   */
  async #isHarmless(partition: number, first: bigint, next: bigint): Promise<boolean> {
    const bounds = (await topicOffsets(this.#admin, this.#options.topic)).find((each) => each.partition === partition);
    if (bounds === undefined || next < bounds.low || next > bounds.high) throw lost(this.#options.topic, next, bounds);
    return first > next;
  }

  /** Waits for startAt while telling the group that this member lives. */
  async #whenReady(assignment: Assignment, payload: EachBatchPayload): Promise<void> {
    const settled = assignment.ready.promise.then(() => true);
    while (!(await Promise.race([settled, sleep(HEARTBEAT_MS).then(() => false)]))) await payload.heartbeat();
  }

  #isOver(assignment: Assignment, payload: EachBatchPayload): boolean {
    return this.#state === 'over' || this.#assignment !== assignment || payload.isStale() || !payload.isRunning();
  }

  #seek(partition: number, offset: bigint): void {
    this.#consumer.seek({ topic: this.#options.topic, partition, offset: String(offset) });
  }

  #checkSilence(): void {
    if (this.#handlers.size > 0 || performance.now() - this.#heardAtMs < SILENCE_MS_MAX) return;
    this.#fail(new TandemError('kafka-unavailable', `the consumer has been silent for ${SILENCE_MS_MAX} ms`));
  }

  #fail(e: unknown): void {
    if (this.#state === 'over') return;
    const wasStarting = this.#state === 'starting';
    this.#close();
    const error = isTandemError(e) || isKafkaJsError(e)
      ? translateKafkaError(e, `consumer ${this.#options.groupId}`)
      : new TandemError('internal', `the reader of ${this.#options.topic} failed: ${String(e)}`, { cause: e });
    if (wasStarting) this.#started.reject(error);
    else this.#onEnd(error);
  }
}

function lost(topic: string, wanted: bigint, bounds: PartitionOffsets | undefined): TandemError {
  const { partition, low, high } = bounds ?? {};
  return new TandemError('kafka-offset-lost', `${topic}/${partition} holds offsets ${low} to ${high}, and ${wanted} is to be read`, {
    details: { topic, partition, wanted: String(wanted), low: String(low), high: String(high) },
  });
}
