/**
 * WebSocket servers of others, which the benchmark compares with ours. Started by it, each in a process of its own:
 * bench-websocket-peer ws echo|broadcast
 * bench-websocket-peer uws echo|broadcast <binary>
 */

import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { RawData, WebSocket } from 'ws';

const host = '127.0.0.1';
const [name = '', task = '', binary = ''] = process.argv.slice(2);

/** Each starts one server and gives its port. */
const servers: Readonly<Record<string, () => Promise<number>>> = { ws: startWs, uws: startUws };

/** What an experienced user of `ws` writes: no closure per connection. */
async function startWs(): Promise<number> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ host, port: 0, backlog: 4096 });
  const { clients } = server;
  function echo(this: WebSocket, data: RawData, isBinary: boolean): void {
    this.send(data, { binary: isBinary });
  }
  function broadcast(this: WebSocket, data: RawData, isBinary: boolean): void {
    for (const client of clients) client.send(data, { binary: isBinary });
  }
  const onMessage = task === 'broadcast' ? broadcast : echo;
  server.on('connection', (socket) => {
    socket.on('message', onMessage);
    socket.on('error', ignore);
  });
  return new Promise((resolve) => {
    server.once('listening', () => resolve((server.address() as AddressInfo).port));
  });
}

function ignore(): void {
  // A reset ends the connection, which is all that is wanted.
}

/** As much of uWebSockets.js as is used here. */
interface Uws {
  readonly DISABLED: number;
  App(): UwsApp;
  us_socket_local_port(socket: unknown): number;
}
interface UwsApp {
  ws(pattern: string, behavior: UwsBehavior): UwsApp;
  listen(host: string, port: number, listening: (socket: unknown) => void): UwsApp;
  publish(topic: string, message: ArrayBuffer, isBinary: boolean): boolean;
}
interface UwsSocket {
  send(message: ArrayBuffer, isBinary: boolean): number;
  subscribe(topic: string): boolean;
}
interface UwsBehavior {
  readonly compression: number;
  readonly maxPayloadLength: number;
  readonly idleTimeout: number;
  readonly sendPingsAutomatically: boolean;
  open(socket: UwsSocket): void;
  message(socket: UwsSocket, message: ArrayBuffer, isBinary: boolean): void;
}

const everybody = 'everybody';

/** Its own way to reach everybody is a topic. */
function startUws(): Promise<number> {
  const uws = createRequire(import.meta.url)(binary) as Uws;
  const app = uws.App();
  const broadcasts = task === 'broadcast';
  app.ws('/*', {
    compression: uws.DISABLED,
    maxPayloadLength: 16 * 1024 * 1024,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    open(socket) {
      if (broadcasts) socket.subscribe(everybody);
    },
    message: broadcasts
      ? (_socket, message, isBinary) => void app.publish(everybody, message, isBinary)
      : (socket, message, isBinary) => void socket.send(message, isBinary),
  });
  return new Promise((resolve, reject) => {
    app.listen(host, 0, (socket) => {
      if (socket) resolve(uws.us_socket_local_port(socket));
      else reject(new Error('uWebSockets.js cannot listen'));
    });
  });
}

const start = servers[name];
if (start === undefined || !['echo', 'broadcast'].includes(task))
  throw new Error('usage: bench-websocket-peer ws|uws echo|broadcast [BINARY]');
process.stdout.write(`listening ${await start()}\n`);
// The benchmark asks for a collection before it measures memory, and is gone when it disconnects.
process.on('message', () => {
  globalThis.gc?.();
  process.send?.('collected');
});
process.on('disconnect', () => process.exit());
