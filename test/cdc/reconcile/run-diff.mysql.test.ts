/** The full comparison on real databases: what was planted is found, what is on its way is not, and nothing is guessed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runDiff } from '../../../cdc/reconcile/run-diff.ts';
import type { DiffReport, DiffRequest } from '../../../cdc/reconcile/run-diff.ts';
import { sleep } from '../../../shared/kernel/deadline.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

const CHUNK_ROWS = 50;
const ROWS = 230;
const LARGE_ID = '9223372036854775807';

describe.each(await engines())('runDiff on %s', (engine) => {
  let east: TestMysql;
  let west: TestMysql;
  let eastSql: RawConnection;
  let westSql: RawConnection;

  beforeAll(async () => {
    [east, west] = await Promise.all([
      startMysql({ engine, origin: 1, grants: true }),
      startMysql({ engine, origin: 2, grants: true }),
    ]);
    // As apply does: what is written here must keep the versions it is given.
    const session = { '@tandem_apply': 1 };
    eastSql = await openRawConnection(east.config, { role: 'test', session });
    westSql = await openRawConnection(west.config, { role: 'test', session });
  }, 120_000);

  afterAll(async () => {
    await eastSql?.close();
    await westSql?.close();
    await Promise.all([east?.stop(), west?.stop()]);
  });

  afterEach(async () => {
    for (const sql of [eastSql, westSql]) for (const table of ['accounts', '_checkpoints']) await sql.execute(`DELETE FROM ${table}`);
  });

  it('equal databases are identical, the seeded fare cards included', async () => {
    await fill();
    const report = await diff({ tables: undefined });
    expect(report).toMatchObject({ rowsDifferent: 0, rowsUnsettled: 0, differences: [] });
    expect(report.rowsCompared).toBeGreaterThan(ROWS);
    expect(report.tables.find((table) => table.table === 'accounts')?.rowsCompared).toBe(ROWS);
  });

  it('finds every planted divergence: values that cancel under XOR, bounds of chunks, rows beyond the other side', async () => {
    await fill();
    // Two rows swap their values: each side has the same multiset of values.
    await westSql.execute("UPDATE accounts SET display_name = 'rider 11', _hlc = 10 WHERE id = 10");
    await westSql.execute("UPDATE accounts SET display_name = 'rider 10', _hlc = 11 WHERE id = 11");
    await westSql.execute('UPDATE accounts SET _hlc = 999, updated_at = updated_at WHERE id = ?', [CHUNK_ROWS]);
    await westSql.execute('DELETE FROM accounts WHERE id = ?', [CHUNK_ROWS + 1]);
    await insert(westSql, LARGE_ID);
    await eastSql.execute("UPDATE accounts SET display_name = '' WHERE id = 120");
    const report = await diff();
    expect(report.differences.map(({ id, kind }) => [id, kind])).toEqual([
      ['10', 'different'], ['11', 'different'], ['50', 'version-only'], ['51', 'missing'], ['120', 'different'], [LARGE_ID, 'extra'],
    ]);
    expect(report.differences[0]?.columns).toContain('display_name');
    expect(report.differences[2]?.versions).toEqual({ east: { hlc: '50', origin: 1 }, west: { hlc: '999', origin: 1 } });
    expect(report).toMatchObject({ rowsDifferent: 6, rowsUnsettled: 0, rowsCompared: ROWS + 1 });
  });

  it('an empty side against a full one is missing row by row, in bounded lists', async () => {
    for (let id = 1; id <= 1_100; id += 1) await insert(westSql, String(id));
    const report = await diff();
    expect(report.rowsDifferent).toBe(1_100);
    expect(report.differences).toHaveLength(1_000);
    expect(report.tables[0]?.byKind.extra).toBe(1_100);
  });

  it('a row on its way is waited for, not reported', async () => {
    await fill();
    await insert(eastSql, '5000');
    const arrival = sleep(700).then(() => insert(westSql, '5000'));
    const report = await diff();
    await arrival;
    expect(report).toMatchObject({ rowsDifferent: 0, rowsUnsettled: 0 });
  });

  it('where replication is behind, nothing is called different; the deadline leaves it open', async () => {
    await fill();
    await insert(eastSql, '5000');
    for (const sql of [eastSql, westSql]) {
      await sql.execute("INSERT INTO _checkpoints (source, partition_no, next_offset, watermark_hlc) VALUES ('peer', 0, 1, 1)");
    }
    const report = await diff({ settleDeadlineMs: 500 });
    expect(report).toMatchObject({ rowsDifferent: 0, rowsUnsettled: 1, differences: [] });
  });

  it('once both watermarks have passed, what still differs is different at once', async () => {
    await fill();
    await insert(eastSql, '5000');
    const future = (BigInt(Date.now() + 3_600_000) << 16n).toString();
    for (const sql of [eastSql, westSql]) {
      await sql.execute('INSERT INTO _checkpoints (source, partition_no, next_offset, watermark_hlc) VALUES (?, 0, 1, ?)', ['peer', future]);
    }
    const report = await diff({ settleDeadlineMs: 500 });
    expect(report).toMatchObject({ rowsDifferent: 1, rowsUnsettled: 0 });
  });

  it('a side without the table is refused by name', async () => {
    await expect(diff({ tables: ['nowhere'] })).rejects.toMatchObject({ code: 'diff-refused' });
  });

  it('a run that is broken off throws, it does not answer', async () => {
    await fill();
    const abort = new AbortController();
    const stop = new Error('enough');
    const running = diff({ signal: abort.signal, onProgress: ({ rowsCompared }) => rowsCompared > 0 && abort.abort(stop) });
    await expect(running).rejects.toBe(stop);
  });

  async function diff(options: Partial<DiffRequest> = {}): Promise<DiffReport> {
    return runDiff({
      left: { name: 'east', mysql: east.users['tandem_operator'] ?? east.config },
      right: { name: 'west', mysql: west.users['tandem_operator'] ?? west.config },
      tables: ['accounts'], log: SILENT_LOG, chunkRows: CHUNK_ROWS, ...options,
    });
  }

  async function fill(): Promise<void> {
    for (let id = 1; id <= ROWS; id += 1) await Promise.all([insert(eastSql, String(id)), insert(westSql, String(id))]);
  }
});

async function insert(sql: RawConnection, id: string): Promise<void> {
  await sql.execute(
    `INSERT INTO accounts (id, unit, display_name, created_at, updated_at, _hlc, _origin)
     VALUES (?, 7, ?, '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000', ?, 1)`,
    [BigInt(id), `rider ${id}`, BigInt(id)],
  );
}
