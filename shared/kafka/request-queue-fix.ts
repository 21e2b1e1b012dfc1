/**
 * Mends a fault of kafkajs 2.2.4: each connection re-arms a timer with a delay far below zero even while nothing waits
 * in its queue, so that it wakes up a thousand times a second and Node warns of negative time-outs.
 *
 * Nothing needs to be looked at while nothing is pending: a request that must wait arms the timer itself when it is
 * pushed. With something pending the original computes a good delay. Importing this file is all there is to it; a
 * kafkajs without that method fails loudly here, not quietly later.
 */
import { createRequire } from 'node:module';
import { assert } from '../kernel/assert.ts';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
const original = prototype.scheduleCheckPendingRequests;
assert(typeof original === 'function', 'this kafkajs has no RequestQueue.scheduleCheckPendingRequests: see whether the mend is still needed');

prototype.scheduleCheckPendingRequests = function scheduleWherePending(this: RequestQueue): void {
  if (this.pending.length > 0) original.call(this);
};
