/**
 * Rows of 16 MiB travel in parts through brokers that take 8 MiB: exactly, through the death of capture between any two
 * parts, and within capture's bound of memory.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import { PART_HEADER } from '../../../cdc/transport/parts.ts';
import type { KafkaProducer, PartitionBatch } from '../../../shared/kafka/producer.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { engines } from '../../harness/mysql.ts';
import { startEtcd } from '../../harness/etcd.ts';
import { startProcesses } from '../../cdc/processes.ts';
import { PARTITIONS, startTwin, until } from '../../cdc/twin.ts';
import type { Region, Twin } from '../../cdc/twin.ts';

const MIB = 1024 * 1024;
const RSS_MIB_MAX = 256;
const CASE_MS = 240_000;
const LARGE = `CREATE TABLE large_rows (
  id BIGINT NOT NULL PRIMARY KEY, unit TINYINT UNSIGNED NOT NULL, b LONGBLOB NULL, t LONGTEXT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE) DEFAULT CHARSET=utf8mb4`;

/** What stands in both columns, by length and digest: 32 MiB a row are not for printing. */
const digests = (region: Region): Promise<unknown[]> =>
  region.sql.query('SELECT id, LENGTH(b) AS bytes, SHA2(b, 256) AS b, CHAR_LENGTH(t) AS characters, SHA2(t, 256) AS t, _hlc, _origin, updated_at FROM large_rows ORDER BY id');

/** Fails each send that would carry part number `at`, once for each time it is armed. */
function cutAtPart(region: Region): { arm(at: number): void; readonly cuts: number } {
  const { kafka } = region;
  const open = kafka.producer.bind(kafka);
  let armedAt: number | undefined;
  let cuts = 0;
  kafka.producer = async (): Promise<KafkaProducer> => {
    const producer = await open();
    return {
      ...producer,
      close: () => producer.close(),
      send: (batches: readonly PartitionBatch[], options) => {
        const numbers = batches.flatMap(({ messages }) => messages.map(({ headers }) => Number(String(headers?.[PART_HEADER]).split('/')[1])));
        if (armedAt === undefined || !numbers.includes(armedAt)) return producer.send(batches, options);
        armedAt = undefined;
        cuts += 1;
        return Promise.reject(new TandemError('kafka-unavailable', 'cut by the test'));
      },
    };
  };
  return {
    arm: (at) => void (armedAt = at),
    get cuts() {
      return cuts;
    },
  };
}

