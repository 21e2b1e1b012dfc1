/** One screen tells both directions, fits 80 columns, and names what is wrong with what to do. */
import { expect, test } from 'vitest';
import { plain } from '../../../cdc/operate/commands/answer.ts';
import { problemsOf } from '../../../cdc/operate/status/problems.ts';
import { ratesBetween } from '../../../cdc/operate/status/read-overview.ts';
import { renderStatus } from '../../../cdc/operate/status/render-status.ts';
import { NOW_MS, applyStatus, captureStatus, overview } from './fixtures.ts';

const pause = { by: 'ada', at: '2026-11-21T07:57:00Z', reason: 'index on rides, T-91' };

test('all is well: both directions, each part with its state, rate and queue, and nothing wrong', () => {
  expect(renderStatus(overview(), plain)).toBe(`replication                                              2026-11-21 08:00:00.000

east -> west   lag p50 9 ms, p99 31 ms (last minute)
  capture east    streaming  412 changes/s, 1.2 MiB/s, queue 0 B of 32 MiB
                  at 1-1-83123
  apply west      applying   3.3 rows/s, 0 messages behind in 4 partitions
                  conflicts 0 in the last hour
                  dead letters 0, held behind them 0, units parked 0

west -> east   lag p50 9 ms, p99 31 ms (last minute)
  capture west    streaming  412 changes/s, 1.2 MiB/s, queue 0 B of 32 MiB
                  at 1-1-83123
  apply east      applying   3.3 rows/s, 0 messages behind in 4 partitions
                  conflicts 0 in the last hour
                  dead letters 0, held behind them 0, units parked 0

nothing is wrong
`);
});

test('a pause is told with who, when and why, and is nothing wrong', () => {
  const paused = overview({ 'apply west': { state: 'paused', pause, lag: null } });
  expect(renderStatus(paused, plain)).toContain('paused 3 min ago by ada: index on rides, T-91');
  expect(renderStatus(paused, plain)).toContain('east -> west   lag unknown: nothing arrives');
  expect(problemsOf(paused)).toEqual([]);
});

test('a part that does not answer is named with what to do, and the rest is shown', () => {
  const text = renderStatus(overview({ 'capture east': 'silent' }), plain);
  expect(text).toMatch(/capture east {4}no answer\n/);
  expect(text).toMatch(/capture of east: it does not answer[^]*what to do: \.\/tandem status/);
  expect(text).toMatch(/apply west {6}applying/);
});

test('partitions that wait for the same column are one problem, with the action of its code', () => {
  const trouble = 'apply-schema-behind: rides has no column tip_cents';
  const partitions = applyStatus('west', 'east').partitions.map((each) => (each.partition < 2 ? { ...each, trouble, behind: '12' } : each));
  const seen = overview({ 'apply west': { state: 'stuck', trouble, partitions } });
  expect(problemsOf(seen)).toMatchObject([{ region: 'west', part: 'apply', code: 'apply-schema-behind', message: 'partition 0, 1: rides has no column tip_cents' }]);
  expect(renderStatus(seen, plain)).toContain('24 messages behind');
});

test('dead letters are counted, their units named, and the commands that settle them', () => {
  const text = renderStatus(overview({ 'apply west': { deadLetters: { poison: 1, held: 7 }, parkedUnits: [17] } }), plain);
  expect(text).toContain('dead letters 1, held behind them 7, units parked 1');
  expect(text).toMatch(/1 change\(s\) could not be written; 7 later one\(s\) of unit 17/);
  expect(text.replaceAll(/\s+/g, ' ')).toContain('./tandem cdc retry west lists them');
});

test('a snapshot under way shows how far it is; one that failed is wrong', () => {
  const snapshot = {
    id: '3', state: 'running', tables: ['accounts', 'rides'], table: 'rides', afterId: '9', rowsDone: 12_345, rowsPerSecond: 5_000, requestedBy: 'ada', reason: 'new',
    failure: null, requestedAt: pause.at, updatedAt: pause.at,
  };
  expect(renderStatus(overview({ 'capture east': { snapshots: [snapshot] } }), plain)).toContain('snapshot 3 running: table 2/2 rides, 12,345 rows');
  const failed = overview({ 'capture east': { snapshots: [{ ...snapshot, state: 'failed', failure: 'rides is gone' }] } });
  expect(problemsOf(failed)).toMatchObject([{ code: 'snapshot-failed', message: expect.stringContaining('rides is gone') as string }]);
});

test('whatever is wrong, no line is longer than 80 columns', () => {
  const long = `capture-unsafe-settings: ${'binlog_row_image is MINIMAL, must be FULL; '.repeat(9)}${'x'.repeat(200)}`;
  const text = renderStatus(overview({
    'capture east': { state: 'stuck', trouble: long, position: '3E11FA47-71CA-11E1-9E33-C80AA9429562:1-83123,'.repeat(6), oddities: { truncated: 2 } },
    'apply west': { state: 'stuck', trouble: long, conflicts: { 'update-update': 9_999_999, 'insert-insert': 12_345, 'update-delete': 77, 'delete-update': 5, 'unique': 3 }, pause: { ...pause, reason: 'because '.repeat(30) } },
    'apply east': 'silent',
  }), plain);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

const later = (ms: number): string => new Date(NOW_MS + ms).toISOString();

test('rates are what two answers differ by, and unknown where the process began anew', () => {
  const [a, b] = [captureStatus('east'), captureStatus('east', { at: later(2_000), changesSent: 1_500, bytesSent: 600_000 })];
  expect(ratesBetween(a, b)).toEqual({ rows: 250, bytes: 50_000 });
  expect(ratesBetween(applyStatus('west', 'east'), applyStatus('west', 'east', { at: later(1_000), rowsApplied: 3 }))).toBeNull();
});
