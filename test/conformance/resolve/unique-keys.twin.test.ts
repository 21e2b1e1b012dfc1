/** Values that only one row may have: collisions between different rows, values that change hands, foreign keys out of order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines } from '../../harness/mysql.ts';
import { SIDES, startTwin } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { describePlays } from './play-suite.ts';
import type { Case } from './played.ts';

/** Letter case and trailing spaces mean nothing in its keys. */
const SEATS = `CREATE TABLE seats (
  id BIGINT NOT NULL PRIMARY KEY, code VARCHAR(40) NULL, hall BIGINT NULL, place INT NULL, body VARCHAR(40) NOT NULL DEFAULT '',
  unit TINYINT UNSIGNED NOT NULL DEFAULT 2,
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_code (code), UNIQUE KEY one_place (hall, place)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci`;
const SHOW = "CONCAT_WS(' ', NULLIF(body, ''), code, CONCAT(hall, '/', place))";

/** The schema has no foreign keys; a house that adds one must not stop replication with it. */
const VERSIONED = 'unit TINYINT UNSIGNED NOT NULL, _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE';
const FAMILY = {
  parents: `CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY, ${VERSIONED})`,
  children: `CREATE TABLE children (id BIGINT NOT NULL PRIMARY KEY, parent_id BIGINT NOT NULL, ${VERSIONED}, FOREIGN KEY (parent_id) REFERENCES parents (id))`,
};

