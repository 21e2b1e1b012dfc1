/** Shares of time from a CPU profile: every microsecond is somebody's. */
import { expect, it } from 'vitest';
import { KINDS, sharesOf } from './cdc/cpu-shares.ts';
import type { CpuProfile } from './cdc/cpu-shares.ts';

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({ id, callFrame: { functionName, url }, children });
const PROFILE: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 3, 4, 6, 8]), node(2, '(idle)', ''), node(3, '(garbage collector)', ''),
    node(4, 'decode', 'file:///x/cdc/capture/binlog/row-decoder.ts', [5]), node(5, 'utf8Slice', ''),
    node(6, 'encodeChangeBytes', 'file:///x/cdc/change/codec.ts', [7]), node(7, 'byteLength', 'node:buffer'), node(8, 'tick', 'node:internal/process/task_queues'),
  ],
  samples: [2, 3, 4, 5, 6, 7, 8],
  timeDeltas: [400, 100, 100, 100, 100, 100, 100],
};

it('a native counts as what called it, idle time as waiting, and nothing is left out', () => {
  const shares = sharesOf(PROFILE, 'encoding');
  expect(shares).toMatchObject({ waiting: 0.4, garbage: 0.1, decoding: 0.2, encoding: 0.2, other: 0.1, sending: 0 });
  expect(KINDS.reduce((sum, kind) => sum + shares[kind], 0)).toBeCloseTo(1);
});

it('the same envelope is encoded by one process and decoded by the other', () => {
  expect(sharesOf(PROFILE, 'decoding')).toMatchObject({ decoding: 0.4, encoding: 0 });
});
