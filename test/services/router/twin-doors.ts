/** Two front doors that are each other's peers, over fake services: east is origin 1, west is origin 2. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CODES } from '../../../shared/kernel/codes.ts';
import { Regions } from '../../../shared/kernel/region.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { HomeFinder } from '../../../services/router/domain/home.ts';
import { LearnedUnits } from '../../../services/router/domain/learned-units.ts';
import { FrontDoor } from '../../../services/router/proxy/front-door.ts';
import type { Carried } from '../../../services/router/proxy/front-door.ts';
import { OpenStreams } from '../../../services/router/proxy/open-streams.ts';
import { UpgradeDoor } from '../../../services/router/proxy/upgrade-door.ts';
import { PEER, Upstreams } from '../../../services/router/proxy/upstreams.ts';
import { SILENT_LOG } from '../../harness/mysql-schema.ts';
import { FakeUpstream } from './fake-upstream.ts';

export const REGIONS = Regions.parse('east=1,west=2');

export interface DoorSetup {
  readonly dispatch: FakeUpstream[];
  readonly location: FakeUpstream[];
  readonly payment: FakeUpstream[];
}

export class Door {
  readonly region: string;
  readonly url: string;
  readonly upstreams: Upstreams;
  readonly streams = new OpenStreams();
  readonly learned = new LearnedUnits();
  readonly carried: Carried[] = [];
  readonly setup: DoorSetup;
  /** What this router believes about homes; tests make it wrong on purpose. */
  homeOfUnit: (unit: number) => string | undefined = () => undefined;
  readonly #server: Server;

  constructor(region: string, server: Server, setup: DoorSetup, peerHostPort: string) {
    this.region = region;
    this.setup = setup;
    this.#server = server;
    this.url = `http://${hostPortOf(server)}`;
    const hostPortsOf = new Map([
      ['dispatch', hostPorts(setup.dispatch)], ['location', hostPorts(setup.location)],
      ['payment', hostPorts(setup.payment)], [PEER, [peerHostPort]],
    ]);
    this.upstreams = new Upstreams({ hostPortsOf, log: SILENT_LOG, nowMs });
    const door = new FrontDoor({
      region, regions: REGIONS, upstreams: this.upstreams, learned: this.learned, streams: this.streams, nowMs,
      homes: new HomeFinder({ region, regions: REGIONS, learned: this.learned, homeOfUnit: (unit) => this.homeOfUnit(unit) }),
      accountOf: async (authorization) => (authorization === undefined ? undefined : BigInt(authorization.replace('Bearer ', ''))),
      trace: (headers) => { headers['traceparent'] ??= '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'; },
      observe: (carried) => this.carried.push(carried),
    });
    const upgrades = new UpgradeDoor(door, SILENT_LOG);
    server.on('upgrade', (request, socket, head) => void upgrades.handle(request, socket, head));
    server.on('request', (request, response) => {
      door.handle(request, response, () => {}).catch((e: unknown) => {
        if (!isTandemError(e)) throw e;
        const { http: status } = CODES[e.code];
        response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ code: e.code, ...e.details }));
      });
    });
  }

  async stop(): Promise<void> {
    await this.streams.endAll('the test is over');
    await this.upstreams.stop();
    const closed = new Promise((resolve) => { this.#server.close(resolve); });
    this.#server.closeAllConnections();
    await closed;
    await Promise.all(Object.values(this.setup).flat().map((fake: FakeUpstream) => fake.kill()));
  }
}

export interface Twin extends AsyncDisposable {
  readonly east: Door;
  readonly west: Door;
}

/** Two regions with two dispatch instances each, probing. */
export async function startTwin(): Promise<Twin> {
  const [eastServer, westServer] = [await listen(), await listen()];
  const east = new Door('east', eastServer, await startSetup('east'), hostPortOf(westServer));
  const west = new Door('west', westServer, await startSetup('west'), hostPortOf(eastServer));
  await Promise.all([east.upstreams.start(), west.upstreams.start()]);
  return {
    east, west,
    async [Symbol.asyncDispose]() {
      await Promise.all([east.stop(), west.stop()]);
    },
  };
}

async function startSetup(region: string): Promise<DoorSetup> {
  return {
    dispatch: [await start(`dispatch-${region}-1`), await start(`dispatch-${region}-2`)],
    location: [await start(`location-${region}`)],
    payment: [await start(`payment-${region}`)],
  };
}

async function listen(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server;
}

function hostPortOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function hostPorts(fakes: readonly FakeUpstream[]): string[] {
  return fakes.map((fake) => fake.hostPort);
}

function nowMs(): number {
  return performance.now();
}

function start(name: string): Promise<FakeUpstream> {
  return new FakeUpstream(name).start();
}
