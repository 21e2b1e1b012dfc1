/**
 * The triggers of merged tables on real servers: random writes leave what the pure model says, to the byte, and what the
 * rules forbid is refused by a sentence. Set TANDEM_TEST_SEED to repeat a failure.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMerge, formatMerge } from '../../../cdc/resolve/merge-state.ts';
import { rulesOf } from '../../../cdc/resolve/table-rules.ts';
import type { TableRules } from '../../../cdc/resolve/table-rules.ts';
import type { Image } from '../../../cdc/change/envelope.ts';
import { openRawConnection } from '../../../shared/mysql/raw-connection.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { checkedRules } from '../../../shared/schema/conflict-rules-check.ts';
import { mergedTables } from '../../../shared/schema/merge-trigger.ts';
import { readTableFacts } from '../../../shared/schema/table-facts.ts';
import { triggersFor } from '../../../shared/schema/triggers.ts';
import { engines, startMysql } from '../../harness/mysql.ts';
import { seededRandom } from '../../simulation/seeded-random.ts';
import { Refused, mergeIn, updated, versionIn } from './trigger-model.ts';

const ORIGIN = 2;
const ROUNDS = 400;
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);

const TABLE = `CREATE TABLE zoo (
  id BIGINT NOT NULL PRIMARY KEY, unit TINYINT UNSIGNED NOT NULL, status VARCHAR(16) NULL, keeper VARCHAR(40) NULL,
  seq INT NULL, fee DECIMAL(12,3) NULL, cheapest BIGINT NULL, seen TINYINT UNSIGNED NOT NULL DEFAULT 0, spent BIGINT NOT NULL DEFAULT 0,
  name VARCHAR(40) NOT NULL, notes JSON NULL, photo VARBINARY(16) NULL, twice INT AS (seq * 2) STORED, code VARCHAR(8) NULL,
  updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _origin TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE, _merge JSON NULL INVISIBLE,
  UNIQUE KEY one_code (code)
)`;
const RULES = `
version: 1
tables:
  zoo:
    groups:
      status: { rule: state-machine, column: status, order: [[new], [open], [done, failed]], with: [keeper] }
      progress: { rule: max, columns: [seq, fee] }
      price: { rule: min, columns: [cheapest] }
      visits: { rule: counter, columns: [seen, spent] }
      label: { rule: lww, columns: [name] }
`;
const COLUMNS = ['id', 'unit', 'status', 'keeper', 'seq', 'fee', 'cheapest', 'seen', 'spent', 'name', 'notes', 'photo', 'code', '_hlc', '_origin', '_merge'];

describe.each(await engines())('triggers of merged tables on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startMysql>>;
  let db: RawConnection;
  let apply: RawConnection;
  let rules: TableRules;

  beforeAll(async () => {
    server = await startMysql({ engine, schema: true });
    db = await openRawConnection(server.config, { role: 'test' });
    apply = await openRawConnection(server.config, { role: 'test', session: { '@tandem_apply': 1 } });
    await db.execute(TABLE);
    const facts = await readTableFacts(db);
    const checked = checkedRules({ file: 'zoo.yaml', text: RULES, facts, tables: ['zoo'] });
    rules = rulesOf(checked, 'zoo');
    const triggers = triggersFor(ORIGIN, ['zoo'], mergedTables(checked, facts)).filter(({ table }) => table === 'zoo');
    for (const { sql } of triggers) await db.execute(sql);
  });
  afterAll(async () => {
    await db?.close();
    await apply?.close();
    await server?.stop();
  });

  const read = async (id: number): Promise<Image> => {
    const [row] = await db.query(`SELECT ${COLUMNS.join(', ')} FROM zoo WHERE id = ?`, [id]);
    return Object.fromEntries(Object.entries(row!).map(([column, value]) => [column, Buffer.isBuffer(value) ? { $b64: value.toString('base64') } : value])) as Image;
  };
  /** MySQL spells JSON its own way; MariaDB keeps the text. */
  const asStored = (image: Image): string | null =>
    engine === 'mariadb' ? mergeIn(image) : formatMerge(parseMerge(mergeIn(image), versionIn(image)), versionIn(image));

  test(`random writes leave what the model says (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const pick = <T>(...of: T[]): T => of[random.integer(of.length)]!;
    const values: Record<string, () => string | number | null> = {
      status: () => pick('new', 'open', 'done', 'failed', 'NEW', 'odd', null),
      keeper: () => pick('ann', 'Ann', 'ann ', '', null),
      seq: () => pick(null, random.integer(50), random.integer(50)),
      fee: () => pick(null, `${random.integer(30)}.500`, '9.900', '-1.000'),
      cheapest: () => pick(null, `${random.integer(50)}`, '-3', '9223372036854775000'),
      seen: () => random.integer(200),
      spent: () => `${random.integer(1000) - 500}`,
      name: () => pick('a', 'A', 'ä', 'a '),
      notes: () => pick('{"a": 1}', '{"a": 2}', '[]', null),
      code: () => pick('x', 'y', null),
    };
    let refused = 0;
    for (const id of [1, 2, 3]) await db.execute("INSERT INTO zoo (id, unit, name, status, seen, spent) VALUES (?, 1, 'a', 'new', 3, 7)", [id]);
    expect(await read(1)).toMatchObject({ _merge: null, _origin: ORIGIN });
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = 1 + random.integer(3);
      const old = await read(id);
      const columns = Object.keys(values).filter(() => random.integer(4) === 0).filter((column) => column !== 'code');
      const set = Object.fromEntries(columns.map((column) => [column, values[column]!()]));
      // The peer's part, as apply would merge it in: other regions' slots have to live on.
      if (random.integer(10) === 0) await foreignVisit(apply, id, old);
      const before = await read(id);
      const assignments = ['unit = unit', ...columns.map((column) => `${column} = ?`)].join(', ');
      const outcome = await db.execute(`UPDATE zoo SET ${assignments} WHERE id = ?`, [...columns.map((column) => set[column]), id]).then(() => 'done', (e: Error) => e.message);
      const after = await read(id);
      let wanted: Image;
      try {
        wanted = updated(rules, before, set, { clock: 0n, origin: ORIGIN });
      } catch (e) {
        expect(e).toBeInstanceOf(Refused);
        expect(outcome, JSON.stringify({ before, set })).toMatch(/cannot (go back|fall|rise) from .*\(rule /);
        expect(after).toEqual(before);
        refused += 1;
        continue;
      }
      expect(outcome, JSON.stringify({ before, set })).toBe('done');
      // The clock is the server's: the model gets the version that came out.
      expect(versionIn(after).hlc).toBeGreaterThanOrEqual(versionIn(wanted).hlc);
      const model = updated(rules, before, set, { clock: versionIn(after).hlc, origin: ORIGIN });
      expect(asStored(after), JSON.stringify({ round, before, set })).toBe(mergeIn(model));
      expect(versionIn(after)).toEqual(versionIn(model));
    }
    expect(refused).toBeGreaterThan(10);
    expect(refused).toBeLessThan(ROUNDS - 50);
  });

  test('a row that gets another id was born there', async () => {
    await db.execute("INSERT INTO zoo (id, unit, name, status) VALUES (20, 1, 'a', 'new')");
    await db.execute("UPDATE zoo SET status = 'open' WHERE id = 20");
    expect(mergeIn(await read(20))).not.toBeNull();
    await db.execute('UPDATE zoo SET id = 21 WHERE id = 20');
    expect(mergeIn(await read(21))).toBeNull();
  });

  test('what is copied from another row does not bring its past', async () => {
    await db.execute("INSERT INTO zoo (id, unit, name, status) VALUES (30, 1, 'a', 'new')");
    await db.execute("UPDATE zoo SET status = 'open' WHERE id = 30");
    await db.execute("INSERT INTO zoo (id, unit, name, status, _merge) SELECT 31, unit, name, status, _merge FROM zoo WHERE id = 30");
    expect(mergeIn(await read(31))).toBeNull();
  });

  test('the refusal names table, column, both values and the rule', async () => {
    await db.execute("INSERT INTO zoo (id, unit, name, status, seq, cheapest) VALUES (40, 1, 'a', 'done', 5, 5)");
    await expect(db.execute("UPDATE zoo SET status = 'open' WHERE id = 40")).rejects.toThrow('zoo.status cannot go back from done to open (rule state-machine of group status)');
    await expect(db.execute('UPDATE zoo SET seq = 4 WHERE id = 40')).rejects.toThrow('zoo.seq cannot fall from 5 to 4 (rule max of group progress)');
    await expect(db.execute('UPDATE zoo SET cheapest = 6 WHERE id = 40')).rejects.toThrow('zoo.cheapest cannot rise from 5 to 6 (rule min of group price)');
    await expect(db.execute('UPDATE zoo SET seq = NULL WHERE id = 40')).rejects.toThrow('zoo.seq cannot fall from 5 to NULL');
    await db.execute("UPDATE zoo SET status = 'failed', seq = 6, cheapest = 4 WHERE id = 40");
  });

  test('the apply session writes `_merge` as it is, and may move anything', async () => {
    await apply.execute("INSERT INTO zoo (id, unit, name, status, _hlc, _origin, _merge) VALUES (50, 1, 'a', 'done', 77, 1, '{\"born\":\"5/1\"}')");
    await apply.execute("UPDATE zoo SET status = 'new', _hlc = 78 WHERE id = 50");
    const row = await read(50);
    expect(row).toMatchObject({ status: 'new', _hlc: '78', _origin: 1 });
    expect(asStored(row)).toBe('{"born":"5/1"}');
  });

  test('`_merge` is invisible to SELECT *', async () => {
    for (const table of ['zoo', 'rides', 'routes', 'stops', 'payments']) {
      const columns = await db.query<{ c: string; extra: string }>("SELECT COLUMN_NAME AS c, EXTRA AS extra FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = '_merge'", [table]);
      expect(columns, table).toEqual([{ c: '_merge', extra: expect.stringMatching(/INVISIBLE/i) }]);
    }
    const [row] = await db.query('SELECT * FROM zoo WHERE id = 50');
    expect(Object.keys(row!)).not.toContain('_merge');
  });
});

/** The other region's visit, merged in by apply. */
async function foreignVisit(apply: RawConnection, rowId: number, row: Image): Promise<void> {
  const state = parseMerge(mergeIn(row), versionIn(row));
  const version = { hlc: versionIn(row).hlc + 1n, origin: 11 } as ReturnType<typeof versionIn>;
  const seen = Number(row['seen']);
  const slots = new Map(state.counters.get('seen') ?? [[state.born.origin, { hlc: state.born.hlc, total: BigInt(seen) }]]);
  const own = slots.get(11)?.total ?? 0n;
  slots.set(11, { hlc: version.hlc, total: own + 1n });
  const text = formatMerge({ ...state, counters: new Map([...state.counters, ['seen', slots]]) }, version);
  await apply.execute('UPDATE zoo SET seen = seen + 1, _hlc = ?, _origin = 11, _merge = ? WHERE id = ?', [version.hlc, text, rowId]);
}
