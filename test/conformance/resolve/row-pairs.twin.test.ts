/** Two regions write the same row without seeing each other: every pair of what they can do, in both orders of arrival. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines } from '../../harness/mysql.ts';
import { startTwin } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { describePlays } from './play-suite.ts';
import type { Case } from './played.ts';

const NOTES = `CREATE TABLE notes (
  id BIGINT NOT NULL PRIMARY KEY, body VARCHAR(40) NOT NULL, n INT NOT NULL DEFAULT 0, unit TINYINT UNSIGNED NOT NULL DEFAULT 3,
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE) DEFAULT CHARSET=utf8mb4`;

const CASES: readonly Case[] = [
  {
    name: 'insert/insert: the later insert stands, the other is kept',
    when: ["east: INSERT INTO notes (id, body) VALUES ($1, 'east')", "west: INSERT INTO notes (id, body) VALUES ($1, 'west')"],
    rows: ['$1 west'], conflicts: ['east insert-insert took-remote $1', 'west insert-insert kept-local $1'],
  },
  {
    name: 'insert/insert: later in the east as well',
    when: ["west: INSERT INTO notes (id, body) VALUES ($1, 'west')", "east: INSERT INTO notes (id, body) VALUES ($1, 'east')"],
    rows: ['$1 east'], conflicts: ['east insert-insert kept-local $1', 'west insert-insert took-remote $1'],
  },
  {
    name: 'update/update: the later update stands, the other is kept on both sides under one id',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["west: UPDATE notes SET body = 'west' WHERE id = $1", "east: UPDATE notes SET body = 'east' WHERE id = $1"],
    rows: ['$1 east'], conflicts: ['east update-update kept-local $1', 'west update-update took-remote $1'],
    and: ({ conflicts }) => {
      expect(conflicts.east[0]).toMatchObject({ rule: 'lww', local: { body: 'east' }, remote: { body: 'west' } });
      expect(conflicts.west[0]).toMatchObject({ id: conflicts.east[0]?.id, local: { body: 'west' }, remote: { body: 'east' } });
    },
  },
  {
    name: 'update/update: several updates on one side against one on the other',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["east: UPDATE notes SET body = 'east 1' WHERE id = $1", "west: UPDATE notes SET body = 'west' WHERE id = $1", "east: UPDATE notes SET body = 'east 2' WHERE id = $1"],
    rows: ['$1 east 2'],
  },
  {
    name: 'update/delete: a later delete beats the update',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["east: UPDATE notes SET body = 'east' WHERE id = $1", 'west: DELETE FROM notes WHERE id = $1'],
    rows: [], conflicts: ['east delete-update took-remote $1', 'west update-delete kept-local $1'],
    and: ({ conflicts }) => expect(conflicts.west[0]).toMatchObject({ local: null, remote: { body: 'east' } }),
  },
  {
    name: 'delete/update: a later update brings the row back',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['west: DELETE FROM notes WHERE id = $1', "east: UPDATE notes SET body = 'east' WHERE id = $1"],
    rows: ['$1 east'], conflicts: ['east delete-update kept-local $1', 'west update-delete took-remote $1'],
  },
  {
    name: 'delete/delete: gone, and nothing to quarrel about',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['west: DELETE FROM notes WHERE id = $1', 'east: DELETE FROM notes WHERE id = $1'],
    rows: [], conflicts: [],
  },
  {
    name: 'delete, then a late update of what was deleted: it stays gone',
    given: ["west: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["west: UPDATE notes SET body = 'late', n = 1 WHERE id = $1", "west: UPDATE notes SET body = 'later', n = 2 WHERE id = $1", 'east: DELETE FROM notes WHERE id = $1'],
    rows: [],
    and: ({ conflicts }) => {
      // Whoever hears of both updates at once may keep the last one alone.
      expect(conflicts.east.map(({ remote }) => remote?.['body'])).toContain('later');
      expect(conflicts.west.map(({ local }) => local?.['body'])).toEqual(['later']);
    },
  },
  {
    name: 'a re-insert after a delete stands, without a conflict',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')", 'east: DELETE FROM notes WHERE id = $1'],
    when: ["west: INSERT INTO notes (id, body) VALUES ($1, 'again')"],
    rows: ['$1 again'], conflicts: [],
  },
  {
    name: 'a re-insert against a delete of the first life: the new life stands',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['west: DELETE FROM notes WHERE id = $1', 'east: DELETE FROM notes WHERE id = $1', "east: INSERT INTO notes (id, body) VALUES ($1, 'again')"],
    rows: ['$1 again'],
  },
  {
    name: 'a re-insert against a late delete: the later delete wins',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['east: DELETE FROM notes WHERE id = $1', "east: INSERT INTO notes (id, body) VALUES ($1, 'again')", 'west: DELETE FROM notes WHERE id = $1'],
    rows: [],
    and: ({ conflicts }) => expect(conflicts.east.map(({ local }) => local?.['body'])).toEqual(['again']),
  },
  {
    name: 'a re-insert on both sides: the later one stands',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: [
      'east: DELETE FROM notes WHERE id = $1', 'west: DELETE FROM notes WHERE id = $1',
      "west: INSERT INTO notes (id, body) VALUES ($1, 'west')", "east: INSERT INTO notes (id, body) VALUES ($1, 'east')",
    ],
    rows: ['$1 east'],
  },
  {
    name: 'a new primary key: the row has moved, on both sides',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['east: UPDATE notes SET id = $2 WHERE id = $1'],
    rows: ['$2 base'], conflicts: [],
  },
  {
    name: 'a new primary key against an older update: the row moves, the update is kept',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["west: UPDATE notes SET body = 'west' WHERE id = $1", 'east: UPDATE notes SET id = $2 WHERE id = $1'],
    rows: ['$2 base'], conflicts: ['east update-delete kept-local $1', 'west delete-update took-remote $1'],
  },
  {
    name: 'a new primary key against a later update: both stand, for nobody deleted the update',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['east: UPDATE notes SET id = $2 WHERE id = $1', "west: UPDATE notes SET body = 'west' WHERE id = $1"],
    rows: ['$1 west', '$2 base'], conflicts: ['east update-delete took-remote $1', 'west delete-update kept-local $1'],
  },
  {
    name: 'a new primary key onto an id that the peer has inserted: the later one has it',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['east: UPDATE notes SET id = $2 WHERE id = $1', "west: INSERT INTO notes (id, body) VALUES ($2, 'west')"],
    rows: ['$2 west'], conflicts: ['east insert-insert took-remote $2', 'west insert-insert kept-local $2'],
  },
  {
    name: 'a new primary key in both regions, not the same one: one row each, none at the old id',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ['east: UPDATE notes SET id = $2 WHERE id = $1', 'west: UPDATE notes SET id = $3 WHERE id = $1'],
    rows: ['$2 base', '$3 base'],
  },
  {
    name: 'equal versions from both sides, stamped by hand: the higher origin wins in both',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["west: UPDATE notes SET body = 'west', _hlc = _hlc + 1000 WHERE id = $1", "east: UPDATE notes SET body = 'east', _hlc = _hlc + 1000 WHERE id = $1"],
    rows: ['$1 west'], conflicts: ['east update-update took-remote $1', 'west update-update kept-local $1'],
  },
  {
    name: 'equal versions of two inserts, stamped by hand without an origin: the region is stamped in, the higher one wins',
    when: ["west: INSERT INTO notes (id, body, _hlc) VALUES ($1, 'west', 77)", "east: INSERT INTO notes (id, body, _hlc) VALUES ($1, 'east', 77)"],
    rows: ['$1 west'], conflicts: ['east insert-insert took-remote $1', 'west insert-insert kept-local $1'],
    and: ({ versions }) => expect(versions.east['$1']).toBe('77/2'),
  },
  {
    name: 'winning and losing rows in one transaction: each by itself, none goes down with another',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'a'), ($2, 'b'), ($3, 'c')"],
    when: [
      "west: UPDATE notes SET body = 'west early' WHERE id = $1",
      "east: UPDATE notes SET body = 'east' WHERE id IN ($1, $2, $3); INSERT INTO notes (id, body) VALUES ($4, 'east')",
      "west: UPDATE notes SET body = 'west late' WHERE id = $2",
    ],
    rows: ['$1 east', '$2 west late', '$3 east', '$4 east'],
    conflicts: ['east update-update kept-local $1', 'east update-update took-remote $2', 'west update-update kept-local $2', 'west update-update took-remote $1'],
  },
  {
    name: 'one row of many units: REPLACE against an update of the peer, the later one stands',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base'), ($2, 'base')"],
    when: [
      "east: REPLACE INTO notes (id, body) VALUES ($1, 'replaced')", "west: UPDATE notes SET body = 'west' WHERE id IN ($1, $2)",
      "east: REPLACE INTO notes (id, body) VALUES ($2, 'replaced')",
    ],
    rows: ['$1 west', '$2 replaced'],
  },
  {
    name: 'INSERT … ON DUPLICATE KEY UPDATE is an insert here and an update there',
    given: ["east: INSERT INTO notes (id, body, n) VALUES ($1, 'base', 1)"],
    when: ["west: INSERT INTO notes (id, body) VALUES ($1, 'west'), ($2, 'west') ON DUPLICATE KEY UPDATE n = n + 10, body = CONCAT(notes.body, ' again')"],
    rows: ['$1 base again', '$2 west'], conflicts: [],
  },
  {
    name: 'an update of many rows against an update of many others that overlap: row by row',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'b'), ($2, 'b'), ($3, 'b'), ($4, 'b')"],
    when: ["east: UPDATE notes SET body = 'east' WHERE id BETWEEN $1 AND $3", "west: UPDATE notes SET body = 'west' WHERE id BETWEEN $2 AND $4"],
    rows: ['$1 east', '$2 west', '$3 west', '$4 west'],
  },
  {
    name: 'negative ids: inserted, updated on both sides, deleted',
    given: ["east: INSERT INTO notes (id, body) VALUES (-$1, 'a'), (-$2, 'b'), (-$3, 'c')"],
    when: ["east: UPDATE notes SET body = 'east' WHERE id = -$1", "west: UPDATE notes SET body = 'west' WHERE id = -$1", 'west: DELETE FROM notes WHERE id = -$2'],
    rows: ['-$3 c', '-$1 west'], conflicts: ['east update-update took-remote -$1', 'west update-update kept-local -$1'],
  },
  {
    name: 'a version from a clock an hour ahead wins on both sides, and the next local write counts up from it',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: [
      "east: UPDATE notes SET body = 'tomorrow', _hlc = _hlc + (3600000 << 16) WHERE id = $1",
      "west: UPDATE notes SET body = 'today' WHERE id = $1",
    ],
    rows: ['$1 tomorrow'], conflicts: ['east update-update kept-local $1', 'west update-update took-remote $1'],
  },
  {
    name: 'the same row twice in a transaction: insert and update',
    when: ["east: INSERT INTO notes (id, body) VALUES ($1, 'one'); UPDATE notes SET body = 'two' WHERE id = $1"],
    rows: ['$1 two'], conflicts: [],
  },
  {
    name: 'the same row twice in a transaction: insert and delete leave nothing, and a tombstone',
    when: ["east: INSERT INTO notes (id, body) VALUES ($1, 'one'); DELETE FROM notes WHERE id = $1"],
    rows: [], conflicts: [],
  },
  {
    name: 'the same row twice in a transaction: delete and insert are a new life, against an update of the old one',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: ["west: UPDATE notes SET body = 'west' WHERE id = $1", "east: DELETE FROM notes WHERE id = $1; INSERT INTO notes (id, body) VALUES ($1, 'new life')"],
    rows: ['$1 new life'],
  },
  {
    name: 'the same row three times in a transaction, back to its old value: it is a write all the same',
    given: ["east: INSERT INTO notes (id, body) VALUES ($1, 'base')"],
    when: [
      "west: UPDATE notes SET body = 'west' WHERE id = $1",
      "east: UPDATE notes SET body = 'x' WHERE id = $1; UPDATE notes SET n = 5 WHERE id = $1; UPDATE notes SET body = 'base', n = 0 WHERE id = $1",
    ],
    rows: ['$1 base'],
  },
];

describe.each(await engines())('rows on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: { notes: NOTES } });
    await twin.startAll();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  describePlays(() => twin, { table: 'notes', show: 'body', cases: CASES }, () => {
    it('a conflict that both regions met has one id in both', async () => {
      const [east, west] = [await twin.east.conflicts(), await twin.west.conflicts()];
      const ids = new Set(east.map((conflict) => conflict['id']));
      expect(west.filter((conflict) => ids.has(conflict['id'])).length).toBeGreaterThan(8);
    });
  });
});
