import type { CompletionPort } from '@iocp/core';
import type { DatagramBatch } from '@iocp/core/layer';
import { listen, type TcpConnection, type TcpHandlers, type TcpListener } from '@iocp/tcp';
import { listen as listenTls } from '@iocp/tls';
import { bind, type UdpHandlers, type UdpSocket } from '@iocp/udp';
import {
  listen as listenWebSocket,
  type WebSocketConnection,
  type WebSocketHandlers,
  type WebSocketServer,
} from '@iocp/websocket';
import { type Address, formatAddress } from './address.js';
import { pageListener } from './page-listener.js';
import type { TlsCredentials } from './tls-credentials.js';

/** Where an echo server listens, once it does. */
export type Listening =
  | { readonly protocol: 'tcp' | 'udp' | 'tls'; readonly host: string; readonly port: number }
  | {
      readonly protocol: 'ws' | 'wss';
      readonly host: string;
      readonly port: number;
      /** URL of the page that talks to it. */
      readonly page: string;
    }
  | { readonly protocol: 'unix'; readonly path: string };

/** A connection that was silent for so long is ended when the server closes. */
const silenceMs = 100;

/**
 * The whole protocol: what comes goes back. The bytes are lent and written as they are, so that they leave from the
 * memory they arrived in. A peer that does not read its replies is not read from either, until it does.
 */
class Echo implements TcpHandlers {
  readonly connections = new Set<TcpConnection>();
  connectionsTotal = 0;
  bytesTotal = 0;

  open(connection: TcpConnection): void {
    this.connectionsTotal += 1;
    this.connections.add(connection);
  }

  data(connection: TcpConnection, bytes: Uint8Array): void {
    if (!connection.write(bytes)) connection.pause();
  }

  drain(connection: TcpConnection): void {
    connection.resume();
  }

  close(connection: TcpConnection): void {
    this.connections.delete(connection);
    this.bytesTotal += connection.bytesWritten;
  }
}

/** The same for datagrams. What the system does not take is dropped, as the network does. */
class DatagramEcho implements UdpHandlers {
  messages(_socket: UdpSocket, batch: DatagramBatch): void {
    for (const message of batch) message.reply(message.data);
  }

  error(): void {
    // About one peer that has gone: the others are served on.
  }
}

/** The same for messages. The whole message is sent from the memory it arrived in. */
class WebSocketEcho implements WebSocketHandlers {
  connectionsOpen = 0;
  connectionsTotal = 0;
  /** Of messages, without what frames them. */
  bytesTotal = 0;

  open(): void {
    this.connectionsTotal += 1;
    this.connectionsOpen += 1;
  }

  message(socket: WebSocketConnection, data: Buffer, binary: boolean): void {
    this.bytesTotal += data.length;
    if (socket.send(data, binary) === 'full') socket.pause();
  }

  drain(socket: WebSocketConnection): void {
    socket.resume();
  }

  close(): void {
    this.connectionsOpen -= 1;
  }
}

/** What else a WebSocket server is to do. */
export interface WebSocketEchoOptions {
  /** Makes it `wss:`. */
  readonly credentials?: TlsCredentials | undefined;
  /** Messages are compressed for clients that ask for it. */
  readonly deflate?: boolean | undefined;
}

/** What the server has done. */
export interface EchoCounters {
  readonly connectionsOpen: number;
  readonly connectionsTotal: number;
  readonly datagramsTotal: number;
  /** Of connections, messages and datagrams, sent back. */
  readonly bytesTotal: number;
}

/** Echo over TCP, TLS, UDP, Unix sockets and WebSocket on one completion port. */
export class EchoServer {
  readonly #port: CompletionPort;
  readonly #echo = new Echo();
  readonly #webSocketEcho = new WebSocketEcho();
  readonly #webSocketServers: WebSocketServer[] = [];
  readonly #listeners: TcpListener[] = [];
  readonly #datagramSockets: UdpSocket[] = [];

  constructor(port: CompletionPort) {
    this.#port = port;
  }

