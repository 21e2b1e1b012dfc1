/**
 * An operator's day with the real processes: who may, what is seen, pause and resume over a kill -9, a poison change, a
 * snapshot, a conflict taken back, a reset; each through the functions of the command line, each with its audit row.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listConflicts, replayConflict, showConflict } from '../../../cdc/operate/commands/conflicts.ts';
import { retryLetters, skipLetter } from '../../../cdc/operate/commands/dead-letters.ts';
import { setPause } from '../../../cdc/operate/commands/pause.ts';
import { resetPart } from '../../../cdc/operate/commands/reset.ts';
import { takeSnapshot } from '../../../cdc/operate/commands/snapshot.ts';
import { showStatus } from '../../../cdc/operate/commands/status.ts';
import { engines } from '../../harness/mysql.ts';
import { until } from '../twin.ts';
import type { Side } from '../twin.ts';
import { isReady, startStand } from './stand.ts';
import type { Stand } from './stand.ts';

const because = { reason: 'T-1' };
/** Even units are at home in the east at first, odd ones in the west. */
const UNIT_OF_WEST = 17;

describe.each(await engines())('operating replication on %s', (engine) => {
  let stand: Stand;

  beforeAll(async () => {
    stand = await startStand(engine);
  });
  afterAll(() => stand?.[Symbol.asyncDispose]());

  const sql = async (side: Side, statement: string): Promise<void> => void (await stand.twin.of(side).sql.execute(statement));
  const nameIn = async (side: Side, id: number): Promise<string | null> =>
    (await stand.twin.of(side).sql.query<{ name: string }>('SELECT display_name AS name FROM accounts WHERE id = ?', [id]))[0]?.name ?? null;
  const isNamed = (side: Side, id: number, name: string | null) => until(`${name} in ${side}`, async () => (await nameIn(side, id)) === name);

  it('only operators are let in: 401 without a token, 403 with a rider\'s, whatever is asked', async () => {
    const body = JSON.stringify(because);
    const rider = await stand.tokenOf('rider');
    const routes = {
      capture: ['GET status', 'GET snapshots', 'POST pause', 'POST resume', 'POST reset', 'POST snapshots', 'POST snapshots/1/cancel'],
      apply: ['GET status', 'GET dead-letters', 'POST pause', 'POST resume', 'POST reset', 'POST dead-letters/1/retry', 'POST dead-letters/1/skip', 'POST dead-letters/retry'],
    } as const;
    const answers: number[] = [];
    for (const part of ['capture', 'apply'] as const) {
      for (const [method, path] of routes[part].map((route) => route.split(' '))) {
        for (const token of [undefined, rider]) {
          const headers = { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
          const response = await fetch(`${stand.processes.of(part, 'west').url}/v1/cdc/${path}`, { method, headers, ...(method === 'POST' ? { body } : {}) });
          expect(response.headers.get('content-type')).toContain('application/problem+json');
          answers.push(response.status);
        }
      }
    }
    expect(answers.filter((_, i) => i % 2 === 0).every((status) => status === 401), String(answers)).toBe(true);
    expect(answers.filter((_, i) => i % 2 === 1).every((status) => status === 403), String(answers)).toBe(true);
    expect(await stand.audited('west')).toEqual([]);
  });

  it('status: both directions flow, each part knows its place', async () => {
    await until('lag in both directions', async () => (await stand.statusOf('apply', 'east'))['lag'] !== null && (await stand.statusOf('apply', 'west'))['lag'] !== null);
    const { text, exitCode } = await showStatus(stand.deps);
    expect(text).toMatch(/east -> west {3}lag p50 \d+ ms[^]*west -> east {3}lag p50 \d+ ms[^]*nothing is wrong/);
    expect(exitCode).toBe(0);
    expect((await stand.statusOf('capture', 'east'))['position']).not.toBeNull();
    expect((await stand.statusOf('apply', 'west'))['partitions']).toHaveLength(4);
  });

  it('a pause outlasts kill -9, holds what is written meanwhile, and ends with resume', async () => {
    const pause = { part: 'apply', ...because };
    expect((await setPause('pause', 'west', pause, stand.deps)).text).toMatch(/^apply of west: paused/);
    expect((await setPause('pause', 'west', pause, stand.deps)).text.replaceAll(/\s+/g, ' ')).toMatch(/was paused already, by ada .* T-1/);
    const west = stand.processes.of('apply', 'west');
    await west.kill9();
    west.start();
    await until('apply of the west, ready though paused', () => isReady(west));
    await sql('east', `INSERT INTO accounts (id, display_name, unit) VALUES (100, 'waits', ${UNIT_OF_WEST})`);
    const sent = Number((await stand.statusOf('capture', 'east'))['changesSent']);
    await until('capture to send on', async () => Number((await stand.statusOf('capture', 'east'))['changesSent']) > sent + 8);
    expect(await stand.statusOf('apply', 'west')).toMatchObject({ state: 'paused', pause: { by: 'ada', reason: 'T-1' } });
    expect(await nameIn('west', 100)).toBeNull();
    await setPause('resume', 'west', pause, stand.deps);
    await isNamed('west', 100, 'waits');
    expect(await stand.audited('west')).toEqual(['ada apply.pause west', 'ada apply.resume west']);
  });

  it('capture pauses likewise, by itself or together with apply', async () => {
    await setPause('pause', 'east', because, stand.deps);
    await until('both to stand', async () => (await stand.statusOf('capture', 'east'))['state'] === 'paused' && (await stand.statusOf('apply', 'east'))['state'] === 'paused');
    await sql('east', "UPDATE accounts SET display_name = 'later' WHERE id = 100");
    expect((await showStatus(stand.deps)).text).toContain('by ada: T-1');
    await setPause('resume', 'east', because, stand.deps);
    await isNamed('west', 100, 'later');
  });

  it('a poison change and what waits behind it: listed, retried in vain, mended, retried; the next one is skipped', async () => {
    const { deps } = stand;
    await sql('west', "ALTER TABLE accounts ADD CONSTRAINT no_mallory CHECK (display_name <> 'Mallory')");
    await sql('east', `INSERT INTO accounts (id, display_name, unit) VALUES (200, 'Mallory', ${UNIT_OF_WEST})`);
    await sql('east', `INSERT INTO accounts (id, display_name, unit) VALUES (201, 'behind', ${UNIT_OF_WEST})`);
    await until('two dead letters', async () => (await letters(stand, 'west')).length === 2);
    expect(await showStatus(deps)).toMatchObject({ exitCode: 1, text: expect.stringContaining('dead letters 1, held behind them 1, units parked 1') as string });
    const [poison] = await letters(stand, 'west');
    expect(poison).toMatchObject({ kind: 'poison', table: 'accounts', rowId: '200', unit: UNIT_OF_WEST });
    await expect(retryLetters('west', '77', because, deps)).rejects.toMatchObject({ code: 'usage-invalid', message: expect.stringContaining(poison!.id) as string });
    expect(await retryLetters('west', poison!.id, because, deps)).toMatchObject({ exitCode: 1, text: expect.stringContaining('failed again') as string });
    await sql('west', engine === 'mariadb' ? 'ALTER TABLE accounts DROP CONSTRAINT no_mallory' : 'ALTER TABLE accounts DROP CHECK no_mallory');
    expect(await retryLetters('west', undefined, { all: true, unit: String(UNIT_OF_WEST), ...because }, deps)).toMatchObject({ exitCode: 0, json: { retried: 2, failed: [], parkedUnits: [] } });
    expect([await nameIn('west', 200), await nameIn('west', 201)]).toEqual(['Mallory', 'behind']);

    await sql('west', "ALTER TABLE accounts ADD CONSTRAINT no_trudy CHECK (display_name <> 'Trudy')");
    await sql('east', `INSERT INTO accounts (id, display_name, unit) VALUES (202, 'Trudy', ${UNIT_OF_WEST})`);
    await until('a dead letter', async () => (await letters(stand, 'west')).length === 1);
    const [trudy] = await letters(stand, 'west');
    expect(await skipLetter('west', trudy!.id, because, deps)).toMatchObject({ json: { skipped: 1, parkedUnits: [] } });
    expect([await nameIn('east', 202), await nameIn('west', 202)]).toEqual(['Trudy', null]);
    expect((await stand.audited('west')).slice(2)).toEqual([`ada dead-letter.retry ${poison!.id}`, `ada dead-letter.retry unit ${UNIT_OF_WEST}`, `ada dead-letter.skip ${trudy!.id}`]);
    await sql('west', engine === 'mariadb' ? 'ALTER TABLE accounts DROP CONSTRAINT no_trudy' : 'ALTER TABLE accounts DROP CHECK no_trudy');
  });

  it('a snapshot brings back what was skipped; another one is ended; both are on record', async () => {
    const done = await takeSnapshot('east', { tables: 'accounts', rate: '1000', watch: true, ...because }, stand.deps);
    expect(done).toMatchObject({ exitCode: 0, json: { snapshot: { state: 'done', tables: ['accounts'], requestedBy: 'ada' } } });
    await isNamed('west', 202, 'Trudy');
    await setPause('pause', 'east', { part: 'capture', ...because }, stand.deps);
    const { json } = await takeSnapshot('east', because, stand.deps);
    const { id } = (json as { snapshot: { id: string } }).snapshot;
    expect(await takeSnapshot('east', { cancel: id, ...because }, stand.deps)).toMatchObject({ json: { snapshot: { id, state: 'cancelled' } } });
    await expect(takeSnapshot('east', { cancel: id, ...because }, stand.deps)).rejects.toMatchObject({ code: 'usage-invalid' });
    await setPause('resume', 'east', { part: 'capture', ...because }, stand.deps);
    expect((await stand.audited('east')).filter((line) => line.includes('snapshot'))).toEqual([expect.stringMatching(/^ada snapshot.request/), `ada snapshot.request ${id}`, `ada snapshot.cancel ${id}`]);
    expect((await takeSnapshot('east', { list: true }, stand.deps)).text).toContain(`snapshot ${id} cancelled`);
  });

  it('a conflict is listed, shown, and its loser let stand after all, in both regions', async () => {
    const { deps } = stand;
    await Promise.all([setPause('pause', 'east', { part: 'apply', ...because }, deps), setPause('pause', 'west', { part: 'apply', ...because }, deps)]);
    await sql('west', "UPDATE accounts SET display_name = 'of the west' WHERE id = 200");
    await sql('east', "UPDATE accounts SET display_name = 'of the east' WHERE id = 200");
    await Promise.all([setPause('resume', 'east', { part: 'apply', ...because }, deps), setPause('resume', 'west', { part: 'apply', ...because }, deps)]);
    await isNamed('west', 200, 'of the east');
    await until('the record in both', async () => (await found(stand))[0]?.records.length === 2);
    const [{ id } = { id: '' }] = await found(stand);
    expect((await listConflicts({}, deps)).text).toMatch(new RegExp(`${id} .* accounts +update-update east won`));
    expect((await showConflict(id, {}, deps)).text).toMatch(/\* display_name +of the east +of the west/);

    expect(await replayConflict(id, {}, deps)).toMatchObject({ json: { home: 'west', plan: 'update', columns: ['display_name'], written: false } });
    expect(await nameIn('west', 200)).toBe('of the east');
    expect(await replayConflict(id, { yes: true, ...because }, deps)).toMatchObject({ json: { written: true, version: { origin: 2 } } });
    await isNamed('east', 200, 'of the west');
    expect(await nameIn('west', 200)).toBe('of the west');
    expect((await stand.audited('west')).at(-1)).toBe('ada conflict.replay accounts:200');
    expect(await replayConflict(id, {}, deps)).toMatchObject({ json: { plan: 'nothing' } });
    await sql('west', "UPDATE accounts SET display_name = 'newer' WHERE id = 200");
    await expect(replayConflict(id, { yes: true, ...because }, deps)).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringContaining('has been written since') as string });
    await expect(showConflict('12', {}, deps)).rejects.toMatchObject({ code: 'usage-invalid', message: expect.stringContaining(id) as string });
  });

  it('a reset that may lose changes is refused by the control API itself; one that goes back changes no row', async () => {
    const headers = { 'content-type': 'application/json', 'authorization': `Bearer ${await stand.tokenOf('operator')}` };
    const refused = await fetch(`${stand.processes.of('apply', 'west').url}/v1/cdc/reset`, { method: 'POST', headers, body: JSON.stringify({ to: 'end', ...because }) });
    expect({ status: refused.status, ...(await refused.json() as object) }).toMatchObject({ status: 409, code: 'operation-refused', loses: true });
    const before = await stand.twin.west.everything();
    const { json } = await resetPart('west', { part: 'apply', to: 'start', yes: true, ...because }, stand.deps);
    expect(json).toMatchObject({ loses: false, partitions: [{ to: '0' }, { to: '0' }, { to: '0' }, { to: '0' }] });
    await stand.twin.settle();
    expect(await stand.twin.west.everything()).toEqual(before);
    expect((await stand.audited('west')).at(-1)).toBe('ada apply.reset west');
  });
});

async function letters(stand: Stand, side: Side): Promise<{ id: string; kind: string; table: string | null; rowId: string | null; unit: number | null }[]> {
  const { json } = await retryLetters(side, undefined, {}, stand.deps);
  return (json as { deadLetters: Awaited<ReturnType<typeof letters>> }).deadLetters;
}

async function found(stand: Stand): Promise<{ id: string; records: unknown[] }[]> {
  const { json } = await listConflicts({ table: 'accounts', kind: 'update-update' }, stand.deps);
  return (json as { conflicts: { id: string; records: unknown[] }[] }).conflicts;
}
