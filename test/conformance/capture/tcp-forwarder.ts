/** A fixed address in front of a server that can be exchanged: what a virtual address or a proxy is to a failover. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Forwarder extends AsyncDisposable {
  readonly port: number;
  /** New connections go to this port of this host; open ones are cut. */
  switchTo(port: number): void;
}

export async function startForwarder(target: number): Promise<Forwarder> {
  let to = target;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const [socket, peer] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        peer.destroy();
      });
      socket.pipe(peer);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    switchTo: (port) => {
      to = port;
      cut();
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
    },
  };
}
