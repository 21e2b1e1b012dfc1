/**
 * Nothing echoes: what a region applied is never sent back, whatever was restarted, renamed, or typed by hand.
 *
 * Every case counts the messages that both regions sent: those of the writer and not one more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeTopic } from '../../../cdc/change/envelope.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines } from '../../harness/mysql.ts';
import { SIDES, dataSince, other, startTwin, topicEnds, until } from '../../cdc/twin.ts';
import type { Side, Twin } from '../../cdc/twin.ts';

const card = (id: number): string => `INSERT INTO fare_cards (id, version, effective_from, body, unit) VALUES (${id}, 900, NOW(3), '{}', 1)`;

describe.each(await engines())('echoes on %s', (engine) => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await startTwin(engine);
    await twin.startAll();
    await twin.settle();
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
  });

  /** What each region sends from now until both have heard of everything that `act` wrote, as `op id`. */
  async function sentBy(act: () => Promise<void>): Promise<Record<Side, string[]>> {
    const ends = { east: await topicEnds(twin.east), west: await topicEnds(twin.west) };
    await act();
    await twin.settle();
    const sent = async (side: Side): Promise<string[]> => (await dataSince(twin.of(side), ends[side])).map(({ op, id }) => `${op} ${id}`).toSorted();
    return { east: await sent('east'), west: await sent('west') };
  }

  async function write(side: Side, ...statements: string[]): Promise<void> {
    for (const statement of statements) await twin.of(side).sql.execute(statement);
  }

  async function expectSame(): Promise<void> {
    expect(await twin.west.everything()).toEqual(await twin.east.everything());
  }

  /** A write and its answer, each of which must be sent once, by its own region. */
  async function expectNoEcho(id: number): Promise<void> {
    const sent = await sentBy(async () => {
      await write('east', `INSERT INTO accounts (id, display_name, unit) VALUES (${id}, 'a', 1)`);
      await twin.settle();
      await write('west', `UPDATE accounts SET display_name = 'b' WHERE id = ${id}`);
    });
    expect(sent).toEqual({ east: [`c ${id}`], west: [`u ${id}`] });
    await expectSame();
  }

  describe.each(SIDES)('written in the %s', (side) => {
    const base = side === 'east' ? 1_000 : 2_000;
    const only = (...changes: string[]): Record<Side, string[]> => ({ east: [], west: [], [side]: changes.toSorted() });

    it('an insert, an update and a delete are sent once', async () => {
      const sent = await sentBy(() => write(side,
        `INSERT INTO accounts (id, display_name, unit) VALUES (${base}, 'a', 1)`,
        `UPDATE accounts SET display_name = 'b' WHERE id = ${base}`, `DELETE FROM accounts WHERE id = ${base}`));
      expect(sent).toEqual(only(`c ${base}`, `u ${base}`, `d ${base}`));
    });

    it('a new primary key is sent once, as a delete and an insert', async () => {
      const sent = await sentBy(() => write(side,
        `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 1}, 'a', 1)`, `UPDATE accounts SET id = ${base + 2} WHERE id = ${base + 1}`));
      expect(sent).toEqual(only(`c ${base + 1}`, `d ${base + 1}`, `c ${base + 2}`));
      await expectSame();
    });

    it('a transaction over tables and units is sent once', async () => {
      const ids = Array.from({ length: 12 }, (_, i) => base + 10 + i);
      const sent = await sentBy(() => write(side, 'START TRANSACTION', ...ids.flatMap((id) => [
        `INSERT INTO accounts (id, display_name, unit) VALUES (${id}, 'a', ${id % 64})`,
        `INSERT INTO vehicles (id, driver_id, plate, seats, unit) VALUES (${id}, 1, 'P', 4, ${(id + 1) % 64})`,
      ]), 'COMMIT'));
      expect(sent).toEqual(only(...ids.flatMap((id) => [`c ${id}`, `c ${id}`])));
      await expectSame();
    });

    it('a transaction that was rolled back is not sent, nor what was rolled back to a savepoint', async () => {
      const sent = await sentBy(() => write(side,
        'START TRANSACTION', `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 30}, 'a', 1)`, 'ROLLBACK',
        'START TRANSACTION', `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 31}, 'a', 1)`, 'SAVEPOINT s',
        `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 32}, 'a', 1)`, 'ROLLBACK TO SAVEPOINT s', 'COMMIT'));
      expect(sent).toEqual(only(`c ${base + 31}`));
      await expectSame();
    });

    it('plain SQL of an operator, in a session that has set nothing, is sent once', async () => {
      const operator = await openRawConnection(twin.of(side).mysql.config, { role: 'operator' });
      try {
        const sent = await sentBy(async () => {
          await operator.execute(`INSERT INTO accounts (id, display_name, unit) VALUES (${base + 40}, 'a', 1), (${base + 41}, 'b', 2)`);
          await operator.execute(`DELETE FROM accounts WHERE id = ${base + 40}`);
        });
        expect(sent).toEqual(only(`c ${base + 40}`, `c ${base + 41}`, `d ${base + 40}`));
      } finally {
        await operator.close();
      }
    });

    it('a transaction that touches _checkpoints after its rows is a write like any other', async () => {
      const sent = await sentBy(() => write(side, 'START TRANSACTION',
        `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 50}, 'a', 1)`,
        `INSERT INTO _checkpoints (source, partition_no, next_offset) VALUES ('nobody', ${base}, 0)`, 'COMMIT'));
      await write(side, "DELETE FROM _checkpoints WHERE source = 'nobody'");
      expect(sent).toEqual(only(`c ${base + 50}`));
      await expectSame();
    });

    it('a table called _checkpoints in another database marks nothing', async () => {
      const sent = await sentBy(() => write(side, 'CREATE DATABASE apart', 'CREATE TABLE apart._checkpoints (id INT PRIMARY KEY)', 'START TRANSACTION',
        'INSERT INTO apart._checkpoints VALUES (1)', `INSERT INTO accounts (id, display_name, unit) VALUES (${base + 60}, 'a', 1)`, 'COMMIT', 'DROP DATABASE apart'));
      expect(sent).toEqual(only(`c ${base + 60}`));
      await expectSame();
    });

    it('a replicated table of the same name in another database stays at home', async () => {
      const sent = await sentBy(() => write(side, 'CREATE DATABASE apart', 'CREATE TABLE apart.accounts LIKE accounts',
        `INSERT INTO apart.accounts (id, display_name, unit, _hlc, _origin) VALUES (${base + 61}, 'a', 1, 5, 1)`, 'DROP DATABASE apart'));
      expect(sent).toEqual(only());
    });

    it('a session that calls itself apply by hand: its rows are sent, reported, and never echoed', async () => {
      const id = base + 70;
      const oddities = (): number => twin.of(side).capture?.stats.oddities.get('unstamped') ?? 0;
      const before = oddities();
      const forger = await openRawConnection(twin.of(side).mysql.config, { role: 'operator', session: { '@tandem_apply': 1 } });
      try {
        const sent = await sentBy(async () => {
          await forger.execute(`INSERT INTO accounts (id, display_name, unit) VALUES (${id}, 'a', 1)`);
          await write(side, `INSERT INTO accounts (id, display_name, unit) VALUES (${id + 1}, 'a', 1)`);
          await forger.execute(`DELETE FROM accounts WHERE id = ${id}`);
          await forger.execute(`UPDATE accounts SET display_name = 'forged' WHERE id = ${id + 1}`);
        });
        expect(sent).toEqual(only(`c ${id}`, `c ${id + 1}`, `d ${id}`, `u ${id + 1}`));
        expect(oddities()).toBe(before + 2);
        // An update without a new version wins nowhere: the peer keeps what it had, until an ordinary write of that column mends it.
        await write(side, `UPDATE accounts SET display_name = 'mended' WHERE id = ${id + 1}`);
        await twin.settle();
        await expectSame();
      } finally {
        await forger.close();
      }
    });

    it('a restart of capture echoes nothing', async () => {
      await twin.of(side).stopCapture();
      await twin.of(side).startCapture();
      await expectNoEcho(base + 100);
    });

    it('a restart of apply echoes nothing', async () => {
      await twin.of(side).stopApply();
      twin.of(side).startApply();
      await expectNoEcho(base + 101);
    });

    it('an apply that starts over from the first message echoes nothing', async () => {
      await twin.of(side).stopApply();
      await write(side, `DELETE FROM _checkpoints WHERE source = '${other(side)}'`);
      const sent = await sentBy(async () => void twin.of(side).startApply());
      expect(sent).toEqual(only());
      await expectSame();
    });

    it('a database that was killed and came back echoes nothing', async () => {
      await twin.of(side).mysql.kill9();
      await twin.of(side).mysql.restart();
      await twin.of(side).reconnect();
      await expectNoEcho(base + 102);
    });
  });

  it('a row that two regions fought over is sent by each once: the loser does not answer', async () => {
    await write('east', "INSERT INTO accounts (id, display_name, unit) VALUES (300, 'base', 1)");
    await twin.settle();
    await Promise.all(SIDES.map((side) => twin.of(side).stopApply()));
    const sent = await sentBy(async () => {
      await write('east', "UPDATE accounts SET display_name = 'east' WHERE id = 300");
      await write('west', "UPDATE accounts SET display_name = 'west' WHERE id = 300");
      for (const side of SIDES) twin.of(side).startApply();
    });
    expect(sent).toEqual({ east: ['u 300'], west: ['u 300'] });
    await expectSame();
  });

  it('a row set aside is told of once by each region at most, and then there is silence', async () => {
    await Promise.all(SIDES.map((side) => twin.of(side).stopApply()));
    const sent = await sentBy(async () => {
      await write('east', card(901));
      await write('west', card(902));
      for (const side of SIDES) twin.of(side).startApply();
    });
    expect(sent.east.concat(sent.west).filter((change) => change.startsWith('c')).toSorted()).toEqual(['c 901', 'c 902']);
    for (const side of SIDES) expect(sent[side].filter((change) => change.startsWith('d')).length).toBeLessThanOrEqual(1);
    await expectSame();
    expect(await sentBy(async () => {})).toEqual({ east: [], west: [] });
  });

  it('a heartbeat is sent by its own region alone', async () => {
    for (const side of SIDES) {
      const { kafka, origin } = twin.of(side);
      const messages = (await Promise.all([0, 1, 2, 3].map((partition) => kafka.readLast(changeTopic(side), partition, 50)))).flat();
      const beats = messages.map(({ value }) => JSON.parse(value.toString())).filter(({ source }) => source.table === '_heartbeats');
      expect(beats.length).toBeGreaterThan(10);
      expect(new Set(beats.map(({ tandem }) => tandem.origin))).toEqual(new Set([origin]));
    }
  });

  it('the marker table renamed away: apply waits for it and writes nothing, so nothing can echo', async () => {
    const sent = await sentBy(async () => {
      await write('west', 'RENAME TABLE _checkpoints TO _checkpoints_away');
      await write('east', "INSERT INTO accounts (id, display_name, unit) VALUES (400, 'unmarked', 1)");
      await until('apply to complain of the marker table', async () => /_checkpoints/.test(twin.west.apply?.trouble ?? ''));
      expect(await twin.west.sql.query('SELECT id FROM accounts WHERE id = 400')).toEqual([]);
      await write('west', 'RENAME TABLE _checkpoints_away TO _checkpoints');
    });
    expect(sent).toEqual({ east: ['c 400'], west: [] });
    await expectSame();
  });

  it('data and marker tables renamed apart: nothing is applied beside its marker, nothing echoes, and it goes on when they are back', async () => {
    const sent = await sentBy(async () => {
      await write('west', 'RENAME TABLE _checkpoints TO _marks, accounts TO people');
      await write('east', "INSERT INTO accounts (id, display_name, unit) VALUES (401, 'apart', 1)");
      await until('apply to complain', async () => twin.west.apply?.trouble !== null);
      await write('west', 'RENAME TABLE _marks TO _checkpoints');
      await until('apply to name the table', async () => /accounts/.test(twin.west.apply?.trouble ?? ''));
      await write('west', 'RENAME TABLE people TO accounts');
    });
    expect(sent).toEqual({ east: ['c 401'], west: [] });
    await expectSame();
  });
});
