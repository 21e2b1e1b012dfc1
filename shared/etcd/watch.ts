/**
 * A live copy of all keys under a prefix, over plain watch streams and our own reconnection.
 *
 * Invariant: each snapshot delivered is the state of the prefix at some revision, revisions never go back, and once
 * etcd answers again after any fault (member killed or frozen, leader lost, history compacted) the newest state is
 * delivered. After a fault the prefix is listed anew, so a compacted history cannot lose anything.
 *
 * HAZARD: it is level-triggered. Values that came and went during a fault are never seen, and while no majority answers
 * the snapshot is old: staleMs() says how old. Nobody may take a snapshot for permission to write; that is what epochs,
 * leases and the fence are for.
 * HAZARD: a frozen member, or a cable pulled without a FIN, leaves a stream open and silent; a member cut off from the
 * majority goes on answering on the stream, with nothing to tell, for seconds even where it was told to require a leader.
 * Hence every second a progress request on the stream, and a read of the same member that only a majority can answer;
 * when either stays unanswered for three, the stream is dropped.
 */
import { performance } from 'node:perf_hooks';
import type { Etcd3 } from 'etcd3';
import { sleep } from '../kernel/deadline.ts';
import type { LogSink } from '../kernel/log-sink.ts';
import { pauseMs } from '../kernel/retry.ts';
import type { Members } from './members.ts';
import { listPrefix, prefixEnd } from './prefix.ts';

const PROBE_EVERY_MS = 1000;
const SILENCE_MS_MAX = 3000;
const LIST_DEADLINE_MS = 5000;
const RECONNECT = { baseMs: 50, maxMs: 1000 } as const;

export interface Watch {
  /** The newest snapshot delivered. */
  readonly snapshot: ReadonlyMap<string, string>;
  /** How long ago it was last proved that this view is alive and a majority stands behind it. */
  staleMs(): number;
  stop(): void;
}

type OnChange = (snapshot: ReadonlyMap<string, string>) => void;

/** Resolves once the first snapshot has been delivered; throws etcd-unavailable where that cannot be had. */
export async function startWatch(
  { members, log }: { members: Members; log: LogSink }, prefix: string, onChange: OnChange, signal?: AbortSignal,
): Promise<Watch> {
  const watch = new PrefixWatch(members, log, prefix, onChange);
  signal?.addEventListener('abort', () => watch.stop(), { once: true });
  await watch.start();
  if (signal?.aborted === true) watch.stop();
  return watch;
}

class PrefixWatch implements Watch {
  readonly #members: Members;
  readonly #log: LogSink;
  readonly #prefix: string;
  readonly #onChange: OnChange;
  readonly #stopping = new AbortController();
  #snapshot: ReadonlyMap<string, string> = new Map();
  #provenAtMs = performance.now();

  constructor(members: Members, log: LogSink, prefix: string, onChange: OnChange) {
    this.#members = members;
    this.#log = log;
    this.#prefix = prefix;
    this.#onChange = onChange;
  }

  get snapshot(): ReadonlyMap<string, string> {
    return this.#snapshot;
  }

  staleMs(): number {
    return performance.now() - this.#provenAtMs;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async start(): Promise<void> {
    const { values, revision } = await this.#list();
    this.#deliver(values);
    void this.#followForEver(revision);
  }

