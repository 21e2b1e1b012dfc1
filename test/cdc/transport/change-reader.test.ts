/** A change that is larger than a message arrives as it was, whatever lies before it; a part alone is nothing. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChange } from '../../../cdc/change/codec.ts';
import type { Change, Image } from '../../../cdc/change/envelope.ts';
import { ChangeReader, encodingOf } from '../../../cdc/transport/change-reader.ts';
import { CHANGE_BYTES_MAX, PART_HEADER, encodeInParts } from '../../../cdc/transport/parts.ts';
import type { Hlc } from '../../../shared/clock/hlc.ts';
import type { IncomingMessage } from '../../../shared/kafka/message.ts';

const LIMIT = 8 * 1024;

function change(id: string, before: Image | null, after: Image | null): Change {
  return {
    op: after === null ? 'd' : before === null ? 'c' : 'u', table: 't', id, unit: 1, version: { hlc: 9n as Hlc, origin: 1 }, before, after, tsMs: 1,
    source: { region: 'east', database: 'tandem', serverId: 1, gtid: '1-1-1', file: 'b', pos: 4, row: 0 },
    transaction: { id: '1-1-1', order: 0, tableOrder: 0 }, last: true, position: '1-1-1',
  };
}

const row = (id: string, text: string): Image => ({ id, _hlc: '5', _origin: 2, text });

const message = (bytes: Buffer, headers: Record<string, Buffer>): IncomingMessage => ({ offset: 0n, key: null, value: bytes, headers, timestampMs: 0 });

function messagesOf(given: Change, limit = LIMIT): IncomingMessage[] {
  const { parts, value } = encodeInParts(given, limit);
  return [...parts.map((part) => message(part.value, { [PART_HEADER]: Buffer.from(part.header) })), message(value, {})];
}

const readAll = (messages: readonly IncomingMessage[]): Change[] => {
  const reader = new ChangeReader();
  return messages.map((each) => reader.read(each)).filter((each) => each !== null);
};

const large = change('1', row('1', 'x'.repeat(9_000)), row('1', 'y🚕'.repeat(9_000)));
const small = change('2', null, row('2', 'small'));

describe('a change in parts', () => {
  it('arrives as it was, and its whole encoding can be kept', () => {
    const [arrived] = readAll(messagesOf(large));
    expect({ ...arrived }).toEqual({ ...large, base: { hlc: 5n, origin: 2 } });
    expect(decodeChange(encodingOf(arrived as Change) as Buffer)).toEqual(arrived);
  });

  it('is in messages that fit the limit, and says in each whose part it is', () => {
    const messages = messagesOf(large);
    expect(messages.length).toBeGreaterThan(5);
    for (const each of messages) expect(each.value.length).toBeLessThanOrEqual(LIMIT);
  });

  it('of a delete arrives with its before image', () => {
    const [arrived] = readAll(messagesOf(change('1', row('1', 'x'.repeat(30_000)), null)));
    expect(arrived?.before?.['text']).toHaveLength(30_000);
  });

  it('a change of ordinary size is one message without header', () => {
    expect(messagesOf(small)).toHaveLength(1);
  });

  it('whatever a killed capture left behind changes nothing: every order of remains gives the same changes', () => {
    const remains = fc.array(fc.tuple(fc.constantFrom(large, change('3', null, row('3', 'z'.repeat(50_000)))), fc.nat({ max: 12 })), { maxLength: 4 });
    fc.assert(fc.property(remains, (left) => {
      const orphans = left.flatMap(([each, count]) => messagesOf(each).slice(0, -1).slice(0, count));
      expect(readAll([...orphans, ...messagesOf(large), ...orphans, ...messagesOf(small)]).map(({ id }) => id)).toEqual(['1', '2']);
    }));
  });

  it('the same change sent twice is read twice: who applies it knows it by its version', () => {
    expect(readAll([...messagesOf(large), ...messagesOf(large)])).toHaveLength(2);
  });

  it.each([0, 1, 2])('a part that is missing (number %i) is a malformed change, not half of one', (missing) => {
    expect(() => readAll(messagesOf(large).toSpliced(missing, 1))).toThrow(expect.objectContaining({ code: 'change-malformed' }));
  });

  it('a part that was altered is noticed', () => {
    const messages = messagesOf(large);
    messages[1] = { ...messages[1] as IncomingMessage, value: Buffer.from((messages[1] as IncomingMessage).value).fill('!', 10, 11) };
    expect(() => readAll(messages)).toThrow(expect.objectContaining({ code: 'change-malformed' }));
  });

  it('a tail is read from the envelope alone: transaction, position and last are there', () => {
    expect(decodeChange(messagesOf(large).at(-1)?.value as Buffer)).toMatchObject({ transaction: large.transaction, position: large.position, last: true, after: null });
  });

  it('where both images are too much, before stays behind and its version travels', () => {
    const huge = 'x'.repeat(CHANGE_BYTES_MAX / 2);
    const [arrived] = readAll(messagesOf(change('1', row('1', huge), row('1', huge)), 8 * 1024 * 1024));
    expect(arrived?.before).toBeNull();
    expect(arrived?.base).toEqual({ hlc: 5n, origin: 2 });
    expect(arrived?.after?.['text'] === huge).toBe(true);
  });

  it('a row that no reader could hold stops capture by name', () => {
    expect(() => encodeInParts(change('77', null, row('77', 'x'.repeat(CHANGE_BYTES_MAX))))).toThrow(/row 77 of t/);
  });
});
