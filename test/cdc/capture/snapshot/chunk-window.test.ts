/** A chunk between its marks: the log wins, what apply wrote stands in for what was read, and nothing is sent before the high mark. */
import { describe, expect, it } from 'vitest';
import type { BinlogEvent, RowChange } from '../../../../cdc/capture/binlog-event.ts';
import { ChunkWindow } from '../../../../cdc/capture/snapshot/chunk-window.ts';
import type { RoutedRow } from '../../../../cdc/capture/snapshot/chunk-window.ts';
import type { Image } from '../../../../cdc/change/envelope.ts';

let number = 0;
const rows = (table: string, ...changes: RowChange[]): BinlogEvent => ({ kind: 'rows', table, rows: changes, tsMs: 5, serverId: 1, file: 'b.1', pos: 9 });
const transaction = (...events: BinlogEvent[]): BinlogEvent[] => {
  number += 1;
  return [{ kind: 'begin', gtid: `1-1-${number}`, position: `1-1-${number - 1}` }, ...events, { kind: 'commit', position: `1-1-${number}` }];
};
const row = (id: number, hlc: number, name = ''): Image => ({ id: String(id), unit: id % 4, _hlc: String(hlc), _origin: 1, name });
const mark = (name: string): BinlogEvent[] => transaction(rows('_snapshots', { before: {}, after: { id: '1', mark: name } }));
const checkpoint = rows('_checkpoints', { before: {}, after: {} });

/** What a chunk of rows 11 to 14, read at version 10, comes to when this happens between its marks. */
function chunkAfter(between: readonly BinlogEvent[], before: readonly BinlogEvent[] = []): { readonly sent: string[]; readonly routed: readonly RoutedRow[] } {
  const window = new ChunkWindow({ region: 'east', database: 'd', partitions: 2, table: 'a', marks: { low: 'L', high: 'H' }, range: { afterId: '10', lastId: '14' } });
  window.load({ rows: [11, 12, 13, 14].map((id) => row(id, 10)), fingerprint: '0000abcd' });
  const routed = [...before, ...mark('L'), ...between, ...mark('H')].flatMap((event) => [...(window.accept(event) ?? [])]);
  return { routed, sent: routed.map(({ change }) => `${change.id}@${change.version.hlc}`) };
}

describe('a chunk of a snapshot', () => {
  it('is sent whole at the high mark where nothing happened, each row a transaction of its own after that mark', () => {
    const { sent, routed } = chunkAfter([]);
    expect(sent).toEqual(['11@10', '12@10', '13@10', '14@10']);
    expect(routed.map(({ partition }) => partition)).toEqual([1, 0, 1, 0]);
    expect(routed[0]?.change).toMatchObject({ op: 'r', before: null, last: true, position: `1-1-${number}`, transaction: { id: `1-1-${number}` }, source: { schema: '0000abcd' } });
  });

  it('leaves out what was inserted, updated, deleted or moved here since the low mark', () => {
    const between = transaction(
      rows('a', { before: row(11, 10), after: row(11, 20) }, { before: row(12, 10), after: null }, { before: row(13, 10), after: row(99, 21) }),
      rows('a', { before: row(98, 1), after: row(14, 22) }),
    );
    expect(chunkAfter(between).sent).toEqual([]);
  });

  it('does not care for what was written before the low mark, or in another table', () => {
    const other = transaction(rows('b', { before: row(11, 10), after: row(11, 20) }));
    expect(chunkAfter(other, transaction(rows('a', { before: row(12, 9), after: row(12, 10) }))).sent).toEqual(['11@10', '12@10', '13@10', '14@10']);
  });

  it('has what apply wrote meanwhile, which no log will tell: newer images, new rows, and not the deleted ones', () => {
    const applied = transaction(checkpoint, rows('a', { before: row(11, 10), after: row(11, 30) }, { before: row(12, 10), after: null }, { before: null, after: row(14, 5) }));
    expect(chunkAfter(applied).sent).toEqual(['11@30', '13@10', '14@10']);
  });

  it('takes no row from beyond its range', () => {
    expect(chunkAfter(transaction(checkpoint, rows('a', { before: null, after: row(10, 30) }, { before: null, after: row(15, 30) }))).sent).toHaveLength(4);
  });

  it('is not sent at the marks of another chunk', () => {
    const window = new ChunkWindow({ region: 'east', database: 'd', partitions: 2, table: 'a', marks: { low: 'L', high: 'H' }, range: { afterId: null, lastId: '14' } });
    window.load({ rows: [row(11, 10)], fingerprint: '0000abcd' });
    expect([...mark('l2'), ...mark('h2'), ...mark('H')].map((event) => window.accept(event))).toEqual(Array.from({ length: 9 }, () => undefined));
  });
});
