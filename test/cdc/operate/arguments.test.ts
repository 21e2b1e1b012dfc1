/** What is typed wrong is refused before anything is asked of anybody, and the answer names what would be right. */
import { expect, test } from 'vitest';
import { listConflicts, replayConflict, showConflict } from '../../../cdc/operate/commands/conflicts.ts';
import { renderLetters, retryLetters, skipLetter } from '../../../cdc/operate/commands/dead-letters.ts';
import { bytes, hanging, since, wrap } from '../../../cdc/operate/commands/layout.ts';
import { setPause } from '../../../cdc/operate/commands/pause.ts';
import { resetPart } from '../../../cdc/operate/commands/reset.ts';
import { parseSince } from '../../../cdc/operate/commands/since.ts';
import { takeSnapshot } from '../../../cdc/operate/commands/snapshot.ts';
import { plain } from '../../../cdc/operate/commands/answer.ts';
import { losesChanges, meaningOf } from '../../../cdc/operate/reset.ts';
import { NOW_MS, deps, unreachableTopology } from './fixtures.ts';

const nobody = deps(unreachableTopology());
const because = { reason: 'T-1' };

test.each<[string, () => Promise<unknown>, RegExp]>([
  ['a region that there is not', () => setPause('pause', 'north', because, nobody), /no region north; there are: east, west/],
  ['a part that there is not', () => setPause('pause', 'east', { part: 'router', ...because }, nobody), /--part router: say one of capture, apply, both/],
  ['no reason', () => setPause('pause', 'east', {}, nobody), /--reason "…" is needed/],
  ['a blank reason', () => skipLetter('east', '1', { reason: '  ' }, nobody), /--reason "…" is needed/],
  ['an id that is none', () => skipLetter('east', 'x1', because, nobody), /x1 is not the id of a dead letter/],
  ['an id and all at once', () => retryLetters('east', '1', { all: true, ...because }, nobody), /name an id, or say --all, not both/],
  ['a unit that there is not', () => retryLetters('east', undefined, { all: true, unit: '64', ...because }, nobody), /--unit 64 is not a whole number from 0 to 63/],
  ['a reset of capture to an offset', () => resetPart('east', { part: 'capture', to: '12', ...because }, nobody), /for capture say now, earliest, snapshot, or gtid/],
  ['a reset of apply to a GTID', () => resetPart('east', { part: 'apply', to: 'gtid:1-1-1', ...because }, nobody), /for apply say start, end, or an offset/],
  ['an offset without its partition', () => resetPart('east', { part: 'apply', to: '12', ...because }, nobody), /say which, with --partition/],
  ['a snapshot of a table that does not travel', () => takeSnapshot('east', { tables: 'rides,_audit', ...because }, nobody), /called _audit; there are: accounts/],
  ['a rate of nothing', () => takeSnapshot('east', { rate: '0', ...because }, nobody), /--rate 0/],
  ['an unknown kind', () => listConflicts({ kind: 'odd' }, nobody), /--kind odd: say one of insert-insert, update-update/],
  ['an unknown table', () => listConflicts({ table: 'cars' }, nobody), /--table cars: say one of accounts/],
  ['a time that is none', () => listConflicts({ since: 'yesterday' }, nobody), /--since yesterday: say how long ago/],
  ['a limit past the limit', () => listConflicts({ limit: '1001' }, nobody), /--limit 1001/],
  ['a conflict by no id', () => showConflict('abc', {}, nobody), /abc is not the id of a conflict/],
  ['a replay without a reason', () => replayConflict('12', { yes: true }, nobody), /--reason "…" is needed/],
])('%s is bad usage', async (_, run, message) => {
  await expect(run()).rejects.toMatchObject({ code: 'usage-invalid', message: expect.stringMatching(message) as string });
});

