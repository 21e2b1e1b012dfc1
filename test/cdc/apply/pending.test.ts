/** Batches are whole transactions; the offset of a batch is the one after its last change. */
import { expect, it } from 'vitest';
import { Pending } from '../../../cdc/apply/pending.ts';
import { encodeChange } from '../../../cdc/change/codec.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';

const message = (offset: bigint, last: boolean) => ({
  offset, key: 'a:1', headers: {}, timestampMs: 0,
  value: Buffer.from(encodeChange({
    op: 'c', table: 'a', id: String(offset), unit: 0, version: { hlc: 1n as Hlc, origin: 1 }, before: null, after: {}, tsMs: 0,
    source: { region: 'east', database: 'd', serverId: 1, gtid: 'g', file: 'f', pos: 0, row: 0 },
    transaction: { id: 'g', order: 0, tableOrder: 0 }, last, position: '',
  })),
});
const ids = ({ changes }: { changes: readonly { id: string }[] }): string => changes.map(({ id }) => id).join();

it('keeps the beginning of a transaction until its end is there', () => {
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 5n);
  for (const [offset, last] of [[5n, true], [6n, false]] as const) pending.add(message(offset, last));
  const first = pending.takeWhole();
  expect([ids(first), first.next]).toEqual(['5', 6n]);
  expect(pending.hasWhole).toBe(false);
  pending.add(message(7n, true));
  const second = pending.takeWhole();
  expect([ids(second), second.next]).toEqual(['6,7', 8n]);
});

it('holes in the offsets do not move the checkpoint into a transaction', () => {
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 0n);
  for (const [offset, last] of [[0n, false], [4n, true], [9n, false]] as const) pending.add(message(offset, last));
  expect(pending.takeWhole().next).toBe(5n);
  expect(pending.read).toBe(10n);
});

it('is full at its limits and gives everything for a transaction larger than that', () => {
  const pending = new Pending({ rows: 2, bytes: 1e6 }, 0n);
  pending.add(message(0n, false));
  expect(pending.isFull).toBe(false);
  pending.add(message(1n, false));
  expect(pending.isFull).toBe(true);
  expect(ids(pending.takeAll())).toBe('0,1');
});
