/** The README's tour is read as it stands, and its promises are neither stricter nor laxer than they look. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { REPO_ROOT } from '../../deploy/local/state-dir.ts';
import { patternOf, readTour } from './tour.ts';

test('the README has a tour, and most of its commands promise an answer', async () => {
  const steps = readTour(await readFile(path.join(REPO_ROOT, 'README.md'), 'utf8'));
  expect(steps.length).toBeGreaterThan(10);
  expect(steps.filter(({ answer }) => answer !== undefined).length).toBeGreaterThan(steps.length * 0.7);
});

test('a command takes the answer under it, and only that', () => {
  const readme = ['<!-- tour: x -->', '```bash', 'a', '```', '```bash', 'b', '```', 'words', '```text', 'B', '```', '<!-- end of the tour -->', '```bash', 'c', '```'].join('\n');
  expect(readTour(readme)).toEqual([{ line: 3, command: 'a\n', answer: undefined }, { line: 6, command: 'b\n', answer: 'B\n' }]);
  expect(() => readTour(readme.replace('<!-- tour', '<!-- '))).toThrow(/no '<!-- tour:'/);
  expect(() => readTour(readme.replaceAll('```bash', '```text'))).toThrow(/README.md:3: an answer without a command/);
});

test.each([
  ['{"id":"382413077620465664",…,"status":422}', '{"id":"99999","x":1,"status":422}', true],
  ['{"id":"382413077620465664",…,"status":422}', '{"id":"99999","x":1,"status":409}', false],
  ['"riderId":"42"', '"riderId":"43"', false],
  ['"at":"2026-11-21T06:13:10.090Z"', '"at":"2027-01-02T03:04:05.678Z"', true],
  ['all     1,658   0', 'all  912  0', true],
  ['all     1,658   0', 'all  912  7', false],
  ['a\n…\nz', 'a\nb\nc\nz', true],
  ['arrived\nonboard', 'arrived\nundefined\nonboard', false],
  ['a (b) [c] {d} e.f', 'a (b) [c] {d} exf', false],
])('%j and %j: %s', (answer, actual, isMatch) => {
  expect(patternOf(answer).test(actual)).toBe(isMatch);
});
