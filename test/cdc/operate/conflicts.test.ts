/** A conflict reads the same from either region's record; only what differs is shown; a replay undoes nobody's newer write. */
import { expect, test } from 'vitest';
import { plain } from '../../../cdc/operate/commands/answer.ts';
import { comparedColumns, conflictOf } from '../../../cdc/operate/conflicts/conflict.ts';
import { conflictJson } from '../../../cdc/operate/conflicts/conflict-json.ts';
import { columnText, renderConflict, renderList } from '../../../cdc/operate/conflicts/render-conflicts.ts';
import { renderReplay } from '../../../cdc/operate/conflicts/render-replay.ts';
import { decideReplay } from '../../../cdc/operate/conflicts/replay-plan.ts';
import type { RowNow } from '../../../cdc/operate/conflicts/replay-plan.ts';
import type { Image } from '../../../cdc/change/envelope.ts';
import { conflict, nameOf, record, version } from './fixtures.ts';

const mirrored = () => {
  const { local, remote, localImage, remoteImage, ...rest } = record();
  return { ...rest, region: 'west', outcome: 'kept-local', local: remote, remote: local, localImage: remoteImage ?? null, remoteImage: localImage ?? null, detectedMs: rest.detectedMs + 40 };
};

test('both regions\' records give one conflict, with the lower origin first and the same winner', () => {
  const joined = conflictOf([mirrored(), record()], nameOf);
  expect(joined.sides.map(({ writer }) => writer)).toEqual(['east', 'west']);
  expect({ winner: joined.winner, verdict: joined.verdict }).toEqual({ winner: 1, verdict: 'west won' });
  expect(joined.records.map(({ region }) => region)).toEqual(['west', 'east']);
  expect({ ...joined, records: [], detectedMs: 0 }).toEqual({ ...conflict(), records: [], detectedMs: 0 });
});

test('the row that was set aside has lost, whichever of the two it was', () => {
  const standing = { id: '7', unit: 1 };
  const incoming = { id: '42', unit: 17 };
  const aside = conflict({ kind: 'unique', rule: 'unique', outcome: 'set-aside', local: version(500, 1), remote: version(200, 2), localImage: standing, remoteImage: incoming });
  expect(aside).toMatchObject({ winner: 0, verdict: 'set-aside' });
});

test('show marks what differs, leaves out what does not, and says how to see it', () => {
  const text = renderConflict(conflict(), { full: false, paint: plain });
  expect(text).toContain('conflict 4611686018427387904: update-update in accounts, row 42, unit 17');
  expect(text).toMatch(/^ {22}east {25}west <- won$/m);
  expect(text).toMatch(/^\* display_name {8}Ada {26}Bea$/m);
  expect(text).toMatch(/^ {2}written, UTC {8}2026-11-21 08:00:00.100/m);
  expect(text).not.toContain('_hlc');
  const other = conflict({ localImage: { id: '42', unit: 17, phone: '555', note: 'a' }, remoteImage: { id: '42', unit: 17, phone: '555', note: 'b' } });
  expect(renderConflict(other, { full: false, paint: plain })).not.toContain('555');
  expect(renderConflict(other, { full: false, paint: plain })).toContain('1 column alike in both: --full');
  expect(renderConflict(other, { full: true, paint: plain })).toMatch(/^ {2}phone {15}555/m);
  expect(JSON.stringify(conflictJson(other, 'differing'))).not.toContain('555');
  expect(conflictJson(other, 'full')).toMatchObject({ differs: ['note'], winner: 'west', sides: [{ image: { phone: '555' } }, {}] });
});

test('a delete has no image, and says so', () => {
  const text = renderConflict(conflict({ kind: 'delete-update', remoteImage: null }), { full: false, paint: plain });
  expect(text).toContain('west (deleted it) <- won');
});

