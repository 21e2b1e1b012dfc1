/** Scenarios: every file of the folder is sound, and a bad one is refused with each bad key named. */
import { expect, test } from 'vitest';
import { parseScenario, readScenario, scenarioNames } from '../../chaos/scenario.ts';

test('there is a scenario for each part that can die, and each is sound', async () => {
  const names = await scenarioNames();
  expect(names).toEqual(expect.arrayContaining(['cdc', 'redis', 'kafka', 'mysql', 'etcd']));
  for (const name of names) expect((await readScenario(name)).name).toBe(name);
});

test('a scenario that is not there is refused with those that are', async () => {
  await expect(readScenario('volcano')).rejects.toThrow(/no scenario 'volcano'; there are cdc, etcd/);
});

test('every bad key is named at once', () => {
  const bad = { name: 'x', about: 1, processes: [], afterShare: 2, outageS: 0, speed: 3 };
  expect(() => parseScenario('x.yaml', bad)).toThrow(/about: [\s\S]*processes: [\s\S]*afterShare: [\s\S]*outageS: [\s\S]*speed: no such key/);
});
