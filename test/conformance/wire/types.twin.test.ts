/**
 * Every column type travels exactly: for random and for extreme values, an image from the binlog is what SELECT gives, and
 * what a second server holds after it was written there. On each engine, and from MariaDB to MySQL.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { TestMysql } from '../../harness/mysql.ts';
import { engines } from '../../harness/mysql.ts';
import { WireLab } from './wire-lab.ts';
import { CASES } from './type-cases.ts';

type Engine = TestMysql['engine'];
const known = await engines();
const routes: [Engine, Engine][] = known.map((engine) => [engine, engine]);
if (known.length > 1) routes.push(['mariadb', 'mysql']);

/** TANDEM_TEST_SEED repeats a failure. */
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = 4;
const ROWS_MAX = 12;
const CASE_MS = 60_000;

describe.each(routes)('from %s to %s', (from, to) => {
  let lab: WireLab;
  beforeAll(async () => {
    lab = await WireLab.start(from, to);
    console.log(`values are drawn from seed ${seed} (TANDEM_TEST_SEED)`);
  }, CASE_MS);
  afterAll(async () => await lab[Symbol.asyncDispose](), CASE_MS);

  for (const given of CASES) {
    const isMeant = (given.engines ?? known).includes(from) && (from === to || given.across !== false);
    it.runIf(isMeant)(`${given.name} arrives as it was`, async () => {
      for (const [i, column] of given.columns.entries()) {
        const table = `case_${CASES.indexOf(given)}_${i}`;
        await lab.makeTable(table, column);
        const options = { column, mirrors: given.mirrors, mirrored: given.mirrored };
        if (given.extremes.length > 0) await lab.prove(table, given.extremes, options);
        const { random } = given;
        if (random === undefined) continue;
        await fc.assert(fc.asyncProperty(fc.array(random, { minLength: 1, maxLength: ROWS_MAX }), (values) => lab.prove(table, values, options)), { seed, numRuns: RUNS });
      }
    }, CASE_MS);
  }
});
