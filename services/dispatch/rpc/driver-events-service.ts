/**
 * The gRPC side of dispatch: a driver's events, as dispatch.proto has it.
 *
 * Invariant: events are sent in order, each once, from the offset the caller names; the stream ends only with the caller or
 * the process. That the caller may speak for this driver is the caller's to have checked: this port is not public.
 */
import { parseId } from '../../../shared/id/id-layout.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';
import { rpcService } from '../../../shared/rpc/rpc-server.ts';
import type { RpcService } from '../../../shared/rpc/rpc-server.ts';
import type { EventFeed } from '../events/event-feed.ts';
import type { DriverEvent } from '../store/driver-events.ts';

/** Messages as dispatch.proto has them. */
type DriverEventsRequest = { driverId: string; after: string };
type DriverEventMessage = { seq: string; type: string; dataJson: string; atMs: string };
export interface DispatchMethods {
  DriverEvents(request: DriverEventsRequest): AsyncIterable<DriverEventMessage>;
}

export const DISPATCH_SERVICE = {
  protoPath: new URL('dispatch.proto', import.meta.url),
  packageName: 'tandem.dispatch.v1',
  serviceName: 'Dispatch',
} as const;

export function driverEventsService(feed: EventFeed<DriverEvent>): RpcService {
  return rpcService<DispatchMethods>({
    ...DISPATCH_SERVICE,
    handlers: { DriverEvents: (request, { signal }) => answer(feed, request, signal) },
  });
}

async function* answer(feed: EventFeed<DriverEvent>, request: DriverEventsRequest, signal: AbortSignal): AsyncGenerator<DriverEventMessage> {
  const driverId = parseId(request.driverId);
  for await (const events of feed.follow(driverId, parseOffset(request.after), signal)) yield* events.map(messageOf);
}

function parseOffset(text: string): bigint {
  if (!/^[0-9]{1,19}$/.test(text)) throw new TandemError('validation-failed', `"${text}" is not an offset`);
  return BigInt(text);
}

function messageOf({ seq, type, data, at }: DriverEvent): DriverEventMessage {
  return { seq: seq.toString(), type, dataJson: data, atMs: String(at.getTime()) };
}