  /** Ends only with stop(). A throw of onChange is a programmer's error: it surfaces as an unhandled rejection. */
  async #followForEver(listedRevision: bigint): Promise<void> {
    let revision: bigint | undefined = listedRevision;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      if (revision !== undefined) {
        const startedAtMs = performance.now();
        const why: unknown = await this.#follow(revision);
        if (this.#stopping.signal.aborted) return;
        // A stream that lived a while was healthy: its end is a new outage.
        if (performance.now() - startedAtMs > SILENCE_MS_MAX) failures = 0;
        this.#log.warn({ prefix: this.#prefix, err: why }, 'etcd: a watch broke off; listing anew');
        revision = undefined;
      }
      failures += 1;
      if (failures > 1 && !(await this.#pause(failures))) return;
      const listed: Listed | undefined = await this.#tryList(failures);
      if (this.#stopping.signal.aborted) return;
      if (listed === undefined) continue;
      if (!sameEntries(listed.values, this.#snapshot)) this.#deliver(listed.values);
      revision = listed.revision;
    }
  }

  /** Follows the changes after `revision` on one member; resolves to the reason why that came to an end. */
  async #follow(revision: bigint): Promise<unknown> {
    const { index, client } = this.#members.pick();
    try {
      const stream = await client.watchClient.watch();
      return await new Promise<unknown>((resolve) => this.#drive(client, stream, revision, (why, isMembersFault) => {
        if (isMembersFault) this.#members.failed(index, why);
        resolve(why);
      }));
    } catch (e) {
      this.#members.failed(index, e);
      return e;
    }
  }

  #drive(client: Etcd3, stream: WatchStream, revision: bigint, onEnd: (why: unknown, isMembersFault: boolean) => void): void {
    let heardAtMs = performance.now();
    let majorityAtMs = heardAtMs;
    let isOver = false;
    const end = (why: unknown, isMembersFault: boolean): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(ticker);
      this.#stopping.signal.removeEventListener('abort', onStop);
      stream.cancel();
      onEnd(why, isMembersFault);
    };
    const prove = (): void => {
      if (!isOver) this.#provenAtMs = Math.min(heardAtMs, majorityAtMs);
    };
    const onStop = (): void => end(new Error('stopped'), false);
    const ticker = setInterval(() => {
      const silentMs = performance.now() - Math.min(heardAtMs, majorityAtMs);
      if (silentMs > SILENCE_MS_MAX) {
        end(new Error(`no sign of ${heardAtMs < majorityAtMs ? 'the stream' : 'a majority'} for ${Math.round(silentMs)} ms`), true);
        return;
      }
      stream.write({ progress_request: {} });
      const askedAtMs = performance.now();
      client.kv.range({ key: Buffer.from(this.#prefix) }, { deadline: Date.now() + PROBE_EVERY_MS }).then(
        () => {
          majorityAtMs = Math.max(majorityAtMs, askedAtMs);
          return prove();
        },
        () => undefined, // unanswered: the time since the last answer says it
      );
    }, PROBE_EVERY_MS);
    this.#stopping.signal.addEventListener('abort', onStop, { once: true });
    stream.on('error', (e) => end(e, true));
    stream.on('end', () => end(new Error('the stream ended'), true));
    stream.on('data', (response) => {
      if (isOver) return;
      heardAtMs = performance.now();
      prove();
      if (response.canceled) end(new Error(`cancelled by etcd: ${cancelReason(response)}`), false);
      else if (response.events.length > 0) this.#apply(response.events);
    });
    stream.write({
      create_request: { key: Buffer.from(this.#prefix), range_end: prefixEnd(this.#prefix), start_revision: String(revision + 1n) },
    });
  }

  #apply(events: WatchResponse['events']): void {
    const next = new Map(this.#snapshot);
    for (const { type, kv } of events) {
      if ((type as string).toLowerCase() === 'delete') next.delete(kv.key.toString());
      else next.set(kv.key.toString(), kv.value.toString());
    }
    this.#deliver(next);
  }

  #deliver(snapshot: ReadonlyMap<string, string>): void {
    this.#snapshot = snapshot;
    this.#onChange(snapshot);
  }

  async #tryList(failures: number): Promise<Listed | undefined> {
    try {
      return await this.#list();
    } catch (e) {
      // The first failure of an outage was logged by the broken stream, or is logged here.
      if (failures === 1) this.#log.warn({ prefix: this.#prefix, err: e }, 'etcd: a watched prefix cannot be listed; trying on');
      return undefined;
    }
  }

  async #list(): Promise<Listed> {
    const { entries, revision } = await listPrefix(this.#members, this.#prefix, LIST_DEADLINE_MS);
    this.#provenAtMs = performance.now();
    return { values: new Map([...entries].map(([key, { value }]) => [key, value])), revision };
  }

  /** False when stopped meanwhile. */
  async #pause(failures: number): Promise<boolean> {
    try {
      await sleep(pauseMs(failures, RECONNECT), this.#stopping.signal);
      return true;
    } catch {
      return false;
    }
  }
}

interface Listed {
  readonly values: Map<string, string>;
  readonly revision: bigint;
}

type WatchStream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;
type WatchResponse = Parameters<Parameters<WatchStream['on']>[1]>[0] & { events: { type: unknown; kv: { key: Buffer; value: Buffer } }[] };

function cancelReason(response: { cancel_reason?: string; compact_revision?: string }): string {
  if (response.compact_revision !== undefined && response.compact_revision !== '0') return `history compacted at ${response.compact_revision}`;
  return response.cancel_reason || 'no reason given';
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
