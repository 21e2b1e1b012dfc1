/** The suite is what its README says it is: so many named cases, in these areas, on each engine. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('.', import.meta.url);
const CASES_MIN = 80;

interface Suite { readonly area: string; readonly file: string; readonly cases: number; readonly onEachEngine: boolean }

const suites: readonly Suite[] = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name: area }) => readdirSync(new URL(`${area}/`, ROOT)).filter((file) => file.endsWith('.test.ts')).map((file) => {
    const text = readFileSync(new URL(`${area}/${file}`, ROOT), 'utf8');
    return { area, file, cases: namedCases(text), onEachEngine: text.includes('describe.each(await engines())') };
  }));

/** A case is named once, however often it is played: in a table as `name: '…'`, or as a test of its own. */
function namedCases(text: string): number {
  const inTables = [...text.matchAll(/^ {4}name: ['"]/gm)].length;
  const alone = [...text.matchAll(/^\s+(?:it|test)\(\s*['"`]/gm)].length;
  return inTables + alone;
}

test(`there are at least ${CASES_MIN} named cases that run on each engine`, () => {
  const onEach = suites.filter(({ onEachEngine }) => onEachEngine);
  const count = onEach.reduce((sum, { cases }) => sum + cases, 0);
  console.log(onEach.map(({ area, file, cases }) => `${area}/${file}: ${cases}`).concat(`in all: ${count}`).join('\n'));
  expect(count).toBeGreaterThanOrEqual(CASES_MIN);
});

test('each area of the README has its suites, and none is missing there', () => {
  const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
  const told = [...readme.matchAll(/^\| `([a-z-]+)\/` \|/gm)].map((match) => match[1]);
  expect([...new Set(suites.map(({ area }) => area))].toSorted()).toEqual(told.toSorted());
});
