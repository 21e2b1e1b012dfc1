/** Wherever capture dies, the next one sends each partition exactly what it does not have: checked by dying everywhere. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BinlogEvent } from '../../../cdc/capture/binlog-event.ts';
import { AlreadySent, resumptionOf } from '../../../cdc/capture/resume.ts';
import { TransactionAssembler } from '../../../cdc/capture/transaction-assembler.ts';
import type { Tails } from '../../../cdc/capture/resume.ts';
import type { RoutedChange } from '../../../cdc/capture/transaction-assembler.ts';
import { covers, parsePosition } from '../../../cdc/change/position.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const PARTITIONS = 3;
const FLAVOURS = {
  mariadb: { gtid: (n: number) => `1-1-${n}`, position: (n: number) => (n === 0 ? '' : `1-1-${n}`) },
  mysql: { gtid: (n: number) => `${UUID}:${n}`, position: (n: number) => (n === 0 ? '' : `${UUID}:1-${n}`) },
} as const;

type Binlog = readonly (readonly number[])[];

/** Each transaction is the list of its rows' units. */
function events(binlog: Binlog, flavour: keyof typeof FLAVOURS): BinlogEvent[][] {
  const { gtid, position } = FLAVOURS[flavour];
  return binlog.map((units, i) => [
    { kind: 'begin', gtid: gtid(i + 1), position: position(i) },
    ...units.map((unit, at): BinlogEvent => ({
      kind: 'rows', table: 'a', tsMs: 1, serverId: 1, file: 'f', pos: at,
      rows: [{ before: null, after: { id: String(i * 100 + at), unit, _hlc: '5', _origin: 1 } }],
    })),
    { kind: 'commit', position: position(i + 1) },
  ]);
}

/** What one capture sends: it resumes from the topic, and dies after `lives` messages, wherever they go. */
function run(topic: RoutedChange[][], binlog: Binlog, flavour: keyof typeof FLAVOURS, lives: number): void {
  // Which images they carry plays no part.
  const tails = new Map(topic.map((messages, partition) => [partition, messages.at(-1)?.change ?? null])) as Tails;
  const from = resumptionOf(tails)?.from ?? parsePosition('');
  const sent = new AlreadySent(tails);
  const assembler = new TransactionAssembler({ region: 'east', origin: 1, database: 'd', partitions: PARTITIONS, tables: new Set(['a']), onOddity: () => {} });
  const transactions = events(binlog, flavour).filter(([first]) => !(first?.kind === 'begin' && covers(from, first.gtid)));
  for (const routed of transactions.flat().flatMap((event) => [...assembler.accept(event)])) {
    if (sent.has(routed)) continue;
    if (lives === 0) return;
    lives -= 1;
    topic[routed.partition]?.push(routed);
  }
}

describe.each(['mariadb', 'mysql'] as const)('resuming on %s', (flavour) => {
  it('a topic written by captures that die anywhere equals one written by a capture that never dies', () => {
    const binlog = fc.array(fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 6 }), { maxLength: 8 });
    fc.assert(fc.property(binlog, fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 10 }), (transactions, deaths) => {
      const undying: RoutedChange[][] = Array.from({ length: PARTITIONS }, () => []);
      run(undying, transactions, flavour, Number.POSITIVE_INFINITY);
      const topic: RoutedChange[][] = Array.from({ length: PARTITIONS }, () => []);
      for (const lives of deaths) run(topic, transactions, flavour, lives);
      run(topic, transactions, flavour, Number.POSITIVE_INFINITY);
      expect(topic).toEqual(undying);
    }), { numRuns: 1000 });
  });
});
