/** Merged tables: both regions write one ride without seeing each other, and each group of columns is decided by its own rule. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConflictRules } from '../../../shared/schema/conflict-rules-file.ts';
import { engines } from '../../harness/mysql.ts';
import { startTwin } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { describePlays } from './play-suite.ts';
import { conflictsOf } from './played.ts';
import type { Case } from './played.ts';

/** A ride as booked, with what the cases look at to choose. */
function ride(id: string, { status = 'requested', quote = id, fare = 100 }: { status?: string; quote?: string; fare?: number } = {}): string {
  return `INSERT INTO rides (id, quote_id, rider_id, payer_unit, status, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, seats, pooled, fare_cents,
    currency, breakdown, otp, latest_pickup_at, latest_arrival_at, unit)
    VALUES (${id}, ${quote}, 7, 1, '${status}', 1.5, 2.5, 3.5, 4.5, 1, 0, ${fare}, 'USD', '{}', '1234', '2026-01-01', '2026-01-01', 2)`;
}
const SHOW = "CONCAT_WS(' ', status, IFNULL(status_reason, '-'), CONCAT('otp=', otp_failures), CONCAT('seq=', event_seq), CONCAT('rating=', IFNULL(rating, '-')), CONCAT('fare=', fare_cents))";
const booked = (parts: { status?: string; reason?: string; otp?: number; seq?: number; rating?: number; fare?: number } = {}): string =>
  `${parts.status ?? 'requested'} ${parts.reason ?? '-'} otp=${parts.otp ?? 0} seq=${parts.seq ?? 0} rating=${parts.rating ?? '-'} fare=${parts.fare ?? 100}`;

const CASES: readonly Case[] = [
  {
    name: 'column groups: the east rates the ride while the west moves its status, and both stand',
    given: [`east: ${ride('$1')}`],
    when: ['east: UPDATE rides SET rating = 5 WHERE id = $1', "west: UPDATE rides SET status = 'assigned', driver_id = 9 WHERE id = $1"],
    rows: [`$1 ${booked({ status: 'assigned', rating: 5 })}`],
  },
  {
    name: 'one group from both sides: the later write of that group stands, and the other is kept',
    given: [`east: ${ride('$1')}`],
    when: ['west: UPDATE rides SET rating = 1 WHERE id = $1', 'east: UPDATE rides SET rating = 5 WHERE id = $1'],
    rows: [`$1 ${booked({ rating: 5 })}`],
    and: ({ conflicts: { east, west } }) => {
      expect([...east, ...west].flatMap(({ local, remote }) => [local?.['rating'], remote?.['rating']])).toContain(1);
      expect(east[0]?.id).toBe(west[0]?.id);
    },
  },
  {
    name: 'a counter sums what both regions added',
    given: [`east: ${ride('$1')}`, 'east: UPDATE rides SET otp_failures = otp_failures + 1 WHERE id = $1'],
    when: [
      'east: UPDATE rides SET otp_failures = otp_failures + 2 WHERE id = $1', 'west: UPDATE rides SET otp_failures = otp_failures + 3 WHERE id = $1',
      'east: UPDATE rides SET otp_failures = otp_failures + 1 WHERE id = $1', 'west: UPDATE rides SET otp_failures = otp_failures + 1 WHERE id = $1; UPDATE rides SET otp_failures = otp_failures + 1 WHERE id = $1',
    ],
    rows: [`$1 ${booked({ otp: 9 })}`],
  },
  {
    name: 'a counter that goes down here and up there',
    given: [`west: ${ride('$1')}`, 'west: UPDATE rides SET otp_failures = 10 WHERE id = $1'],
    when: ['east: UPDATE rides SET otp_failures = otp_failures - 4 WHERE id = $1', 'west: UPDATE rides SET otp_failures = otp_failures + 2 WHERE id = $1'],
    rows: [`$1 ${booked({ otp: 8 })}`],
  },
  {
    name: 'a state machine: the further state stands, though its write is the older one',
    given: [`east: ${ride('$1')}`],
    when: [
      "east: UPDATE rides SET status = 'assigned' WHERE id = $1; UPDATE rides SET status = 'arrived', status_reason = 'here' WHERE id = $1",
      "west: UPDATE rides SET status = 'assigned', status_reason = 'late' WHERE id = $1",
    ],
    rows: [`$1 ${booked({ status: 'arrived', reason: 'here' })}`],
  },
  {
    name: 'two final states side by side: the later one, with the columns that belong to it',
    given: [`east: ${ride('$1', { status: 'onboard' })}`],
    when: ["east: UPDATE rides SET status = 'cancelled', status_reason = 'east' WHERE id = $1", "west: UPDATE rides SET status = 'completed', status_reason = 'west' WHERE id = $1"],
    rows: [`$1 ${booked({ status: 'completed', reason: 'west' })}`],
  },
  {
    name: 'max: the higher value stands, though its write is the older one',
    given: [`east: ${ride('$1')}`],
    when: ['east: UPDATE rides SET event_seq = 8 WHERE id = $1', 'west: UPDATE rides SET event_seq = 3 WHERE id = $1'],
    rows: [`$1 ${booked({ seq: 8 })}`],
  },
  {
    name: 'all groups at once: each decided by itself',
    given: [`east: ${ride('$1')}`],
    when: [
      "west: UPDATE rides SET status = 'arrived', otp_failures = otp_failures + 1, rating = 2, event_seq = 4, fare_cents = 222 WHERE id = $1",
      "east: UPDATE rides SET status = 'assigned', otp_failures = otp_failures + 1, rating = 4, event_seq = 2, fare_cents = 444 WHERE id = $1",
    ],
    rows: [`$1 ${booked({ status: 'arrived', otp: 2, rating: 4, seq: 4, fare: 444 })}`],
  },
  {
    name: 'a delete against a counter: the delete wins, and what was added is kept on record',
    given: [`east: ${ride('$1')}`],
    when: ['west: UPDATE rides SET otp_failures = otp_failures + 3 WHERE id = $1', 'east: DELETE FROM rides WHERE id = $1'],
    rows: [],
    and: ({ conflicts: { east, west } }) => expect([...east, ...west].flatMap(({ local, remote }) => [local?.['otp_failures'], remote?.['otp_failures']])).toContain(3),
  },
  {
    name: 'a delete against a later update: the delete wins all the same, for nobody inserted the ride anew',
    given: [`east: ${ride('$1')}`],
    when: ['east: DELETE FROM rides WHERE id = $1', 'west: UPDATE rides SET rating = 3 WHERE id = $1'],
    rows: [],
    and: ({ conflicts: { east, west } }) => expect([...east, ...west].flatMap(({ local, remote }) => [local?.['rating'], remote?.['rating']])).toContain(3),
  },
  {
    name: 'a ride inserted anew after its delete has nothing of its first life',
    given: [`east: ${ride('$1')}`],
    when: ['west: UPDATE rides SET otp_failures = 5, rating = 1 WHERE id = $1', 'east: DELETE FROM rides WHERE id = $1', `east: ${ride('$1', { fare: 333 })}`],
    rows: [`$1 ${booked({ fare: 333 })}`],
  },
  {
    name: 'inserted in both regions: the later one stands whole',
    when: [`west: ${ride('$1', { fare: 222, status: 'completed' })}`, `east: ${ride('$1', { fare: 444, quote: '$2' })}`],
    rows: [`$1 ${booked({ fare: 444 })}`], conflicts: ['east insert-insert kept-local $1', 'west insert-insert took-remote $1'],
  },
  {
    name: 'two rides want one quote: the older ride is set aside, though it was written last',
    when: [`west: ${ride('$1', { quote: '$9', fare: 222 })}`, `east: ${ride('$2', { quote: '$9', fare: 444 })}`, 'west: UPDATE rides SET rating = 5 WHERE id = $1'],
    rows: [`$2 ${booked({ fare: 444 })}`],
    // A region that sets it aside before it hears of the rating keeps that on record, too.
    and: (found) => expect(conflictsOf(found)).toEqual(expect.arrayContaining(['east unique set-aside $1', 'west unique set-aside $1'])),
  },
];

