import type { CompletionPort } from '@iocp/core';
import { listen, type TcpConnection, type TcpHandlers, type TcpListener } from '@iocp/tcp';
import { type Address, formatAddress } from './address.js';

/** Where an echo server listens, once it does. */
export type Listening =
  | { readonly protocol: 'tcp'; readonly host: string; readonly port: number }
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

/** Echo over TCP and Unix sockets on one completion port. */
export class EchoServer {
  readonly #port: CompletionPort;
  readonly #echo = new Echo();
  readonly #listeners: TcpListener[] = [];

  constructor(port: CompletionPort) {
    this.#port = port;
  }

  get counters(): { connectionsOpen: number; connectionsTotal: number; bytesTotal: number } {
    const { connections, connectionsTotal, bytesTotal } = this.#echo;
    return { connectionsOpen: connections.size, connectionsTotal, bytesTotal };
  }

  /** Listens on a TCP address. Port 0 takes a free one. */
  async listenTcp({ host, port }: Address): Promise<Listening> {
    const listener = await listen({ host, port, lend: true, completionPort: this.#port }, this.#echo);
    this.#listeners.push(listener);
    const address = listener.address();
    return { protocol: 'tcp', host: address.address, port: address.port };
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
      await Promise.all(this.#listeners.map((listener) => listener.close({ graceMs })));
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
  return listening.protocol === 'tcp'
    ? `tcp ${formatAddress(listening.host, listening.port)}`
    : `unix ${listening.path}`;
}
