/** What the accounting of the crash bench calls lost, and what it lets pass. */
import { describe, expect, it } from 'vitest';
import { countFaults, faultsOf } from './account.ts';
import type { Found, Told } from './account.ts';

const told = (parts: Partial<Told>): Told => ({ writes: [], entries: [], increments: [], ...parts });
const found = (parts: Partial<Found>): Found => ({ standing: new Map(), named: new Set(), entryIds: new Set(), counters: new Map(), ...parts });
const put = (token: number | null, over: number | null, isAcknowledged = true) => ({ row: 't:1', token, over, isAcknowledged });

describe('an acknowledged write', () => {
  it('that stands, was written over, or is named by a conflict is accounted for', () => {
    const writes = [put(1, null), put(2, 1), put(3, 1)];
    expect(countFaults(faultsOf(told({ writes }), found({ standing: new Map([['t:1', 3]]), named: new Set([2]) })))).toBe(0);
  });

  it('that is nowhere is lost', () => {
    expect(faultsOf(told({ writes: [put(1, null)] }), found({})).lost).toHaveLength(1);
    expect(faultsOf(told({ writes: [put(1, null), put(2, 1), put(3, 1)] }), found({ standing: new Map([['t:1', 3]]) })).lost).toEqual(['t:1 token 2: there is 3']);
  });

  it('whose delete was forgotten is reverted', () => {
    expect(faultsOf(told({ writes: [put(1, null), put(null, 1)] }), found({ standing: new Map([['t:1', 1]]) })).reverted).toHaveLength(1);
  });
});

it('a write in doubt may stand and need not', () => {
  const writes = [put(1, null, false)];
  expect(countFaults(faultsOf(told({ writes }), found({})))).toBe(0);
  expect(countFaults(faultsOf(told({ writes }), found({ standing: new Map([['t:1', 1]]) })))).toBe(0);
});

it('what nobody wrote is foreign', () => {
  expect(faultsOf(told({}), found({ standing: new Map([['t:1', 9]]) })).foreign).toHaveLength(1);
});

it('entries stand all or none, those acknowledged all', () => {
  const entries = [{ ids: [1, 2], isAcknowledged: true }, { ids: [3, 4], isAcknowledged: false }, { ids: [5], isAcknowledged: false }];
  expect(faultsOf(told({ entries }), found({ entryIds: new Set([1, 2, 5]) })).torn).toEqual([]);
  expect(faultsOf(told({ entries }), found({ entryIds: new Set([1, 3, 7]) })).torn).toHaveLength(3);
});

it('a counter is the sum of what was added, those in doubt or not', () => {
  const increments = [{ row: 'r', by: 2, isAcknowledged: true }, { row: 'r', by: 1, isAcknowledged: false }];
  for (const count of [2, 3]) expect(faultsOf(told({ increments }), found({ counters: new Map([['r', count]]) })).miscounted).toEqual([]);
  for (const count of [1, 4]) expect(faultsOf(told({ increments }), found({ counters: new Map([['r', count]]) })).miscounted).toHaveLength(1);
});
