/**
 * All driver sockets of this process: a limit on their number, and their keepalive.
 * Invariant: a socket is here from its opening to its close; one driver has at most one: the newer connection replaces
 * the older, as a phone that lost its network comes back before the old connection is known to be dead. On a drain the
 * HTTP server closes them (shared/http/web-socket.ts).
 */
import { CLOSE } from './driver-socket.ts';
import type { DriverSocket } from './driver-socket.ts';

/** Some 20 KiB each with buffers. */
export const SOCKETS_MAX = 20_000;

export class LiveSockets {
  readonly #byDriver = new Map<string, DriverSocket>();
  readonly #isHome: (driverId: string) => boolean;

  constructor(options: { readonly isHome: (driverId: string) => boolean }) {
    this.#isHome = options.isHome;
  }

  get count(): number {
    return this.#byDriver.size;
  }

  get hasRoom(): boolean {
    return this.#byDriver.size < SOCKETS_MAX;
  }

  /** Runs the socket until it closes. */
  async run(socket: DriverSocket): Promise<void> {
    this.#byDriver.get(socket.driverId)?.close(CLOSE.replaced, 'replaced by a newer connection');
    this.#byDriver.set(socket.driverId, socket);
    try {
      await socket.run();
    } finally {
      if (this.#byDriver.get(socket.driverId) === socket) this.#byDriver.delete(socket.driverId);
    }
  }

  /** Every few seconds: pings everybody; sends away whose home has moved: the router leads them to the other region. */
  check(): void {
    for (const socket of this.#byDriver.values()) {
      if (this.#isHome(socket.driverId)) socket.checkAlive();
      else socket.close(CLOSE.restart, 'this driver is served by the other region now; connect again');
    }
  }
}
