/**
 * The location service, built but not started: the drivers' WebSocket, its gRPC methods, and what carries positions.
 * Invariant: it stays ready without Redis and without dispatch: drivers keep their connections, positions and events
 * catch up. It reads no environment and listens on nothing.
 */
import type { VerifyToken } from '../../shared/http/auth.ts';
import { buildHttp } from '../../shared/http/http-server.ts';
import type { HttpApp } from '../../shared/http/http-server.ts';
import type { UnitMap } from '../../shared/etcd/units.ts';
import type { Redis } from '../../shared/redis/redis.ts';
import { rpcService } from '../../shared/rpc/rpc-server.ts';
import type { RpcService } from '../../shared/rpc/rpc-server.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Metrics } from '../../shared/telemetry/metrics.ts';
import { unitOfAccount } from '../../shared/unit/unit.ts';
import { PositionBoard } from './domain/position-board.ts';
import type { DriverSocketDeps } from './http/driver-socket.ts';
import { addDriverStream } from './http/driver-stream.ts';
import { LiveSockets } from './http/live-sockets.ts';
import { countLocation, observeLocation } from './metrics.ts';
import { answerNearest, answerPositions, answerTrack } from './rpc/location-answers.ts';
import type { AnswerDeps, LocationMethods } from './rpc/location-answers.ts';
import { NearDrivers } from './store/near-drivers.ts';
import { PositionReader } from './store/position-reader.ts';
import { PositionWriter } from './store/position-writer.ts';

export type LocationDeps = {
  readonly redis: Redis;
  /** A connection of its own, for XREAD BLOCK. */
  readonly blockingRedis: Redis;
  readonly driverEvents: DriverSocketDeps['events'];
  readonly speedFactor: () => number;
  readonly units: Pick<UnitMap, 'isHome' | 'assertHome'>;
  readonly verifyToken: VerifyToken;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
};

export type LocationApp = {
  readonly http: HttpApp;
  readonly rpc: RpcService;
  /** What runs beside the servers; to be started before them and stopped after. */
  readonly upkeep: { start(): void; stop(): Promise<void> };
};

/** How often each socket is pinged, homes are checked, and old positions are forgotten. */
export const CHECK_EVERY_MS = 10_000;

export function buildLocation(deps: LocationDeps): LocationApp {
  const { redis, blockingRedis, units, nowMs, log, metrics, verifyToken } = deps;
  const counts = countLocation(metrics);
  const board = new PositionBoard();
  const writer = new PositionWriter({ redis, log, counts });
  const reader = new PositionReader({ redis: blockingRedis, board, log, nowMs });
  const near = new NearDrivers({ redis, board, log, nowMs, onFallback: counts.fallback });
  const sockets = new LiveSockets({ isHome: (driverId) => units.isHome(unitOfAccount(BigInt(driverId))) });
  observeLocation(metrics, { board, sockets, writer, reader });

  const http = buildHttp({
    name: 'location',
    log,
    metrics,
    verifyToken,
    openapi: { title: 'Tandem driver stream', version: '1', tags: [{ name: 'driver', description: 'What a driver’s app does.' }] },
  });
  addDriverStream(http, {
    sockets,
    assertHome: (unit) => units.assertHome(unit),
    socket: {
      take: (position) => {
        board.put(position);
        writer.put(position);
      },
      events: deps.driverEvents,
      speedFactor: deps.speedFactor,
      nowMs,
      log,
      counts,
    },
  });

  let timer: NodeJS.Timeout | undefined;
  return {
    http,
    rpc: locationRpc({ near, board, nowMs }),
    upkeep: {
      start: () => {
        reader.start();
        timer = setInterval(() => {
          sockets.check();
          board.sweep(nowMs());
        }, CHECK_EVERY_MS);
      },
      stop: async () => {
        clearInterval(timer);
        await Promise.all([reader.stop(), writer.stop()]);
      },
    },
  };
}

function locationRpc(answer: AnswerDeps): RpcService {
  return rpcService<LocationMethods>({
    protoPath: new URL('./rpc/location.proto', import.meta.url),
    packageName: 'tandem.location.v1',
    serviceName: 'Location',
    handlers: {
      Nearest: (request) => answerNearest(request, answer),
      Positions: (request) => answerPositions(request, answer),
      Track: (request, { signal }) => answerTrack(request, answer, signal),
    },
  });
}