test('no line of list, show or replay is longer than 80 columns, whatever the values are', () => {
  const long = 'x'.repeat(500);
  const wide = conflict({ table: 'ledger_transactions', rowId: '-9223372036854775808', localImage: { id: '1', [`c_${long}`]: long }, remoteImage: null });
  const texts = [
    renderList({ conflicts: [wide, conflict()], hasMore: true, unreachable: ['west'] }, false, plain),
    renderConflict(wide, { full: true, paint: plain }),
    renderReplay({ conflict: wide, home: 'east', plan: { kind: 'update', columns: [{ column: long, now: long, next: long }] }, isWritten: true, version: version(0, 1), paint: plain }),
  ];
  expect(texts.flatMap((text) => text.split('\n')).filter((line) => line.length > 80)).toEqual([]);
});

test.each<[Image[string] | undefined, string]>([
  [undefined, '-'], [null, 'NULL'], ['', "''"], ['a\u001b[2Jb\n', 'a·[2Jb·'], [7, '7'],
  [{ $b64: Buffer.from('abc').toString('base64') }, "x'616263'"], [{ $b64: Buffer.alloc(20).toString('base64') }, "x'0000000000000000…' (20 bytes)"],
])('the value %j is shown as %s', (value, text) => {
  expect(columnText(value)).toBe(text);
});

const all: ReadonlySet<string> = new Set(['id', 'display_name', 'phone', 'unit', 'updated_at', '_hlc', '_origin']);
const standing = (other: Image = {}): RowNow => ({ image: { id: '42', display_name: 'Bea', unit: 17, phone: '5', updated_at: 'x', ...other }, version: version(200, 2) });
const decide = (now: RowNow, other = {}, overNewer = false) => decideReplay({ conflict: conflict(other), now, writable: all, overNewer });

test('a replay writes what the loser meant differently, and nothing else', () => {
  expect(comparedColumns({ a: 1, _hlc: '1' }, { a: 2, _hlc: '2' })).toEqual([{ column: 'a', differs: true }]);
  expect(decide(standing())).toEqual({ kind: 'update', columns: [{ column: 'display_name', now: 'Bea', next: 'Ada' }] });
});

test('a row that was written since the conflict is left alone, unless that is asked for', () => {
  const newer: RowNow = { ...standing({ display_name: 'Cleo' }), version: version(900, 1) };
  expect(decide(newer)).toMatchObject({ kind: 'refused', why: expect.stringContaining('has been written since') as string });
  expect(decide(newer, {}, true)).toMatchObject({ kind: 'update', columns: [{ now: 'Cleo', next: 'Ada' }] });
  const gone: RowNow = { image: null, version: version(900, 1) };
  expect(decide(gone)).toMatchObject({ kind: 'refused' });
});

test('a row that lost to a delete is inserted again, without its old version', () => {
  const plan = decide({ image: null, version: version(200, 2) }, { kind: 'update-delete', remoteImage: null });
  expect(plan).toMatchObject({ kind: 'insert' });
  expect('columns' in plan ? plan.columns.map(({ column }) => column) : []).toEqual(['id', 'display_name', 'unit']);
});

test('a delete that lost is carried out; where the row is gone there is nothing to do', () => {
  const lost = { kind: 'update-delete', localImage: null };
  expect(decide(standing(), lost)).toEqual({ kind: 'delete' });
  expect(decide({ image: null, version: version(200, 2) }, lost)).toEqual({ kind: 'nothing' });
});

test('a row that was set aside comes back whole, above the tombstone that the rule left', () => {
  const aside = { kind: 'unique', outcome: 'set-aside', remote: version(150, 2), remoteImage: { id: '7', unit: 1 }, local: version(100, 1) };
  const tombstone = { image: null, version: { hlc: version(100, 1).hlc + 1n, origin: 0 } } as RowNow;
  expect(decide(tombstone, aside)).toMatchObject({ kind: 'insert' });
});

test('what the row is already is not written again, and a merged row has no loser', () => {
  expect(decide(standing({ display_name: 'Ada' }))).toEqual({ kind: 'nothing' });
  expect(decide(standing(), { outcome: 'merged' })).toMatchObject({ kind: 'refused', why: expect.stringContaining('nobody lost') as string });
});
