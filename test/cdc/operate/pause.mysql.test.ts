/** A pause is a row: whoever starts later, or works beside, follows it; who cannot ask does not guess. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { writeAudit } from '../../../cdc/operate/audit.ts';
import { PauseKeeper } from '../../../cdc/operate/pause.ts';
import type { Pausable } from '../../../cdc/operate/pause.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { startMysql } from '../../harness/mysql.ts';
import type { TestMysql } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

let mysql: TestMysql;
let database: Database;
const ada = { actor: 'ada', reason: 'T-1' };

beforeAll(async () => {
  mysql = await startMysql({ grants: true });
  database = openDatabase({ ...mysql.users['tandem_capture']!, poolSize: 2 }, { log: SILENT_LOG });
});
afterAll(async () => {
  await database?.close();
  await mysql?.stop();
});

class Part implements Pausable {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

let part: Part;
beforeEach(() => {
  part = new Part();
});
const keeperOf = (region: string, running: () => Part | undefined = () => part, over: Database = database): PauseKeeper =>
  new PauseKeeper({ part: 'capture', region, database: over, log: SILENT_LOG, current: running });

test('a pause takes at once here, at the next look beside, and for what is started later', async () => {
  const beside = new Part();
  const [here, there, later] = [keeperOf('east'), keeperOf('east', () => beside), keeperOf('east', () => undefined)];
  expect(await here.set('pause', ada)).toMatchObject({ changed: true, paused: { by: 'ada', reason: 'T-1' } });
  expect(part.isPaused).toBe(true);
  await there.look();
  expect(beside.isPaused).toBe(true);
  await later.look();
  expect(later.hold(new Part()).isPaused).toBe(true);
  expect(await there.set('pause', { actor: 'bea', reason: 'T-2' })).toMatchObject({ changed: false, paused: { by: 'ada' } });
  expect(await there.set('resume', ada)).toEqual({ changed: true, paused: null });
  await here.look();
  expect([part.isPaused, beside.isPaused, here.hold(new Part()).isPaused]).toEqual([false, false, false]);
});

test('a pause of another part, or of another region, is none', async () => {
  await writeAudit(database, { ...ada, action: 'apply.pause', subject: 'west' });
  await writeAudit(database, { ...ada, action: 'capture.pause', subject: 'south' });
  const keeper = keeperOf('west');
  await keeper.look();
  expect([keeper.paused, part.isPaused]).toEqual([null, false]);
});

test('who was never able to ask begins paused, and who knew keeps to what it knew', async () => {
  await keeperOf('north').set('pause', ada);
  const away = openDatabase({ ...mysql.users['tandem_capture']!, port: 1, poolSize: 1 }, { log: SILENT_LOG });
  const blind = keeperOf('north', () => part, away);
  await blind.look();
  expect(blind.hold(new Part()).isPaused).toBe(true);
  await away.close();
});

test('a database without _audit was never told of a pause', async () => {
  const bare = openDatabase({ ...mysql.config, database: 'mysql', poolSize: 1 }, { log: SILENT_LOG });
  const keeper = keeperOf('east', () => part, bare);
  await keeper.look();
  expect(keeper.hold(new Part()).isPaused).toBe(false);
  await bare.close();
});

test('a reason of blanks, or one that does not fit the row, is refused before anything is written', async () => {
  for (const reason of ['  ', 'x'.repeat(256)]) await expect(keeperOf('east').set('pause', { actor: 'ada', reason })).rejects.toMatchObject({ code: 'validation-failed' });
  expect(part.isPaused).toBe(false);
});
