/** What the RPO guard looks at, between two regions at work: the exposure grows while the peer does not apply, and falls when it does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readExposure } from '../../../shared/guard/rpo-watch.ts';
import { openDatabase } from '../../../shared/mysql/database.ts';
import type { Database } from '../../../shared/mysql/database.ts';
import { startTwin, until } from '../../cdc/twin.ts';
import type { Twin } from '../../cdc/twin.ts';
import { engines } from '../../harness/mysql.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';

describe.each(await engines())('the exposure of a region, on %s', (engine) => {
  let twin: Twin;
  let db: Database;

  beforeAll(async () => {
    twin = await startTwin(engine);
    // As a service asks it: with the rights of one.
    db = openDatabase(twin.east.mysql.users['tandem_payment']!, { log: SILENT_LOG });
  });
  afterAll(async () => {
    await db?.close();
    await twin?.[Symbol.asyncDispose]();
  });

  test('is unknown until the peer has told, small while it applies, and as long as its silence while it does not', async () => {
    expect(await readExposure(db, 2)).toBeNull();
    await twin.startAll();
    const exposure = (): Promise<number | null> => readExposure(db, 2);
    const isSmall = async (): Promise<boolean> => ((await exposure()) ?? Infinity) < 2_000;
    await until('west to tell what it has applied', isSmall);
    await twin.west.stopApply();
    const [{ seen }] = (await twin.east.sql.query<{ seen: string }>('SELECT seen_hlc AS seen FROM _heartbeats WHERE id = 2')) as [{ seen: string }];
    await until('the exposure to pass the limit', async () => ((await exposure()) ?? 0) > 2_000);
    // West still beats and is still heard; it is its word that stands still, but for what was on its way.
    const later = await twin.east.sql.query<{ seen: string; beat: string }>('SELECT seen_hlc AS seen, beat FROM _heartbeats WHERE id = 2');
    expect(Number((BigInt(later[0]!.seen) >> 16n) - (BigInt(seen) >> 16n))).toBeLessThan(2_000);
    twin.west.startApply();
    await until('the exposure to fall again', isSmall);
  });
});
