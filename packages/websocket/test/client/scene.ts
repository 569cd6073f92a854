/** What tests of clients share: servers that are not ours, and servers that misbehave. */

import { once } from 'node:events';
import net from 'node:net';
import { WebSocketServer as PeerServer, type WebSocket as PeerSocket, type ServerOptions } from 'ws';
import { connect } from '../../src/client/connect.js';
import type { ConnectOptions } from '../../src/client/connect-options.js';
import type { WebSocketHandlers } from '../../src/connection/handlers-face.js';
import type { WebSocketConnection } from '../../src/connection/websocket-connection.js';
import { acceptKeyOf } from '../../src/handshake/accept-key.js';
import type { Fixture } from '../server/fixture.js';

/** Options that make a client use the port under test. */
export function on({ port }: Fixture, options: ConnectOptions = {}): ConnectOptions {
  return { ...options, tcp: { completionPort: port, ...options.tcp } };
}

/** A connection of ours, terminated after the test. */
export async function open(
  fixture: Fixture,
  url: string,
  options?: ConnectOptions,
  handlers?: WebSocketHandlers,
): Promise<WebSocketConnection> {
  const connection = await connect(url, on(fixture, options), handlers);
  fixture.after(() => connection.terminate());
  return connection;
}

export interface Peer {
  readonly server: PeerServer;
  readonly url: string;
  /** Connections in the order they came. */
  readonly sockets: PeerSocket[];
}

/** A server of the package `ws`, closed after the test. */
export async function servePeer(
  fixture: Fixture,
  onConnection: (socket: PeerSocket) => void = () => {},
  options: ServerOptions = {},
): Promise<Peer> {
  const server = new PeerServer({ host: '127.0.0.1', port: 0, ...options });
  const sockets: PeerSocket[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await once(server, 'listening');
  fixture.after(async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    await once(server, 'close');
  });
  return { server, sockets, url: `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}` };
}

/** Sends everything back. */
export function echoOf(socket: PeerSocket): void {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
}

export interface RawServer {
  readonly port: number;
  readonly url: string;
  readonly sockets: net.Socket[];
  /** Heads of requests, as they came. */
  readonly requests: string[];
}

/** A server that answers each request with what `answer` writes; closed after the test. */
export async function serveRaw(
  fixture: Fixture,
  answer: (socket: net.Socket, key: string, request: string) => void,
  where: net.ListenOptions = { host: '127.0.0.1', port: 0 },
): Promise<RawServer> {
  const sockets: net.Socket[] = [];
  const requests: string[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    let request = '';
    const read = (data: Buffer) => {
      request += data.toString('latin1');
      if (!request.endsWith('\r\n\r\n')) return;
      socket.off('data', read);
      requests.push(request);
      answer(socket, /Sec-WebSocket-Key: (\S+)/.exec(request)?.[1] ?? '', request);
    };
    socket.on('data', read);
    socket.on('end', () => socket.end());
  });
  server.listen(where);
  await once(server, 'listening');
  fixture.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = (server.address() ?? {}) as net.AddressInfo;
  return { port, url: `ws://127.0.0.1:${port}`, sockets, requests };
}

/** The answer that opens. */
export function accepted(key: string, fields = ''): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptKeyOf(key)}\r\n${fields}\r\n`
  );
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('did not reject');
}
