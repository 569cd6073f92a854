import type { CompletionPort } from '@iocp/core';
import type { DatagramBatch } from '@iocp/core/layer';
import { listen, type TcpConnection, type TcpHandlers, type TcpListener } from '@iocp/tcp';
import { bind, type UdpHandlers, type UdpSocket } from '@iocp/udp';
import { type Address, formatAddress } from './address.js';

/** Where an echo server listens, once it does. */
export type Listening =
  | { readonly protocol: 'tcp' | 'udp'; readonly host: string; readonly port: number }
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

/** What the server has done. */
export interface EchoCounters {
  readonly connectionsOpen: number;
  readonly connectionsTotal: number;
  readonly datagramsTotal: number;
  /** Of connections and datagrams, sent back. */
  readonly bytesTotal: number;
}

/** Echo over TCP, UDP and Unix sockets on one completion port. */
export class EchoServer {
  readonly #port: CompletionPort;
  readonly #echo = new Echo();
  readonly #listeners: TcpListener[] = [];
  readonly #datagramSockets: UdpSocket[] = [];

  constructor(port: CompletionPort) {
    this.#port = port;
  }

  get counters(): EchoCounters {
    const { connections, connectionsTotal, bytesTotal } = this.#echo;
    const stats = this.#datagramSockets.map((socket) => socket.stats);
    return {
      connectionsOpen: connections.size,
      connectionsTotal,
      datagramsTotal: stats.reduce((total, { sent }) => total + sent, 0),
      bytesTotal: stats.reduce((total, { sentBytes }) => total + sentBytes, bytesTotal),
    };
  }

  /** Listens on a TCP address. Port 0 takes a free one. */
  async listenTcp({ host, port }: Address): Promise<Listening> {
    const listener = await listen({ host, port, lend: true, completionPort: this.#port }, this.#echo);
    this.#listeners.push(listener);
    const address = listener.address();
    return { protocol: 'tcp', host: address.address, port: address.port };
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
   * aborts what is still open after `graceMs`.
   */
  async close(graceMs: number): Promise<void> {
    const bytesRead = new Map<TcpConnection, number>();
    const timer = setInterval(() => this.#endSilent(bytesRead), silenceMs);
    try {
      await Promise.all([
        ...this.#listeners.map((listener) => listener.close({ graceMs })),
        ...this.#datagramSockets.map((socket) => socket.close()),
      ]);
    } finally {
      clearInterval(timer);
    }
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

/** Where it listens, in words: `tcp 127.0.0.1:8080`, `unix /run/echo.sock`. */
export function describeListening(listening: Listening): string {
  return listening.protocol === 'unix'
    ? `unix ${listening.path}`
    : `${listening.protocol} ${formatAddress(listening.host, listening.port)}`;
}
