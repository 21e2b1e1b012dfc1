/** Region names and origin numbers: read, paired and translated, never guessed. */
import { expect, test } from 'vitest';
import { Regions } from '../../../shared/kernel/region.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';

test('two regions are each other\'s peer', () => {
  const regions = Regions.parse('east=1,west=2');
  expect(regions.names).toEqual(['east', 'west']);
  expect([regions.peerOf('east'), regions.peerOf('west')]).toEqual(['west', 'east']);
  expect([regions.originOf('west'), regions.nameOf(1)]).toEqual([2, 'east']);
  expect([regions.has('west'), regions.has('north')]).toEqual([true, false]);
  expect(`${Regions.parse(' north=7, south=3')}`).toBe('north=7,south=3');
});

test.each(['', 'east', 'east=1', 'east=0,west=2', 'east=1,west=16', 'east=1,west=1', 'east=1,east=2', 'East=1,west=2', 'east=1,west=2,', 'east=01,west=2'])(
  '"%s" is refused',
  (text) => {
    expect(() => Regions.parse(text)).toThrow(expect.toSatisfy((e) => isTandemError(e, 'config-invalid')));
  },
);

test('an unknown region or origin is an error, never a guess', () => {
  const regions = Regions.parse('east=1,west=2');
  const unknown = expect.toSatisfy((e) => isTandemError(e, 'region-unknown'));
  expect(() => regions.originOf('north')).toThrow(unknown);
  expect(() => regions.peerOf('north')).toThrow(unknown);
  expect(() => regions.nameOf(3)).toThrow(unknown);
});
