/** From binlog events to changes: what travels, with which version, and where a transaction ends in each partition. */
import { describe, expect, it } from 'vitest';
import type { BinlogEvent, RowChange } from '../../../cdc/capture/binlog-event.ts';
import { TransactionAssembler } from '../../../cdc/capture/transaction-assembler.ts';
import type { Oddity, RoutedChange } from '../../../cdc/capture/transaction-assembler.ts';
import type { Image } from '../../../cdc/change/envelope.ts';

const begin = (n: number): BinlogEvent => ({ kind: 'begin', gtid: `1-1-${n}`, position: `1-1-${n - 1}` });
const commit = (n: number): BinlogEvent => ({ kind: 'commit', position: `1-1-${n}` });
const rows = (table: string, ...changes: RowChange[]): BinlogEvent => ({ kind: 'rows', table, rows: changes, tsMs: 5, serverId: 1, file: 'b.1', pos: 9 });
const row = (id: number, hlc: number, more: Image = {}): Image => ({ id: String(id), unit: id % 8, _hlc: String(hlc), _origin: 1, ...more });
const insert = (after: Image): RowChange => ({ before: null, after });
const remove = (before: Image): RowChange => ({ before, after: null });
const tombstone = (table: string, id: number, hlc: number): BinlogEvent =>
  rows('_tombstones', insert({ table_name: table, row_id: String(id), unit: id % 8, _hlc: String(hlc), _origin: 1 }));

const statement = (sql: string, schema = 'tandem'): BinlogEvent => ({ kind: 'statement', sql, schema });

function assemble(events: readonly BinlogEvent[], oddities: Oddity[] = []): RoutedChange[] {
  const assembler = new TransactionAssembler({
    region: 'east', origin: 1, database: 'tandem', partitions: 4, tables: new Set(['a', 'b']), onOddity: (oddity) => oddities.push(oddity),
  });
  return events.flatMap((event) => [...assembler.accept(event)]);
}

const brief = (routed: readonly RoutedChange[]): string[] =>
  routed.map(({ partition, change: c }) => `${partition} ${c.op} ${c.table}:${c.id} ${c.version.hlc}/${c.version.origin} #${c.transaction.order}${c.last ? ' last' : ''} ${c.position}`);

describe('the transaction assembler', () => {
  it('marks the last change of each partition and gives it the position after the transaction', () => {
    const routed = assemble([begin(7), rows('a', insert(row(1, 10)), insert(row(2, 11)), insert(row(5, 12))), rows('b', insert(row(1, 13))), commit(7)]);
    expect(brief(routed)).toEqual([
      '1 c a:1 10/1 #0 1-1-6', '1 c a:5 12/1 #2 1-1-6', '1 c b:1 13/1 #3 last 1-1-7', '2 c a:2 11/1 #1 last 1-1-7',
    ]);
  });

  it('hands changes on while a large transaction is still being read', () => {
    const many = Array.from({ length: 100 }, (_, i) => insert(row(8 * i, 10)));
    expect(assemble([begin(1), rows('a', ...many)])).toHaveLength(99);
  });

  it('a change applied from the peer is not sent back: nothing of a transaction that begins with _checkpoints', () => {
    const marked = [begin(1), rows('_checkpoints', { before: {}, after: {} }), rows('a', insert(row(1, 10))), tombstone('a', 2, 12), commit(1)];
    expect(assemble(marked)).toEqual([]);
    expect(assemble([...marked, begin(2), rows('a', insert(row(3, 20))), commit(2)])).toHaveLength(1);
  });

  it('a checkpoint written later in a transaction is no loop marker', () => {
    expect(assemble([begin(1), rows('a', insert(row(1, 10))), rows('_checkpoints', { before: {}, after: {} }), commit(1)])).toHaveLength(1);
  });

  it('a delete has the version of the tombstone that its trigger wrote', () => {
    const old = row(3, 10);
    expect(brief(assemble([begin(4), tombstone('a', 3, 40), rows('a', remove(old)), commit(4)]))).toEqual(['3 d a:3 40/1 #0 last 1-1-4']);
  });

  it('a delete without a tombstone still travels, above the row it deletes, and is noted', () => {
    const oddities: Oddity[] = [];
    expect(brief(assemble([begin(4), rows('a', remove(row(3, 10))), commit(4)], oddities))).toEqual(['3 d a:3 11/1 #0 last 1-1-4']);
    expect(oddities).toMatchObject([{ kind: 'no-tombstone', table: 'a' }]);
  });

  it('a tombstone without a row is a delete of a row that never stood here', () => {
    const [only] = assemble([begin(4), tombstone('a', 3, 40), commit(4)]);
    expect(only?.change).toMatchObject({ op: 'd', id: '3', before: null, last: true });
  });

  it('a primary key that changes is a delete and an insert', () => {
    const change = { before: row(3, 10), after: row(4, 50) };
    expect(brief(assemble([begin(4), tombstone('a', 3, 50), rows('a', change), commit(4)]))).toEqual(['3 d a:3 50/1 #0 last 1-1-4', '0 c a:4 50/1 #1 last 1-1-4']);
  });

  it('REPLACE is an update, although its insert was stamped before its delete', () => {
    const events = [begin(4), tombstone('a', 3, 50), rows('a', remove(row(3, 10))), rows('a', insert(row(3, 50))), commit(4)];
    const [only, ...more] = assemble(events);
    expect(more).toEqual([]);
    expect(only?.change).toMatchObject({ op: 'u', before: row(3, 10), after: row(3, 50), last: true });
  });

  it('a delete and a later insert of the same row stay two changes', () => {
    const events = [begin(4), tombstone('a', 3, 50), rows('a', remove(row(3, 10))), rows('a', insert(row(3, 51))), commit(4)];
    expect(assemble(events).map(({ change }) => change.op)).toEqual(['d', 'c']);
  });

  it('a heartbeat goes to every partition, each time as the end of its transaction', () => {
    const beat = { id: '1', unit: 0, _hlc: '9', _origin: 1, beat: '5' };
    const routed = assemble([begin(4), rows('_heartbeats', { before: beat, after: { ...beat, _hlc: '10' } }), commit(4)]);
    expect(routed.map(({ partition, change }) => [partition, change.last])).toEqual([[0, true], [1, true], [2, true], [3, true]]);
  });

  it('tables that are not replicated stay at home', () => {
    expect(assemble([begin(1), rows('_conflicts', insert(row(1, 1))), rows('_migrations', insert({})), commit(1)])).toEqual([]);
  });

  it('a statement that should have been rows stops capture; a truncated table is noted', () => {
    expect(() => assemble([statement('insert into a values (1)')])).toThrow(expect.objectContaining({ code: 'capture-unreadable' }));
    expect(assemble([statement('insert into a values (1)', 'elsewhere'), statement('ALTER TABLE a ADD x INT'), statement('CREATE TABLE c (id INT)')])).toEqual([]);
    const oddities: Oddity[] = [];
    assemble([statement('TRUNCATE TABLE `a`')], oddities);
    expect(oddities).toMatchObject([{ kind: 'truncated', table: 'a' }]);
  });
});
