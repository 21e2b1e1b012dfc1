/** A small real HTTP server that stands in for a service: fakes are for faults. Counts what reaches it. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (request: Seen, response: ServerResponse) => void;

export class FakeUpstream {
  readonly seen: Seen[] = [];
  /** Requests that were broken off by the caller. */
  abortedCount = 0;
  answer: Answer = (_request, response) => json(response, 200, { by: this.name });
  onUpgrade: ((request: IncomingMessage) => { status: number; headers?: Record<string, string> } | 'accept') = () => 'accept';
  readonly name: string;
  readonly sockets: WebSocketServer;
  readonly #server: Server;

  constructor(name: string) {
    this.name = name;
    this.sockets = new WebSocketServer({ noServer: true });
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      this.seen.push({ method: 'GET', url: request.url ?? '', headers: request.headers, body: '' });
      const verdict = this.onUpgrade(request);
      if (verdict === 'accept') {
        this.sockets.handleUpgrade(request, socket, head, (ws) => this.sockets.emit('connection', ws, request));
        return;
      }
      const headers = Object.entries(verdict.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`).join('');
      socket.end(`HTTP/1.1 ${verdict.status} No\r\n${headers}content-length: 2\r\nconnection: close\r\n\r\nno`);
    });
  }

  get hostPort(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Without health probes. */
  get calls(): Seen[] {
    return this.seen.filter((request) => !request.url.startsWith('/health/'));
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => { this.#server.listen(port, '127.0.0.1', resolve); });
    return this;
  }

  /** At once, as a crash would. */
  async kill(): Promise<void> {
    for (const ws of this.sockets.clients) ws.terminate();
    const closed = new Promise((resolve) => { this.#server.close(resolve); });
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() };
    this.seen.push(seen);
    response.on('close', () => { if (!response.writableFinished) this.abortedCount += 1; });
    if (seen.url.startsWith('/health/')) response.writeHead(200).end();
    else this.answer(seen, response);
  }
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
