/** Every change has its effect once, whatever is repeated, doubled or cut off on its way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import type { KafkaClient } from '../../../shared/kafka/kafka.ts';
import type { IncomingMessage } from '../../../shared/kafka/message.ts';
import { engines } from '../../harness/mysql.ts';
import { PARTITIONS, SIDES, startTwin, topicEnds, until } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';

describe.each(await engines())('exactly once on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine);
    await twin.startAll();
    await twin.settle();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  const write = async (...statements: string[]): Promise<void> => {
    for (const statement of statements) await twin.east.sql.execute(statement);
  };
  const expectSame = async (): Promise<void> => {
    await twin.settle();
    expect(await twin.west.everything()).toEqual(await twin.east.everything());
  };

  it('messages that Kafka holds twice, and in another order, have their effect once', async () => {
    const ends = await topicEnds(twin.east);
    await write(
      "INSERT INTO accounts (id, display_name, unit) VALUES (1, 'a', 1), (2, 'a', 1)", "UPDATE accounts SET display_name = 'b' WHERE id = 1",
      'DELETE FROM accounts WHERE id = 2', "UPDATE accounts SET display_name = 'c' WHERE id = 1", "INSERT INTO accounts (id, display_name, unit) VALUES (2, 'again', 1)",
    );
    await twin.settle();
    const messages = await readSince(twin, ends);
    expect(messages.length).toBeGreaterThan(5);
    const conflicts = (await twin.west.conflicts()).length;
    await resend(twin.east.kafka, [...messages.toReversed(), ...messages]);
    await expectSame();
    expect(await twin.west.sql.query('SELECT id, display_name AS name FROM accounts ORDER BY id')).toEqual([{ id: '1', name: 'c' }, { id: '2', name: 'again' }]);
    expect(await twin.west.conflicts()).toHaveLength(conflicts);
  });

  it('an apply that starts over from the first message changes nothing, and leaves no second conflict', async () => {
    await Promise.all(SIDES.map((side) => twin.of(side).stopApply()));
    await write("UPDATE accounts SET display_name = 'east' WHERE id = 1");
    await twin.west.sql.execute("UPDATE accounts SET display_name = 'west' WHERE id = 1");
    for (const side of SIDES) twin.of(side).startApply();
    await expectSame();
    const before = { rows: await twin.west.everything(), conflicts: await twin.west.conflicts() };
    await twin.west.apply?.reset({ to: 'start' });
    await expectSame();
    expect({ rows: await twin.west.everything(), conflicts: await twin.west.conflicts() }).toEqual(before);
  });

  it('a transaction written in steps is there with its checkpoint, and not read again', async () => {
    await twin.west.stopApply();
    await write('START TRANSACTION');
    for (let id = 1_000; id < 1_100; id += 1) await write(`INSERT INTO accounts (id, display_name, unit) VALUES (${id}, 'steps', 2)`);
    await write('COMMIT');
    twin.west.startApply({ limits: { rows: 10, bytes: 1e6 } });
    await expectSame();
    expect(twin.west.apply?.stats).toMatchObject({ duplicates: 0, stale: 0 });
    await twin.west.stopApply();
    twin.west.startApply();
    await expectSame();
    expect(twin.west.apply?.stats).toMatchObject({ duplicates: 0, stale: 0 });
  });

  it('a database killed in the middle of a large transaction applies all of it once', async () => {
    await twin.west.stopApply();
    await write('START TRANSACTION');
    for (let id = 100; id < 400; id += 1) await write(`INSERT INTO accounts (id, display_name, unit) VALUES (${id}, 'many', 2)`);
    await write('COMMIT');
    twin.west.startApply({ limits: { rows: 10, bytes: 1e6 } });
    await until('the transaction to be under way', async () => {
      const [row] = await twin.west.sql.query<{ n: string | number }>("SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_rows_modified > 5");
      const [done] = await twin.west.sql.query<{ n: string | number }>('SELECT COUNT(*) AS n FROM accounts WHERE id BETWEEN 100 AND 399');
      return Number(row?.n) > 0 || Number(done?.n) === 300;
    });
    await twin.west.mysql.kill9();
    await twin.west.mysql.restart();
    await twin.west.reconnect();
    await expectSame();
    const [row] = await twin.west.sql.query<{ n: string | number }>('SELECT COUNT(*) AS n FROM accounts WHERE id BETWEEN 100 AND 399');
    expect(Number(row?.n)).toBe(300);
  });

  it('a change that meets a lock waits for it, and is no data fault', async () => {
    await write("INSERT INTO accounts (id, display_name, unit) VALUES (500, 'a', 3)");
    await twin.settle();
    const { sql } = twin.west;
    await sql.execute('START TRANSACTION');
    await sql.query('SELECT id FROM accounts WHERE id = 500 FOR UPDATE');
    await write("UPDATE accounts SET display_name = 'b' WHERE id = 500", "INSERT INTO accounts (id, display_name, unit) VALUES (501, 'c', 2)");
    await until('the other partitions to go on', async () => (await sql.query('SELECT id FROM accounts WHERE id = 501 LOCK IN SHARE MODE')).length === 1);
    await sql.execute('COMMIT');
    await expectSame();
    expect(await sql.query('SELECT id FROM _dead_letters')).toEqual([]);
  });

  it('a Kafka that is killed between capture and apply loses nothing and doubles nothing', async () => {
    await write("INSERT INTO accounts (id, display_name, unit) VALUES (600, 'before', 1)");
    await twin.kafka.kill9();
    await write("INSERT INTO accounts (id, display_name, unit) VALUES (601, 'during', 1)", "UPDATE accounts SET display_name = 'after' WHERE id = 600");
    await twin.kafka.restart();
    await expectSame();
  });
});

interface Kept extends Pick<IncomingMessage, 'value' | 'headers'> { readonly partition: number; readonly key: string }

async function readSince(twin: Twin, ends: ReadonlyMap<number, bigint>): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const messages = await twin.east.kafka.readLast(changeTopic('east'), partition, 200);
    kept.push(...messages.filter(({ offset }) => offset >= (ends.get(partition) ?? 0n)).map(({ key, value, headers }) => ({ partition, key: key ?? '', value, headers })));
  }
  return kept;
}

async function resend(kafka: KafkaClient, messages: readonly Kept[]): Promise<void> {
  const producer = await kafka.producer();
  for (const { partition, ...message } of messages) await producer.send([{ topic: changeTopic('east'), partition, messages: [message] }]);
  await producer.close();
}
