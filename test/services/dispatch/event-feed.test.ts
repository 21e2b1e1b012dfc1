/** Claims of the feed: every event once and in order, by poll or by nudge; it ends when told, and only then. */
import { describe, expect, test } from 'vitest';
import { EventFeed, PAGE_LIMIT } from '../../../services/dispatch/events/event-feed.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

type Event = { key: bigint; seq: bigint };

/** Long enough that no poll comes in while a test runs. */
const NEVER_MS = 3_600_000;

class Table {
  readonly events: Event[] = [];
  reads = 0;
  polls: number[] = [];
  readonly #feeds: EventFeed<Event>[] = [];

  append(key: bigint): void {
    this.events.push({ key, seq: BigInt(this.events.filter((event) => event.key === key).length + 1) });
  }

  feed(pollMs: number): EventFeed<Event> {
    const feed = new EventFeed<Event>({
      source: {
        name: 'test',
        newest: async (keys) => {
          this.polls.push(keys.length);
          const newest = new Map<bigint, bigint>();
          for (const { key, seq } of this.events) if (keys.includes(key)) newest.set(key, seq);
          return newest;
        },
        read: async ({ key, after, limit }) => {
          this.reads += 1;
          return this.events.filter((event) => event.key === key && event.seq > after).slice(0, limit);
        },
        seqOf: (event) => event.seq,
      },
      log: SILENT_LOG,
      pollMs,
    });
    feed.start();
    this.#feeds.push(feed);
    return feed;
  }
}

async function take(stream: AsyncIterator<Event[]>, count: number): Promise<bigint[]> {
  const seqs: bigint[] = [];
  while (seqs.length < count) {
    const { value, done } = await stream.next();
    if (done === true) break;
    seqs.push(...value.map((event: Event) => event.seq));
  }
  return seqs;
}

describe('EventFeed', () => {
  test('replays what is after the named event, more than a page of it too, then goes on with each new one', async () => {
    const table = new Table();
    for (let count = 0; count < PAGE_LIMIT * 2 + 5; count += 1) table.append(7n);
    const feed = table.feed(NEVER_MS);
    const stream = feed.follow(7n, 3n, new AbortController().signal);
    const replayed = await take(stream, PAGE_LIMIT * 2 + 2);
    expect(replayed).toEqual(Array.from({ length: PAGE_LIMIT * 2 + 2 }, (_, index) => BigInt(index + 4)));
    const next = take(stream, 1);
    table.append(7n);
    feed.nudge(7n);
    expect(await next).toEqual([BigInt(PAGE_LIMIT * 2 + 6)]);
    await feed.stop();
  });

  test('finds by polling what no nudge told of, with one question for all keys', async () => {
    const table = new Table();
    const feed = table.feed(5);
    const streams = [1n, 2n, 3n].map((key) => feed.follow(key, 0n, new AbortController().signal));
    const first = streams.map((stream) => take(stream, 1));
    table.append(2n);
    expect(await first[1]).toEqual([1n]);
    expect(Math.max(...table.polls)).toBeLessThanOrEqual(3);
    const readsBefore = table.reads;
    table.append(1n);
    table.append(3n);
    await Promise.all(first);
    expect(table.reads - readsBefore).toBeLessThanOrEqual(2);
    await feed.stop();
  });

  test('ends quietly when the follower leaves, and forgets them', async () => {
    const feed = new Table().feed(NEVER_MS);
    const leaving = new AbortController();
    const stream = feed.follow(1n, 0n, leaving.signal);
    const waiting = stream.next();
    expect(feed.followerCount).toBe(1);
    leaving.abort();
    expect((await waiting).done).toBe(true);
    expect(feed.followerCount).toBe(0);
    await feed.stop();
  });

  test('ends every stream when it stops', async () => {
    const feed = new Table().feed(NEVER_MS);
    const waiting = [1n, 1n, 2n].map((key) => feed.follow(key, 0n, new AbortController().signal).next());
    await feed.stop();
    expect((await Promise.all(waiting)).map(({ done }) => done)).toEqual([true, true, true]);
  });
});
