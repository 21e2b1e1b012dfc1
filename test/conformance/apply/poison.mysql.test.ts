/** A change that its own data keeps from being written is parked with its cause; everything else goes on, in order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deadLetterTopic } from '../../../cdc/apply/announcer.ts';
import type { DeadLetter } from '../../../cdc/apply/dead-letters.ts';
import { until } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { Rig, account } from './rig.ts';

const POISON = { tries: 2, policy: 'pause-unit' } as const;
const TOO_LONG = account('x'.repeat(101));

const brief = (letters: readonly DeadLetter[]): string[] => letters.map(({ kind, state, unit, rowId, holdsUnit }) => `${kind} ${state} unit ${unit} row ${rowId}${holdsUnit ? ' holds' : ''}`);

describe.each(await engines())('poison changes on %s', (engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start(engine);
  });
  afterAll(async () => {
    await rig?.close();
  });

  const names = async (from: number, to: number): Promise<Record<string, unknown>> => {
    const rows = await rig.sql.query('SELECT id, display_name AS name FROM accounts WHERE id BETWEEN ? AND ? ORDER BY id', [from, to]);
    return Object.fromEntries(rows.map((row) => [String(row['id']), row['name']]));
  };

  it('is parked after the set number of tries with its cause, beside the other rows of its transaction, and announced', async () => {
    const apply = rig.apply({ poison: POISON });
    await rig.send(
      { op: 'c', table: 'accounts', id: 1, unit: 1, row: account('before'), at: 1 }, { op: 'c', table: 'accounts', id: 2, unit: 1, row: TOO_LONG, at: 1 },
      { op: 'c', table: 'accounts', id: 3, unit: 5, row: account('same partition'), at: 1 },
    );
    await rig.caughtUp();
    expect(await names(1, 3)).toEqual({ 1: 'before', 3: 'same partition' });
    const [letter] = await apply.deadLetters.list();
    expect(letter).toMatchObject({ kind: 'poison', state: 'waiting', unit: 1, table: 'accounts', rowId: '2', code: 'db-failed', tries: 2, holdsUnit: true });
    expect(letter?.cause).toContain('display_name');
    expect(JSON.parse(String(await apply.deadLetters.message(letter?.id ?? '')))).toMatchObject({ after: { id: '2' } });
    await until('the announcement', async () => (await rig.client.readLast(deadLetterTopic('west'), 0, 1).catch(() => [])).length > 0);
    const [news] = await rig.client.readLast(deadLetterTopic('west'), 0, 1);
    expect(JSON.parse(String(news?.value))).toMatchObject({ id: letter?.id, source: 'east', unit: 1, table: 'accounts', rowId: '2', code: 'db-failed' });
  });

  it('later changes of its unit wait behind it in order, other units and partitions go on, a restart does not forget', async () => {
    await rig.stopApplies();
    const apply = rig.apply({ poison: POISON });
    await rig.send({ op: 'u', table: 'accounts', id: 1, unit: 1, row: account('held'), at: 2, was: 1, before: account('before') });
    await rig.send({ op: 'u', table: 'accounts', id: 1, unit: 1, row: account('held twice'), at: 3, was: 2, before: account('held') });
    await rig.send({ op: 'c', table: 'accounts', id: 4, unit: 9, row: account('same partition, other unit'), at: 4 }, { op: 'c', table: 'accounts', id: 5, unit: 2, row: account('other partition'), at: 4 });
    await rig.caughtUp();
    expect(await names(1, 5)).toMatchObject({ 1: 'before', 4: 'same partition, other unit', 5: 'other partition' });
    expect(brief(await apply.deadLetters.list())).toEqual(['poison waiting unit 1 row 2 holds', 'held waiting unit 1 row 1', 'held waiting unit 1 row 1']);
    expect(apply.parkedUnits).toEqual([1]);
  });

  it('a retry that fails again leaves everything waiting and says why', async () => {
    const apply = rig.apply({ poison: POISON });
    const [letter] = await apply.deadLetters.list({ kind: 'poison' });
    const report = await apply.deadLetters.retry({ id: letter?.id ?? '' });
    expect(report).toMatchObject({ retried: 0, skipped: 0, parkedUnits: [1] });
    expect(report.failed).toMatchObject([{ id: letter?.id, code: 'db-failed' }]);
    expect(await apply.deadLetters.list()).toHaveLength(3);
  });

  it('a retry that succeeds writes it and what waited behind it, in order, and the unit goes on; nothing of it is sent back', async () => {
    const apply = rig.apply({ poison: POISON });
    const binlogged = async (): Promise<number> => Number((await rig.sql.query<{ n: string }>("SELECT next_offset AS n FROM _checkpoints WHERE partition_no = 1"))[0]?.n);
    const place = await binlogged();
    await rig.sql.execute('ALTER TABLE accounts MODIFY display_name VARCHAR(200) NOT NULL');
    const report = await apply.deadLetters.retry({ unit: 1 });
    expect(report).toMatchObject({ retried: 3, failed: [], parkedUnits: [] });
    expect(await names(1, 2)).toEqual({ 1: 'held twice', 2: 'x'.repeat(101) });
    expect(await binlogged(), 'a retry moves no checkpoint').toBe(place);
    expect(brief(await apply.deadLetters.list({ state: 'all' }))).toEqual(['poison retried unit 1 row 2', 'held retried unit 1 row 1', 'held retried unit 1 row 1']);
    await rig.send({ op: 'u', table: 'accounts', id: 1, unit: 1, row: account('goes on'), at: 5, was: 3, before: account('held twice') });
    await rig.caughtUp();
    expect(await names(1, 1)).toEqual({ 1: 'goes on' });
  });

  it('a skipped one is given up for good, and what waited behind it is written', async () => {
    const apply = rig.apply({ poison: POISON });
    await rig.send({ op: 'c', table: 'accounts', id: 20, unit: 3, row: account('y'.repeat(201)), at: 6 });
    await rig.send({ op: 'c', table: 'accounts', id: 21, unit: 3, row: account('behind'), at: 7 });
    await rig.caughtUp();
    const [letter] = await apply.deadLetters.list({ unit: 3, kind: 'poison' });
    expect(await apply.deadLetters.skip(letter?.id ?? '')).toMatchObject({ skipped: 1, retried: 1, failed: [], parkedUnits: [] });
    expect(await names(20, 21)).toEqual({ 21: 'behind' });
    await expect(apply.deadLetters.skip(letter?.id ?? '')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('a topic read again from its start parks nothing anew and leaves no conflict', async () => {
    const apply = rig.apply({ poison: POISON });
    await rig.caughtUp();
    const before = await rig.rows('accounts', 'id, display_name, _hlc');
    const moved = await apply.reset({ to: 'start' });
    expect(moved.map(({ partition, to }) => `${partition}:${to}`)).toEqual(['0:0', '1:0', '2:0', '3:0']);
    await rig.caughtUp();
    expect(await rig.rows('accounts', 'id, display_name, _hlc')).toEqual(before);
    expect(await apply.deadLetters.list()).toEqual([]);
    expect(await rig.sql.query('SELECT * FROM _conflicts')).toEqual([]);
  });

  it('under the policy continue the unit goes on without it', async () => {
    await rig.stopApplies();
    const apply = rig.apply({ poison: { tries: 2, policy: 'continue' } });
    await rig.send({ op: 'c', table: 'accounts', id: 30, unit: 6, row: account('z'.repeat(201)), at: 8 });
    await rig.send({ op: 'c', table: 'accounts', id: 31, unit: 6, row: account('goes on'), at: 9 });
    await rig.caughtUp();
    expect(await names(30, 31)).toEqual({ 31: 'goes on' });
    expect(brief(await apply.deadLetters.list())).toEqual(['poison waiting unit 6 row 30']);
    expect(apply.parkedUnits).toEqual([]);
  });

  it('a message that is no change is parked by itself: nobody waits for it', async () => {
    const apply = rig.apply({ poison: POISON });
    await rig.sendRaw([{ partition: 2, value: '{"op":' }, { partition: 2, value: Buffer.from([0xff, 0xfe, 0]) }]);
    await rig.send({ op: 'c', table: 'accounts', id: 40, unit: 2, row: account('after it'), at: 10 });
    await rig.caughtUp();
    expect(await names(40, 40)).toEqual({ 40: 'after it' });
    const letters = (await apply.deadLetters.list()).filter(({ unit }) => unit === null);
    expect(letters.map(({ code, partition, holdsUnit }) => `${code} ${partition} ${holdsUnit}`)).toEqual(['change-malformed 2 false', 'change-malformed 2 false']);
    expect(String(await apply.deadLetters.message(letters[0]?.id ?? ''))).toBe('{"op":');
    await Promise.all(letters.map(({ id }) => apply.deadLetters.skip(id)));
  });

  it('two poison changes of one unit are worked off one after the other', async () => {
    await rig.stopApplies();
    const apply = rig.apply({ poison: POISON });
    for (const [i, name] of ['w'.repeat(201), 'fine', 'v'.repeat(201), 'fine too'].entries()) {
      await rig.send({ op: 'c', table: 'accounts', id: 50 + i, unit: 7, row: account(name), at: 20 + i });
    }
    await rig.caughtUp();
    const first = (await apply.deadLetters.list({ unit: 7 }))[0];
    const report = await apply.deadLetters.skip(first?.id ?? '');
    expect(report).toMatchObject({ skipped: 1, retried: 1, parkedUnits: [7] });
    expect(report.failed).toHaveLength(1);
    expect(brief(await apply.deadLetters.list({ unit: 7 }))).toEqual(['poison waiting unit 7 row 52 holds', 'held waiting unit 7 row 53']);
    expect(await names(50, 53)).toEqual({ 51: 'fine' });
    expect(await apply.deadLetters.skip(report.failed[0]?.id ?? '')).toMatchObject({ skipped: 1, retried: 1, parkedUnits: [] });
    expect(await names(50, 53)).toEqual({ 51: 'fine', 53: 'fine too' });
  });
});
