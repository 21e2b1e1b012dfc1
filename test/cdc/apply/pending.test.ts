/** Batches are whole transactions; the offset of a batch is the one after its last change. */
import { expect, it } from 'vitest';
import { Pending } from '../../../cdc/apply/pending.ts';
import type { Taken } from '../../../cdc/apply/pending.ts';
import { decodeChange, encodeChange } from '../../../cdc/change/codec.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';

const message = (offset: bigint, last: boolean) => ({
  offset, key: 'a:1', headers: {}, timestampMs: 0,
  value: Buffer.from(encodeChange({
    op: 'c', table: 'a', id: String(offset), unit: 0, version: { hlc: 1n as Hlc, origin: 1 }, before: null, after: {}, tsMs: 0,
    source: { region: 'east', database: 'd', serverId: 1, gtid: 'g', file: 'f', pos: 0, row: 0 },
    transaction: { id: 'g', order: 0, tableOrder: 0 }, last, position: '',
  })),
});
const ids = ({ deliveries }: Taken): string => deliveries.map(({ change }) => change.id).join();
const decode = ({ value }: { value: Buffer }) => decodeChange(value.toString());

it('keeps the beginning of a transaction until its end is there', () => {
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 5n, decode);
  for (const [offset, last] of [[5n, true], [6n, false]] as const) pending.add(message(offset, last));
  const first = pending.takeWhole();
  expect([ids(first), first.next]).toEqual(['5', 6n]);
  expect(pending.hasWhole).toBe(false);
  pending.add(message(7n, true));
  const second = pending.takeWhole();
  expect([ids(second), second.next]).toEqual(['6,7', 8n]);
});

it('holes in the offsets do not move the checkpoint into a transaction', () => {
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 0n, decode);
  for (const [offset, last] of [[0n, false], [4n, true], [9n, false]] as const) pending.add(message(offset, last));
  expect(pending.takeWhole().next).toBe(5n);
  expect(pending.read).toBe(10n);
});

it('is full at its limits and gives everything for a transaction larger than that', () => {
  const pending = new Pending({ rows: 2, bytes: 1e6 }, 0n, decode);
  pending.add(message(0n, false));
  expect(pending.isFull).toBe(false);
  pending.add(message(1n, false));
  expect(pending.isFull).toBe(true);
  expect(ids(pending.takeAll())).toBe('0,1');
});

it('a message that is no change becomes a letter, and does not move the checkpoint into a transaction', () => {
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 0n, decode);
  pending.add({ ...message(0n, true), value: Buffer.from('no json') });
  expect(pending.hasWhole).toBe(true);
  const alone = pending.takeWhole();
  expect([alone.next, alone.unreadable.map(({ offset, code }) => `${offset} ${code}`)]).toEqual([1n, ['0 change-malformed']]);
  pending.add(message(1n, false));
  pending.add({ ...message(2n, true), value: Buffer.from('{}') });
  expect(pending.hasWhole).toBe(false);
  pending.add(message(3n, true));
  const both = pending.takeWhole();
  expect([ids(both), both.next, both.unreadable.length]).toEqual(['1,3', 4n, 1]);
});

it('a part of a change is read again with its change, not passed by', () => {
  const parts = new Set([1n]);
  const pending = new Pending({ rows: 10, bytes: 1e6 }, 0n, (each) => (parts.has(each.offset) ? null : decode(each)));
  for (const offset of [0n, 1n]) pending.add(message(offset, true));
  expect(pending.takeWhole().next).toBe(1n);
});
