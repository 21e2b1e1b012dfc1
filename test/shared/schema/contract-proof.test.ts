/** Who counts as a writer of the old shape; what the heartbeats have to show stands in rollout.twin.test.ts. */
import { expect, test } from 'vitest';
import { parseWriters, whyNotContract } from '../../../shared/schema/contract-proof.ts';

const key = (region: string, node: number): string => `/tandem/nodes/${region}/${node}`;
const nobody = { query: () => Promise.reject(new Error('no database is asked')) };

test('a node number tells who holds it and which schema its code knows; one that tells nothing may write anything', () => {
  expect(parseWriters(new Map([
    [key('east', 3), { value: '{"owner":"dispatch-east-1","schema":31,"sinceMs":1}' }],
    [key('west', 0), { value: '{"owner":"payment-west","sinceMs":1}' }],
    [key('west', 1), { value: 'not json' }],
  ]))).toEqual([
    { region: 'east', owner: 'dispatch-east-1', schema: 31 },
    { region: 'west', owner: 'payment-west', schema: 0 },
    { region: 'west', owner: '/tandem/nodes/west/1', schema: 0 },
  ]);
});

test('every writer of the old shape is named at once, before any database is asked', async () => {
  const sides = [{ region: 'east', origin: 1, connection: nobody }, { region: 'west', origin: 2, connection: nobody }] as const;
  const all = [
    { region: 'east', owner: 'dispatch-east-1', schema: 31 }, { region: 'east', owner: 'dispatch-east-2', schema: 30 }, { region: 'west', owner: 'payment-west', schema: 0 },
  ];
  const reasons = await whyNotContract({ sides, partitions: 4, migration: 31, writers: () => Promise.resolve(all), nowMs: () => 0, deadlineMs: 0 });
  expect(reasons).toEqual([expect.stringContaining('dispatch-east-2 in east runs a version of schema 30'), expect.stringContaining('payment-west in west runs a version that names no schema')]);
});
