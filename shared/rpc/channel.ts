/**
 * The connections of a client: to a list of targets in turn (round robin), which can be swapped for another list.
 *
 * Invariant: a call stays on the channel it began on; a channel is closed when it is retired and its last call has ended.
 * HAZARD: grpc-js lets calls in flight finish after close(), but fails those still queued while CONNECTING. So a swap
 * waits until the new channel is ready, and only then retires the old one.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { ChannelOptions } from '@grpc/grpc-js';
import { TandemError } from '../kernel/tandem-error.ts';

const OPTIONS: ChannelOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.service_config_disable_resolution': 1,
  // A peer that vanished without a word (a cut network, a stopped machine) is noticed within 6 s, under streams too.
  'grpc.keepalive_time_ms': 4_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.enable_http_proxy': 0,
};

/** A channel in use by one call. */
export interface ChannelLease {
  readonly client: Client;
  /** It has been ready before: a call that finds it broken should fail at once rather than wait. */
  readonly isWarm: boolean;
  release(): void;
}

type Slot = { readonly client: Client; calls: number; isWarm: boolean; isRetired: boolean };

export class Channel {
  #current: Slot;
  #isClosed = false;

  constructor(targets: readonly string[]) {
    this.#current = openSlot(targets);
  }

  /** Throws upstream-unavailable when nothing answers in time; the channel keeps trying. */
  async ready(deadlineMs: number): Promise<void> {
    await slotReady(this.#current, deadlineMs);
  }

  get isReady(): boolean {
    return isConnected(this.#current);
  }

  take(): ChannelLease {
    if (this.#isClosed) throw new TandemError('not-ready', 'The client is closed.');
    const slot = this.#current;
    slot.calls += 1;
    slot.isWarm ||= isConnected(slot);
    return {
      client: slot.client,
      isWarm: slot.isWarm,
      release: () => {
        slot.calls -= 1;
        closeUnused(slot);
      },
    };
  }

  /** Moves later calls to other targets. Throws upstream-unavailable, with nothing changed, when they do not get ready. */
  async swap(targets: readonly string[], deadlineMs: number): Promise<void> {
    const next = openSlot(targets);
    try {
      await slotReady(next, deadlineMs);
    } catch (error) {
      next.client.close();
      throw error;
    }
    const last = this.#current;
    this.#current = next;
    retire(last);
    if (this.#isClosed) retire(next);
  }

  /** Calls in flight finish. */
  close(): void {
    this.#isClosed = true;
    retire(this.#current);
  }
}

function openSlot(targets: readonly string[]): Slot {
  const client = new Client(targetOf(targets), credentials.createInsecure(), OPTIONS);
  // Asking with true begins to connect: the first call should find a connection.
  client.getChannel().getConnectivityState(true);
  return { client, calls: 0, isWarm: false, isRetired: false };
}

/** Asking with true also begins to connect where nothing is: an idle channel is on its way back before it is needed. */
function isConnected(slot: Slot): boolean {
  return slot.client.getChannel().getConnectivityState(true) === connectivityState.READY;
}

function slotReady(slot: Slot, deadlineMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    slot.client.waitForReady(Date.now() + deadlineMs, (cause) => {
      if (cause !== undefined && cause !== null) {
        reject(new TandemError('upstream-unavailable', `no target was ready within ${deadlineMs} ms`, { cause }));
        return;
      }
      slot.isWarm = true;
      resolve();
    });
  });
}

function retire(slot: Slot): void {
  slot.isRetired = true;
  closeUnused(slot);
}

function closeUnused(slot: Slot): void {
  if (slot.isRetired && slot.calls === 0) slot.client.close();
}

/** grpc-js takes a static list of addresses, but of names only one, which it then resolves to all its addresses. */
export function targetOf(targets: readonly string[]): string {
  const hosts = targets.map((target) => target.slice(0, target.lastIndexOf(':')));
  if (hosts.length > 0 && hosts.every((host) => isIPv4(host))) return `ipv4:${targets.join(',')}`;
  if (hosts.length > 0 && hosts.every((host) => isIPv6(host.replaceAll(/^\[|\]$/g, '')))) return `ipv6:${targets.join(',')}`;
  if (targets.length === 1) return `dns:///${targets[0]}`;
  throw new TandemError('config-invalid', `gRPC targets must be addresses of one family, or a single host:port: ${targets.join(',')}`);
}