test('a reset that may lose changes is refused where nobody types the word, and where they type another', async () => {
  const to = { part: 'capture', to: 'now', ...because };
  await expect(resetPart('east', to, nobody)).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringMatching(/never reaches west[^]*--yes --lose-changes/) as string });
  await expect(resetPart('east', { ...to, yes: true }, nobody)).rejects.toMatchObject({ code: 'operation-refused' });
  await expect(resetPart('east', to, { ...nobody, ask: async () => 'yes' })).rejects.toMatchObject({ code: 'operation-refused', message: expect.stringContaining('the word was "lose changes"') as string });
  // The word lets it through, to a capture that is not there.
  await expect(resetPart('east', to, { ...nobody, ask: async () => 'lose changes' })).rejects.toMatchObject({ code: 'upstream-unavailable' });
  await expect(resetPart('east', { ...to, to: 'earliest', yes: true }, nobody)).rejects.toMatchObject({ code: 'upstream-unavailable' });
});

const next = (partition: number): bigint | undefined => (partition === 2 ? 100n : undefined);

test('a reset loses changes unless it goes back', () => {
  const cases = [['start', undefined], ['end', undefined], ['99', 2], ['100', 2], ['101', 2], ['5', 3]] as const;
  expect(cases.map(([to, partition]) => losesChanges({ part: 'apply', to, partition }, next))).toEqual([false, true, false, false, true, true]);
  const captures = ['earliest', 'now', 'snapshot', 'gtid:1-1-5'];
  expect(captures.map((to) => losesChanges({ part: 'capture', to }, next))).toEqual([false, true, true, true]);
  expect(meaningOf({ part: 'apply', region: 'east', peer: 'west', to: 'end' }, true)).toMatch(/never applied in east/);
});

test('nobody answers: the commands say who, and where they looked', async () => {
  await expect(setPause('pause', 'east', { part: 'apply', ...because }, nobody)).rejects.toMatchObject({ code: 'upstream-unavailable', message: expect.stringMatching(/apply of east does not answer at http:\/\/127/) as string });
  await expect(setPause('pause', 'east', because, nobody)).resolves.toMatchObject({ exitCode: 1 });
});

test.each([['90s', 90_000], ['30m', 1_800_000], ['2h', 7_200_000], ['7d', 604_800_000]])('--since %s is so long ago', (text, ms) => {
  expect(parseSince(text, NOW_MS)).toBe(NOW_MS - ms);
});

test('--since takes a time, and a day from its first moment', () => {
  expect(parseSince('2026-11-21T07:00:00Z', NOW_MS)).toBe(NOW_MS - 3_600_000);
  expect(parseSince('2026-11-21', NOW_MS)).toBe(Date.parse('2026-11-21T00:00:00Z'));
});

test('a list of dead letters has their causes under them, and fits 80 columns', () => {
  const letter = {
    id: '4611686018427387904', source: 'east', partition: 1, offset: '77', kind: 'poison', state: 'waiting', holdsUnit: true, unit: 17, table: 'ledger_transactions',
    rowId: '382413077620465664', code: 'db-failed', cause: 'Data too long for column display_name at row 1 '.repeat(20), tries: 5, parkedAt: '2026-11-21T08:00:00.123Z', settledAt: null,
  };
  const text = renderLetters([letter, { ...letter, kind: 'held', unit: null, table: null, rowId: null }], 'west', plain);
  expect(text).toMatch(/db-failed, 5 tries: Data too long/);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(renderLetters([], 'west', plain)).toBe('no dead letter waits in west\n');
});

test('texts wrap at words; sizes and ages have the unit that fits', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(hanging('so: ', 'a '.repeat(50)).every((line) => line.length <= 80)).toBe(true);
  expect([0, 1_023, 12_288, 3_565_158].map(bytes)).toEqual(['0 B', '1023 B', '12 KiB', '3.4 MiB']);
  expect([3_000, 300_000, 10_800_000, 345_600_000].map(since)).toEqual(['3 s', '5 min', '3 h', '4 d']);
});