describe.each(await engines())('rows of 16 MiB on %s', (engine) => {
  let twin: Twin;
  let east: Region;
  let west: Region;
  let cut: ReturnType<typeof cutAtPart>;

  beforeAll(async () => {
    twin = await startTwin(engine, { extraTables: { large_rows: LARGE } });
    ({ east, west } = twin);
    cut = cutAtPart(east);
    await twin.startAll();
  }, CASE_MS);
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  }, CASE_MS);

  const same = async (): Promise<void> => {
    const expected = await digests(east);
    await until('the large rows to arrive', async () => JSON.stringify(await digests(west)) === JSON.stringify(expected), CASE_MS, () =>
      JSON.stringify({ capture: east.capture?.trouble, apply: west.apply?.trouble, log: [...east.log.lines, ...west.log.lines].filter(({ level }) => level === 'error').slice(-3).map(({ fields }) => String(fields['err'])) }));
    expect(await west.conflicts()).toEqual([]);
  };

  it('a LONGBLOB of 16 MiB: insert, update and delete arrive exactly', async () => {
    await east.sql.execute(`INSERT INTO large_rows (id, unit, b) VALUES (1, 1, REPEAT(UNHEX(SHA2('seed', 256)), ${(16 * MIB) / 32}))`);
    await same();
    await east.sql.execute(`UPDATE large_rows SET b = CONCAT(SUBSTRING(b, 2), x'ff') WHERE id = 1`);
    await same();
    await east.sql.execute('DELETE FROM large_rows WHERE id = 1');
    await same();
  }, CASE_MS);

  it('a LONGTEXT of 16 MiB, with quotes and emoji: insert, update and delete arrive exactly', async () => {
    await east.sql.execute(`INSERT INTO large_rows (id, unit, t) VALUES (2, 2, REPEAT('say "hi" 🚕 ', ${MIB}))`);
    await same();
    await east.sql.execute(`UPDATE large_rows SET t = CONCAT(t, '!') WHERE id = 2`);
    await same();
    await east.sql.execute('DELETE FROM large_rows WHERE id = 2');
    await same();
  }, CASE_MS);

  it('no message on the topic is larger than the brokers take', async () => {
    const ends = await east.kafka.topicOffsets(changeTopic('east'));
    expect(ends).toHaveLength(PARTITIONS);
    const [last] = await east.kafka.readLast(changeTopic('east'), 2, 1);
    expect(last?.value.length).toBeLessThan(8 * MIB);
  }, CASE_MS);

  it('a capture cut before any of its parts loses nothing and doubles nothing', async () => {
    let rows = 0;
    for (const part of [1, 2, 3]) {
      const cutsBefore = cut.cuts;
      cut.arm(part);
      await east.sql.execute(`INSERT INTO large_rows (id, unit, b) VALUES (${10 + part}, 3, REPEAT(UNHEX(SHA2('${part}', 256)), ${(16 * MIB) / 32}))`);
      rows += 1;
      await same();
      expect(cut.cuts).toBe(cutsBefore + 1);
      expect(await digests(west)).toHaveLength(rows);
    }
  }, CASE_MS);

  it('an apply that starts over between the parts of a change reads them again', async () => {
    await west.stopApply();
    await east.sql.execute(`UPDATE large_rows SET b = CONCAT(b, 'x') WHERE id = 11`);
    for (let i = 0; i < 3; i += 1) {
      west.startApply();
      await west.stopApply();
    }
    west.startApply();
    await same();
  }, CASE_MS);
});

describe.each(await engines())('the capture process on %s', (engine) => {
  it(`stays below ${RSS_MIB_MAX} MiB with several such rows in a row`, async () => {
    const etcd = await startEtcd();
    const twin = await startTwin(engine);
    try {
      const { east } = twin;
      await using processes = await startProcesses(twin, etcd);
      const capture = processes.of('capture', 'east');
      const sent = async (): Promise<bigint> => (await east.kafka.topicOffsets(changeTopic('east'))).reduce((sum, { high }) => sum + high, 0n);
      await until('capture to stream', async () => (await sent().catch(() => 0n)) > 0n);
      const residentMib = (field: 'VmRSS' | 'VmHWM'): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${capture.pid}/status`, 'utf8'))?.[1]) / 1024;
      const idleMib = residentMib('VmRSS');
      for (let id = 11; id <= 14; id += 1) {
        await east.sql.execute(
          `INSERT INTO idempotency_keys (id, unit, account_id, idem_key, request_hash, status, locked_until, response_body)
           VALUES (${id}, 1, 1, 'key ${id}', 'hash', 'done', NOW(3), REPEAT('fare', ${4 * MIB - 1}))`,
        );
        await east.sql.execute(`UPDATE idempotency_keys SET response_body = REPEAT('card', ${4 * MIB - 1}) WHERE id = ${id}`);
      }
      await until('the last update on the west side', async () => {
        const [row] = await twin.west.sql.query<{ n: number }>(`SELECT COUNT(*) AS n FROM idempotency_keys WHERE id BETWEEN 11 AND 14 AND response_body LIKE 'card%'`);
        return Number(row?.n) === 4;
      }, CASE_MS);
      const peakMib = residentMib('VmHWM');
      console.log(`capture's peak: ${Math.round(peakMib)} MiB resident, ${Math.round(idleMib)} MiB before`);
      expect(peakMib).toBeLessThanOrEqual(RSS_MIB_MAX);
    } finally {
      await twin[Symbol.asyncDispose]();
      await etcd.stop();
    }
  }, CASE_MS);
});