describe.each(await engines())('merged tables on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine);
    await twin.startAll();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  describePlays(() => twin, { table: 'rides', show: SHOW, cases: CASES });

  it.each([
    ['status', "status = 'requested'", "status = 'onboard'"], ['event_seq', 'event_seq = 3', 'event_seq = 9'],
  ])('a local write that goes against its rule is refused, and told why: %s', async (column, back, forth) => {
    const id = column === 'status' ? '901' : '902';
    await twin.east.sql.execute(ride(id));
    await twin.east.sql.execute(`UPDATE rides SET ${forth} WHERE id = ${id}`);
    await expect(twin.east.sql.execute(`UPDATE rides SET ${back} WHERE id = ${id}`)).rejects.toThrow(new RegExp(`rides.*${column}`));
  });

  it('rules that do not fit are refused at start, all problems named at once', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'tandem-rules-'));
    try {
      const file = path.join(dir, 'rules.yaml');
      await writeFile(file, `version: 1
tables:
  riddes: { groups: { a: { rule: lww, columns: [status] } } }
  rides:
    groups:
      a: { rule: max, columns: [event_seqq] }
      b: { rule: counter, columns: [otp] }
      c: { rule: lww, columns: [rating] }
      d: { rule: lww, columns: [rating] }
    unique: { no_such_key: set-aside }
  accounts: { groups: { a: { rule: lww, columns: [display_name] } } }
  vehicles: { groups: { a: { rule: strongest, columns: [plate] } } }
`);
      const refusal = await loadConflictRules(twin.east.sql, { file }).then(() => undefined, (error: unknown) => error as Error & { code: string });
      expect(refusal?.code).toBe('conflict-rules-invalid');
      for (const named of ['riddes', 'event_seqq', 'otp', 'rating', 'no_such_key', 'accounts', 'strongest']) expect(refusal?.message).toContain(named);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