  get counters(): EchoCounters {
    const [echo, webSocketEcho] = [this.#echo, this.#webSocketEcho];
    const stats = this.#datagramSockets.map((socket) => socket.stats);
    const datagramBytes = stats.reduce((total, { sentBytes }) => total + sentBytes, 0);
    return {
      connectionsOpen: echo.connections.size + webSocketEcho.connectionsOpen,
      connectionsTotal: echo.connectionsTotal + webSocketEcho.connectionsTotal,
      datagramsTotal: stats.reduce((total, { sent }) => total + sent, 0),
      bytesTotal: echo.bytesTotal + webSocketEcho.bytesTotal + datagramBytes,
    };
  }

  /** Listens on a TCP address. Port 0 takes a free one. */
  async listenTcp({ host, port }: Address): Promise<Listening> {
    const listener = await listen({ host, port, lend: true, completionPort: this.#port }, this.#echo);
    return this.#listening('tcp', listener);
  }

  /** Listens for TLS connections on a TCP address. Port 0 takes a free one. */
  async listenTls({ host, port }: Address, { cert, key }: TlsCredentials): Promise<Listening> {
    const options = { host, port, lend: true, completionPort: this.#port, cert, key };
    return this.#listening('tls', await listenTls(options, this.#echo));
  }

  /** Listens for WebSocket connections on a TCP address, and shows browsers a page there. Port 0 takes a free one. */
  async listenWebSocket(
    { host, port }: Address,
    { credentials, deflate = false }: WebSocketEchoOptions = {},
  ): Promise<Listening> {
    const options = { host, port, lend: true, deflate, tls: credentials, request: pageListener() };
    const server = await listenWebSocket({ ...options, completionPort: this.#port }, this.#webSocketEcho);
    this.#webSocketServers.push(server);
    const { address = '', port: portTaken = 0 } = server.address() ?? {};
    const [protocol, scheme] =
      credentials === undefined ? (['ws', 'http'] as const) : (['wss', 'https'] as const);
    const page = `${scheme}://${formatAddress(reachable(address), portTaken)}/`;
    return { protocol, host: address, port: portTaken, page };
  }

  /** Echoes datagrams at a UDP address. Port 0 takes a free one. */
  async listenUdp({ host, port }: Address): Promise<Listening> {
    const socket = await bind({ host, port, lend: true, completionPort: this.#port }, new DatagramEcho());
    this.#datagramSockets.push(socket);
    const address = socket.address();
    return { protocol: 'udp', host: address.address, port: address.port };
  }

  /** Listens on a Unix socket. */
  async listenUnix(path: string): Promise<Listening> {
    this.#listeners.push(await listen({ path, lend: true, completionPort: this.#port }, this.#echo));
    return { protocol: 'unix', path };
  }

  /**
   * Accepts nobody any more, goes on echoing on connections where something happens, ends those that are silent, and
   * aborts what is still open after `graceMs`. WebSocket connections are closed with code 1001.
   */
  async close(graceMs: number): Promise<void> {
    const bytesRead = new Map<TcpConnection, number>();
    const timer = setInterval(() => this.#endSilent(bytesRead), silenceMs);
    try {
      await Promise.all([
        ...this.#listeners.map((listener) => listener.close({ graceMs })),
        ...this.#datagramSockets.map((socket) => socket.close()),
        ...this.#webSocketServers.map((server) => server.close({ graceMs })),
      ]);
    } finally {
      clearInterval(timer);
    }
  }

  #listening(protocol: 'tcp' | 'tls', listener: TcpListener): Listening {
    this.#listeners.push(listener);
    const { address, port } = listener.address();
    return { protocol, host: address, port };
  }

  /** @param bytesRead what each connection had received the last time */
  #endSilent(bytesRead: Map<TcpConnection, number>): void {
    for (const connection of this.#echo.connections) {
      const silent = bytesRead.get(connection) === connection.bytesRead && connection.bufferedAmount === 0;
      if (silent) connection.end();
      else bytesRead.set(connection, connection.bytesRead);
    }
  }
}

/** An address to dial for one to listen on. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}

/** Where it listens, in words: `tcp 127.0.0.1:8080`, `unix /run/echo.sock`. */
export function describeListening(listening: Listening): string {
  return listening.protocol === 'unix'
    ? `unix ${listening.path}`
    : `${listening.protocol} ${formatAddress(listening.host, listening.port)}`;
}
