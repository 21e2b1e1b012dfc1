/**
 * dispatch's DriverEvents as location calls it: the methods of services/dispatch/rpc/dispatch.proto, typed.
 * The .proto is the contract; this mirrors the part that is used.
 */
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { Log } from '../../../shared/telemetry/log.ts';
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import type { DriverEvent } from '../http/frames.ts';

export interface DispatchMethods {
  DriverEvents(request: { driverId: string; after: string }): AsyncIterable<DriverEvent>;
}

/** For a stream's beginning; it then lives as long as the driver's socket. */
const BEGIN_DEADLINE_MS = 5_000;

/** Begins to connect and returns at once. */
export function openDispatch(targets: readonly string[], { log, metrics }: { readonly log: Log; readonly metrics: Metrics }): RpcClient<DispatchMethods> {
  return openRpcClient<DispatchMethods>({
    protoPath: new URL('../../dispatch/rpc/dispatch.proto', import.meta.url),
    packageName: 'tandem.dispatch.v1',
    serviceName: 'Dispatch',
    targets,
    deadlineMs: BEGIN_DEADLINE_MS,
    log,
    metrics,
  });
}
