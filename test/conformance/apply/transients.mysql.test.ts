/** Locks, lost connections and servers that take no writes are waited for as what they are: nothing is parked, lost or doubled. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { Rig, account } from './rig.ts';
import type { Draft } from './rig.ts';

/** Parked at the first failure: what is waited for here must not count as one. */
const POISON = { tries: 1, policy: 'pause-unit' } as const;

describe.each(await engines())('what time heals, on %s', (engine) => {
  let rig: Rig;
  let other: RawConnection;
  let next = 0;
  beforeAll(async () => {
    rig = await Rig.start(engine);
    other = await openRawConnection(rig.mysql.config, { role: 'other' });
    rig.apply({ poison: POISON });
  });
  afterAll(async () => {
    await other?.close();
    await rig?.close();
  });

  const insert = (id: number, unit = 1): Draft => ({ op: 'c', table: 'accounts', id, unit, row: account('a'), at: ++next });
  const update = (id: number, was: number, unit = 1): Draft => ({ op: 'u', table: 'accounts', id, unit, row: account('b'), at: ++next, was, before: account('a') });
  const name = async (id: number): Promise<unknown> => (await rig.sql.query('SELECT display_name AS n FROM accounts WHERE id = ?', [id]))[0]?.['n'];
  const nothingParked = async (): Promise<void> => {
    expect(await rig.sql.query('SELECT id FROM _dead_letters')).toEqual([]);
    expect(await rig.sql.query('SELECT id FROM _conflicts')).toEqual([]);
  };
  /** Threads of apply, by what they run. */
  const threads = async (running: string): Promise<string[]> => {
    const rows = await rig.sql.query<{ id: string | number }>("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'tandem_apply' AND INFO LIKE ?", [running]);
    return rows.map(({ id }) => String(id));
  };
  const heldRow = async (id: number, during: () => Promise<void>): Promise<void> => {
    await other.execute('START TRANSACTION');
    await other.execute('UPDATE accounts SET unit = unit WHERE id = ?', [id]);
    await other.query('SELECT id FROM accounts WHERE id = ? FOR UPDATE', [id]);
    try {
      await during();
    } finally {
      await other.execute('ROLLBACK');
    }
  };

  it('a row that is locked for longer than a lock wait lasts', async () => {
    await rig.send(insert(1));
    await rig.caughtUp();
    const was = next;
    await heldRow(1, async () => {
      await rig.send(update(1, was));
      await rig.send(insert(2, 2));
      await until('another partition to go on meanwhile', async () => (await name(2)) === 'a');
      await until('a lock wait to end and begin again', async () => rig.log.lines.some(({ message }) => /does not get on|runs again/.test(message)) || (await waits(rig, 2)));
      expect(await name(1)).toBe('a');
    });
    await rig.caughtUp();
    expect(await name(1)).toBe('b');
    await nothingParked();
  });

  it('a deadlock', async () => {
    await rig.send(insert(10), insert(11));
    await rig.caughtUp();
    const was = next;
    // Ours has one row and wants the other; apply gets that one first and comes for ours.
    await other.execute('START TRANSACTION');
    await other.execute('SELECT id FROM accounts WHERE id = 11 FOR UPDATE').catch(() => other.query('SELECT id FROM accounts WHERE id = 11 FOR UPDATE'));
    await rig.send(update(10, was - 1), update(11, was));
    await until('apply to wait for the second row', async () => (await threads('%UPDATE%')).length > 0);
    const ours = other.query('SELECT id FROM accounts WHERE id = 10 FOR UPDATE').then(() => 'won', () => 'lost');
    await ours;
    await other.execute('ROLLBACK');
    await rig.caughtUp();
    expect([await name(10), await name(11)]).toEqual(['b', 'b']);
    await nothingParked();
  });

  it('a server that is read-only for a while', async () => {
    // Users with special rights write on; apply has none.
    const [on, off] = engine === 'mysql' ? ['SET GLOBAL super_read_only = ON', 'SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF'] : ['SET GLOBAL read_only = 1', 'SET GLOBAL read_only = 0'];
    await rig.sql.execute(on);
    await rig.send(insert(20));
    await until('apply to say so', async () => rig.log.lines.some(({ fields }) => String(JSON.stringify(fields['err'] ?? {})).includes('db-read-only')));
    await rig.sql.execute(off);
    await rig.caughtUp();
    expect(await name(20)).toBe('a');
    await nothingParked();
  });

  it('a connection that is killed in the middle of a batch', async () => {
    await rig.send(insert(30));
    await rig.caughtUp();
    const was = next;
    await heldRow(30, async () => {
      await rig.send(update(30, was), insert(31));
      let victims: string[] = [];
      await until('apply to stand in the middle', async () => (victims = await threads('%UPDATE%')).length > 0);
      for (const id of victims) await rig.sql.execute(`KILL ${id}`);
    });
    await rig.caughtUp();
    expect([await name(30), await name(31)]).toEqual(['b', 'a']);
    await nothingParked();
  });

  it('connections that are killed again and again, commits among them: each change once', async () => {
    const killing = new AbortController();
    const killer = (async () => {
      while (!killing.signal.aborted) {
        const rows = await rig.sql.query<{ id: string | number }>("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'tandem_apply'");
        for (const { id } of rows) await rig.sql.execute(`KILL ${id}`).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
    })();
    for (let i = 0; i < 60; i += 1) await rig.send(insert(100 + i, i % 4));
    for (let i = 0; i < 60; i += 1) await rig.send({ op: 'u', table: 'accounts', id: 100 + i, unit: i % 4, row: account('b'), at: ++next, was: next - 60, before: account('a') });
    await until('some of it to be written', async () => (await name(110)) !== undefined);
    killing.abort();
    await killer;
    await rig.caughtUp();
    expect(await rig.sql.query("SELECT COUNT(*) AS n FROM accounts WHERE id BETWEEN 100 AND 159 AND display_name = 'b'")).toMatchObject([{ n: expect.toSatisfy((n: unknown) => Number(n) === 60) }]);
    await nothingParked();
  });

  it('a second apply on the same group, a third that fights it for the checkpoint: each change once', async () => {
    const second = rig.apply({ poison: POISON });
    // Of another group it gets the same partitions.
    const third = rig.apply({ poison: POISON, region: 'witness' });
    for (let i = 0; i < 40; i += 1) {
      await rig.send(insert(200 + i, i % 8));
      await rig.send({ op: 'u', table: 'accounts', id: 200 + i, unit: i % 8, row: account('b'), at: ++next, was: next - 1, before: account('a') });
    }
    await rig.caughtUp();
    expect(await rig.sql.query("SELECT COUNT(*) AS n FROM accounts WHERE id BETWEEN 200 AND 239 AND display_name = 'b'")).toMatchObject([{ n: expect.toSatisfy((n: unknown) => Number(n) === 40) }]);
    await Promise.all([second.stop(), third.stop()]);
    await nothingParked();
  });
});

async function waits(rig: Rig, count: number): Promise<boolean> {
  const [row] = await rig.sql.query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'");
  return Number(row?.Value) >= count;
}