const CASES: readonly Case[] = [
  {
    name: 'two inserts want one value: the older row is set aside on both sides',
    when: ["east: INSERT INTO seats (id, code) VALUES ($1, '~a')", "west: INSERT INTO seats (id, code) VALUES ($2, '~a')"],
    rows: ['$2 ~a'], conflicts: ['east unique set-aside $1', 'west unique set-aside $1'],
    and: ({ conflicts: { east, west } }) => {
      expect(east[0]).toMatchObject({ id: west[0]?.id, rule: 'unique' });
      for (const kept of [east[0], west[0]]) expect([kept?.local?.['id'], kept?.remote?.['id']].toSorted()).toEqual(['$1', '$2']);
    },
  },
  {
    name: 'two inserts want one value, the west first: the order of ids means nothing',
    when: ["west: INSERT INTO seats (id, code) VALUES ($2, '~a')", "east: INSERT INTO seats (id, code) VALUES ($1, '~a')"],
    rows: ['$1 ~a'], conflicts: ['east unique set-aside $2', 'west unique set-aside $2'],
  },
  {
    name: 'an update against an insert: the later write has the value',
    given: ["east: INSERT INTO seats (id, code) VALUES ($1, '~old')"],
    when: ["west: INSERT INTO seats (id, code) VALUES ($2, '~a')", "east: UPDATE seats SET code = '~a' WHERE id = $1"],
    rows: ['$1 ~a'],
  },
  {
    name: 'two updates of different rows to one value: the older row is set aside with what it held',
    given: ["east: INSERT INTO seats (id, code, body) VALUES ($1, '~1', 'one'), ($2, '~2', 'two')"],
    when: ["east: UPDATE seats SET code = '~a' WHERE id = $1", "west: UPDATE seats SET code = '~a' WHERE id = $2"],
    rows: ['$2 two ~a'], conflicts: ['east unique set-aside $1', 'west unique set-aside $1'],
    and: ({ conflicts: { east } }) => expect(JSON.stringify(east)).toContain('"body":"one"'),
  },
  {
    name: 'a composite key: both columns must agree to collide',
    when: [
      'east: INSERT INTO seats (id, hall, place) VALUES ($1, $9, 1), ($2, $9, 2)',
      'west: INSERT INTO seats (id, hall, place) VALUES ($3, $9, 2), ($4, $9, 3), ($5, $8, 1)',
    ],
    rows: ['$1 $9/1', '$3 $9/2', '$4 $9/3', '$5 $8/1'], conflicts: ['east unique set-aside $2', 'west unique set-aside $2'],
  },
  {
    name: 'NULL never collides, nor does a composite key with a NULL in it',
    when: [
      "east: INSERT INTO seats (id, code, hall, body) VALUES ($1, NULL, $9, 'e'), ($2, NULL, $9, 'e')",
      "west: INSERT INTO seats (id, code, hall, body) VALUES ($3, NULL, $9, 'w'), ($4, NULL, NULL, 'w')",
    ],
    rows: ['$1 e', '$2 e', '$3 w', '$4 w'], conflicts: [],
  },
  {
    name: "letter case: 'A' and 'a' are one value where the collation says so",
    when: ["east: INSERT INTO seats (id, code) VALUES ($1, '~A')", "west: INSERT INTO seats (id, code) VALUES ($2, '~a')"],
    rows: ['$2 ~a'], conflicts: ['east unique set-aside $1', 'west unique set-aside $1'],
  },
  {
    name: 'accents and trailing spaces are one value where the collation says so',
    when: ["west: INSERT INTO seats (id, code, body) VALUES ($2, '~a  ', 'w'), ($4, '~é', 'w')", "east: INSERT INTO seats (id, code, body) VALUES ($1, '~a', 'e'), ($3, '~e', 'e')"],
    rows: ['$1 e ~a', '$3 e ~e'], conflicts: SIDES.flatMap((side) => [`${side} unique set-aside $2`, `${side} unique set-aside $4`]),
  },
  {
    name: 'one row loses to another, and that one to a third: only the newest of each value stands',
    given: ["east: INSERT INTO seats (id, code, hall, place) VALUES ($1, '~1', $9, 1)"],
    when: [
      "east: UPDATE seats SET code = '~x' WHERE id = $1", "west: INSERT INTO seats (id, code, hall, place) VALUES ($2, '~x', $9, 2)",
      "east: INSERT INTO seats (id, code, hall, place) VALUES ($3, '~y', $9, 2)",
    ],
    rows: ['$3 ~y $9/2'],
  },
  {
    name: 'one insert against two rows at once, one by each key: both older rows are set aside',
    when: [
      "east: INSERT INTO seats (id, code, hall, place) VALUES ($1, '~a', NULL, NULL), ($2, NULL, $9, 1)",
      "west: INSERT INTO seats (id, code, hall, place) VALUES ($3, '~a', $9, 1)",
    ],
    rows: ['$3 ~a $9/1'], conflicts: SIDES.flatMap((side) => [`${side} unique set-aside $1`, `${side} unique set-aside $2`]),
  },
  {
    name: 'a row that was set aside and is written anew stands again',
    when: [
      "east: INSERT INTO seats (id, code, body) VALUES ($1, '~a', 'first')", "west: INSERT INTO seats (id, code) VALUES ($2, '~a')",
      "east: UPDATE seats SET code = '~b', body = 'again' WHERE id = $1",
    ],
    rows: ['$1 again ~b', '$2 ~a'],
  },
  {
    name: 'a row that loses against its own other self and then loses its value: both images are kept',
    given: ["east: INSERT INTO seats (id, code, body) VALUES ($1, '~1', 'base')"],
    when: [
      "east: UPDATE seats SET body = 'mine' WHERE id = $1", "west: UPDATE seats SET body = 'theirs', code = '~x' WHERE id = $1",
      "east: INSERT INTO seats (id, code, body) VALUES ($2, '~x', 'newest')",
    ],
    rows: ['$2 newest ~x'],
    and: ({ conflicts: { east, west } }) => {
      const bodies = [...east, ...west].flatMap(({ local, remote }) => [local?.['body'], remote?.['body']]);
      expect(bodies).toEqual(expect.arrayContaining(['mine', 'theirs']));
    },
  },
  {
    name: 'a row that loses its value does not take its transaction with it',
    when: [
      "east: INSERT INTO seats (id, code) VALUES ($1, '~a'); INSERT INTO seats (id, code) VALUES ($2, '~b'); INSERT INTO seats (id, code) VALUES ($3, '~c')",
      "west: INSERT INTO seats (id, code) VALUES ($4, '~b')",
    ],
    rows: ['$1 ~a', '$3 ~c', '$4 ~b'], conflicts: ['east unique set-aside $2', 'west unique set-aside $2'],
  },
  {
    name: 'a value freed by a delete of the peer and taken here',
    given: ["east: INSERT INTO seats (id, code) VALUES ($1, '~a')"],
    when: ['west: DELETE FROM seats WHERE id = $1', "west: INSERT INTO seats (id, code) VALUES ($2, '~a')"],
    rows: ['$2 ~a'], conflicts: [],
  },
  {
    name: 'a value taken over within a transaction: delete and insert',
    given: ["east: INSERT INTO seats (id, code) VALUES ($1, '~a')"],
    when: ["east: DELETE FROM seats WHERE id = $1; INSERT INTO seats (id, code) VALUES ($2, '~a')"],
    rows: ['$2 ~a'], conflicts: [],
  },
  {
    name: 'two rows swap a value within a transaction',
    given: ["east: INSERT INTO seats (id, code) VALUES ($1, '~a'), ($2, '~b')"],
    when: ["east: UPDATE seats SET code = '~t' WHERE id = $1; UPDATE seats SET code = '~a' WHERE id = $2; UPDATE seats SET code = '~b' WHERE id = $1"],
    rows: ['$1 ~b', '$2 ~a'], conflicts: [],
  },
  {
    name: 'two rows swap a value by way of NULL, and a composite one besides',
    given: ["east: INSERT INTO seats (id, code, hall, place) VALUES ($1, '~a', $9, 1), ($2, '~b', $9, 2)"],
    when: [
      "west: UPDATE seats SET code = NULL, place = NULL WHERE id = $1; UPDATE seats SET code = '~a', place = 1 WHERE id = $2; UPDATE seats SET code = '~b', place = 2 WHERE id = $1",
    ],
    rows: ['$1 ~b $9/2', '$2 ~a $9/1'], conflicts: [],
  },
  {
    name: 'three rows pass their values round within a transaction',
    given: ["east: INSERT INTO seats (id, code) VALUES ($1, '~a'), ($2, '~b'), ($3, '~c')"],
    when: [
      "east: UPDATE seats SET code = '~t' WHERE id = $1; UPDATE seats SET code = '~a' WHERE id = $2; UPDATE seats SET code = '~b' WHERE id = $3; UPDATE seats SET code = '~c' WHERE id = $1",
    ],
    rows: ['$1 ~c', '$2 ~a', '$3 ~b'], conflicts: [],
  },
  {
    name: 'two rows swap a value while the peer changes one of them: the later write of each row stands',
    given: ["east: INSERT INTO seats (id, code, body) VALUES ($1, '~a', ''), ($2, '~b', '')"],
    when: [
      "east: UPDATE seats SET code = '~t' WHERE id = $1; UPDATE seats SET code = '~a' WHERE id = $2; UPDATE seats SET code = '~b' WHERE id = $1",
      "west: UPDATE seats SET body = 'west' WHERE id = $1",
    ],
    // The west's image of $1 still has ~a, which the east has given to $2: the older row of the two is set aside.
    rows: ['$1 west ~a'],
  },
  {
    name: 'a value moves to a row of another unit: the two partitions may arrive in any order',
    given: ["east: INSERT INTO seats (id, code, unit) VALUES ($1, '~a', 0)"],
    when: ["east: UPDATE seats SET code = NULL, body = 'gave' WHERE id = $1; INSERT INTO seats (id, code, unit) VALUES ($2, '~a', 1)"],
    // Either the giver is older when the taker comes (it is set aside, and comes back with its own newer version), or it has given already.
    rows: ['$1 gave', '$2 ~a'],
  },
  {
    name: 'REPLACE that removes another row through its unique value, in one statement',
    given: ["east: INSERT INTO seats (id, code, body) VALUES ($1, '~a', 'first')"],
    when: ["east: REPLACE INTO seats (id, code, body) VALUES ($2, '~a', 'second')"],
    rows: ['$2 second ~a'], conflicts: [],
  },
  {
    name: 'INSERT … ON DUPLICATE KEY UPDATE that hits a row by its unique value changes that row',
    given: ["east: INSERT INTO seats (id, code, body) VALUES ($1, '~a', 'first')"],
    when: ["west: INSERT INTO seats (id, code, body) VALUES ($2, '~a', 'x') ON DUPLICATE KEY UPDATE body = 'hit'"],
    rows: ['$1 hit ~a'], conflicts: [],
  },
];

describe.each(await engines())('unique values on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: { seats: SEATS, ...FAMILY } });
    await twin.startAll();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  describePlays(() => twin, { table: 'seats', show: SHOW, cases: CASES });

  it('foreign keys out of order: a child in another partition than its parent arrives whichever comes first', async () => {
    await Promise.all(SIDES.map((side) => twin.of(side).stopApply()));
    const { sql } = twin.east;
    for (let id = 1; id <= 20; id += 1) {
      await sql.execute('START TRANSACTION');
      await sql.execute('INSERT INTO parents (id, unit) VALUES (?, ?)', [id, id % 4]);
      await sql.execute('INSERT INTO children (id, parent_id, unit) VALUES (?, ?, ?)', [id, id, (id + 1) % 4]);
      await sql.execute('COMMIT');
    }
    await sql.execute('UPDATE children SET parent_id = 1 WHERE id > 10');
    await sql.execute('DELETE FROM parents WHERE id > 10');
    for (const side of SIDES) twin.of(side).startApply();
    await twin.settle();
    expect(await twin.west.rowsOf('children')).toEqual(await twin.east.rowsOf('children'));
    expect((await twin.west.rowsOf('parents')).map((row) => row['id'])).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 1)));
  });
});
