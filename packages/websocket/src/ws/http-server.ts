import { type RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type IoError, portOption } from '@iocp/core/layer';
import { listen, type TcpListener, type ListenOptions as TcpListenOptions } from '@iocp/tcp';

/** Where to listen: as `net.ListenOptions`. Nothing else of it has a meaning here. */
export interface HttpListenOptions extends Pick<TcpListenOptions, 'completionPort'> {
  readonly port: number;
  readonly host?: string | null | undefined;
  readonly backlog?: number | null | undefined;
}

/** An `http.Server` that listens with `@iocp/tcp`. What `WebSocketServer` of `ws` asks of its server is here, and no more. */
export class HttpServer extends Server {
  #opening: Promise<TcpListener> | null = null;
  #listener: TcpListener | null = null;
  #closing = false;

  constructor(onRequest: RequestListener) {
    super(onRequest);
    // Read-only properties of a server are fields in Node's types, and cannot be overridden as what they are.
    Object.defineProperty(this, 'listening', { get: () => this.#listener !== null && !this.#closing });
  }

  /**
   * Listens once; `'listening'` or `'error'` says how it went.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_BAD_PORT`
   */
  open({ completionPort, port, host, backlog }: HttpListenOptions): void {
    this.#opening = listen({
      completionPort,
      port: portOption(port, 'options.port', 0),
      host: host ?? undefined,
      backlog: backlog ?? undefined,
    });
    this.#opening.then(
      // A listener of these events may throw, and that is no failure of ours to listen.
      (listener) => process.nextTick(() => this.#opened(listener)),
      (error: IoError) => process.nextTick(() => this.#failed(error)),
    );
  }

  override address(): AddressInfo | null {
    if (this.#listener === null || this.#closing) return null;
    const { address, family, port } = this.#listener.address();
    return { address, family, port } as AddressInfo;
  }

  /** As of `http.Server`: takes no more connections, and emits `'close'` when all have ended. */
  override close(callback?: (error?: Error) => void): this {
    if (this.#opening === null || this.#closing) return super.close(callback);
    this.#closing = true;
    if (callback !== undefined) this.once('close', callback);
    this.closeIdleConnections();
    const closed = (): void => void super.close();
    this.#opening
      .then((listener) => listener.close({ graceMs: Number.POSITIVE_INFINITY }))
      .then(closed, closed);
    return this;
  }

  #opened(listener: TcpListener): void {
    if (this.#closing) return;
    this.#listener = listener;
    listener.attachTo(this);
    this.emit('listening');
  }

  #failed(error: IoError): void {
    if (this.#closing) return;
    this.#opening = null;
    this.emit('error', error);
  }
}
