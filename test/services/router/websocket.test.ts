/** The driver's stream through the router: carried to the driver's home, never torn, and always told to come back. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTwin } from './twin-doors.ts';
import type { Door } from './twin-doors.ts';

const DRIVER = { headers: { authorization: 'Bearer 42' } };

describe('the driver stream', () => {
  it('goes to the home of the driver, and passes text and large binary both ways', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.homeOfUnit = west.homeOfUnit = () => 'west';
    echo(west);
    const ws = await connect(east);
    ws.send('ping');
    expect(String((await once(ws, 'message'))[0])).toBe('ping');
    const large = Buffer.alloc(300_000, 7);
    ws.send(large);
    expect(((await once(ws, 'message'))[0] as Buffer).equals(large)).toBe(true);
    expect(west.setup.location[0]!.calls[0]).toMatchObject({ url: '/v1/driver/stream?after=7', headers: { ...DRIVER.headers, 'tandem-forwarded': 'east' } });
    expect(east.setup.location[0]!.calls).toEqual([]);
    expect(east.carried).toMatchObject([{ route: 'driver-stream', answeredBy: 'peer', outcome: 'ok' }]);
    ws.close(1000, 'done');
    const [code] = await once(ws, 'close');
    expect(code).toBe(1000);
  });

  it('a 421 to the upgrade is carried to the home and hidden', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.setup.location[0]!.onUpgrade = () => ({ status: 421, headers: { 'tandem-home': 'west' } });
    echo(west);
    const ws = await connect(east);
    ws.send('there');
    expect(String((await once(ws, 'message'))[0])).toBe('there');
    ws.terminate();
  });

  it('a refusal of the service reaches the client as it is; with nobody there it is a 503', async () => {
    await using twin = await startTwin();
    const { east, west } = twin;
    east.setup.location[0]!.onUpgrade = () => ({ status: 401 });
    expect(await refusal(east)).toBe(401);
    await east.setup.location[0]!.kill();
    await west.stop();
    expect(await refusal(east)).toBe(503);
  });

  it('a path that takes no upgrade refuses it', async () => {
    await using twin = await startTwin();
    expect(await refusal(twin.east, '/v1/rides/7')).toBe(400);
    expect(await refusal(twin.east, '/nothing')).toBe(404);
  });

  it('an instance that dies, a home that moves, a router that stops: each ends with 1012, come back', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    echo(east);
    const died = await connect(east);
    const dies = once(died, 'close');
    for (const socket of east.setup.location[0]!.sockets.clients) socket.terminate();
    expect((await dies)[0]).toBe(1012);

    const moved = await connect(east);
    const moves = once(moved, 'close');
    east.homeOfUnit = () => 'west';
    east.streams.endMoved();
    expect((await moves)[0]).toBe(1012);
    east.homeOfUnit = () => undefined;

    const stopped = await connect(east);
    const stops = once(stopped, 'close');
    await east.streams.endAll('this router is stopping');
    const [code, reason] = await stops;
    expect([code, String(reason)]).toEqual([1012, 'this router is stopping']);
    expect(east.streams.count('websocket')).toBe(0);
  });

  it('stopping in the middle of a large message tears no frame', async () => {
    await using twin = await startTwin();
    const { east } = twin;
    const sent = Array.from({ length: 40 }, (_, i) => Buffer.alloc(50_000 + i, i));
    east.setup.location[0]!.sockets.on('connection', (ws) => { for (const message of sent) ws.send(message); });
    const ws = await connect(east);
    const received: Buffer[] = [];
    const errors: unknown[] = [];
    ws.on('message', (message: Buffer) => received.push(message));
    ws.on('error', (e) => errors.push(e));
    await once(ws, 'message');
    void east.streams.endAll('this router is stopping');
    await once(ws, 'close');
    expect(errors).toEqual([]);
    // The first may have come before the listener; from then on each is whole, and none is left out.
    expect(received.length).toBeGreaterThan(0);
    const first = received[0]![0]!;
    expect(received.every((message, i) => message.equals(sent[first + i]!))).toBe(true);
  });
});

function echo(door: Door): void {
  door.setup.location[0]!.sockets.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
}

async function connect(door: Door): Promise<WebSocket> {
  const ws = new WebSocket(`${door.url.replace('http', 'ws')}/v1/driver/stream?after=7`, DRIVER);
  await once(ws, 'open');
  return ws;
}

async function refusal(door: Door, path = '/v1/driver/stream'): Promise<number> {
  const ws = new WebSocket(door.url.replace('http', 'ws') + path, DRIVER);
  ws.on('error', () => {});
  const [, answer] = await once(ws, 'unexpected-response');
  return (answer as { statusCode: number }).statusCode;
}
