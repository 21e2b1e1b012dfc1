/**
 * Location as dispatch sees it: the port over gRPC.
 *
 * Invariant: driver ids are bigint here and decimal text on the wire.
 */
import { openRpcClient } from '../../../shared/rpc/rpc-client.ts';
import type { RpcClient, RpcClientOptions } from '../../../shared/rpc/rpc-client.ts';
import type { DriverPosition, Location } from '../ports.ts';

/** Short: a search that gets no answer is begun again half a second later. */
const DEADLINE_MS = 500;

/** Messages as location.proto has them. */
type PositionMessage = { driverId: string; lat: number; lon: number; atMs: string };
interface LocationMethods {
  Nearest(request: { lat: number; lon: number; limit: number; radiusM: number }): Promise<{ drivers: PositionMessage[] }>;
  Positions(request: { driverIds: string[] }): Promise<{ positions: PositionMessage[] }>;
  Track(request: { driverId: string }): AsyncIterable<PositionMessage>;
}

export type LocationClient = Location & Pick<RpcClient<LocationMethods>, 'isReady' | 'close'>;

export function openLocation(options: Pick<RpcClientOptions, 'targets' | 'log' | 'metrics'>): LocationClient {
  const client = openRpcClient<LocationMethods>({
    protoPath: new URL('../../location/rpc/location.proto', import.meta.url),
    packageName: 'tandem.location.v1',
    serviceName: 'Location',
    deadlineMs: DEADLINE_MS,
    ...options,
  });
  return {
    async nearest({ place, limit, radiusM }) {
      const { drivers } = await client.call.Nearest({ ...place, limit, radiusM });
      return drivers.map(positionOf);
    },
    async position(driverId) {
      const { positions } = await client.call.Positions({ driverIds: [driverId.toString()] });
      return positions.map(positionOf)[0];
    },
    async *track(driverId, signal) {
      for await (const position of client.call.Track({ driverId: driverId.toString() }, { signal })) yield positionOf(position);
    },
    get isReady() {
      return client.isReady;
    },
    close: () => client.close(),
  };
}

function positionOf({ driverId, lat, lon, atMs }: PositionMessage): DriverPosition {
  return { driverId: BigInt(driverId), place: { lat, lon }, atMs: Number(atMs) };
}
