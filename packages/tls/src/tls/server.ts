import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Channel,
  IoError,
  invalidArgumentValue,
  onAbort,
  throwLater,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import type { TcpConnection, TcpListener } from '@iocp/tcp';
import { SecureContext } from '../context/secure-context.js';
import { alpnSettings } from '../options/alpn.js';
import { transportOf } from '../transport.js';
import { alreadyListening, notRunning, serverNameRequired } from './errors.js';
import { type ListenOptions, type ListenTarget, listenTarget } from './listen-target.js';
import { type SecureContextOptions, type ServerOptions, validateOptions } from './options.js';
import { createSecureContext } from './secure-context.js';
import { ServerNames } from './server-names.js';
import { keepAliveOption } from './tcp-options.js';
import { type SocketHooks, TLSSocket } from './tls-socket.js';

type SecureListener = (socket: TLSSocket) => void;

const ticketKeyBytes = 48;

/**
 * A server with the interface of `tls.Server`; the entry's documentation says where it differs. It takes connections of its
 * own, and any stream by `server.emit('connection', stream)`.
 */
export class Server extends EventEmitter {
  /** Connections at once; those above are closed, and `'drop'` is emitted. Undefined: no limit. */
  maxConnections: number | undefined;
  /** Of the options. */
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly #options: ServerOptions;
  readonly #handshakeTimeout: number;
  readonly #names = new ServerNames();
  #context: SecureContext;
  #ticketKeys: Buffer;
  /** From `listen` until it has closed. */
  #listening: Listening | null = null;
  #holdsLoop = true;

  /**
   * @param listener for `'secureConnection'`
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS`, and as
   * `createSecureContext`
   */
  constructor(options?: ServerOptions | SecureListener | null, listener?: SecureListener) {
    super();
    const given = typeof options === 'function' ? {} : (options ?? {});
    validateOptions(given);
    const { requestCert, rejectUnauthorized, SNICallback, ALPNCallback, ALPNProtocols, ticketKeys } = given;
    const { handshakeTimeout = 120_000 } = given;
    validateInteger(handshakeTimeout, 'options.handshakeTimeout', 0);
    if (SNICallback) validateFunction(SNICallback, 'options.SNICallback');
    alpnSettings({ ALPNProtocols, ALPNCallback });
    this.#options = given;
    this.#handshakeTimeout = handshakeTimeout || 120_000;
    this.requestCert = requestCert === true;
    this.rejectUnauthorized = rejectUnauthorized !== false;
    this.#ticketKeys = ticketKeys ? checkedTicketKeys(ticketKeys) : randomBytes(ticketKeyBytes);
    this.#context = this.#createContext(given);
    this.on('connection', this.#onConnection);
    const onSecure = typeof options === 'function' ? options : listener;
    if (onSecure) this.on('secureConnection', onSecure);
  }

  /**
   * Listens; `'listening'` or `'error'` says when. The forms are those of `net.Server`, without handles and descriptors.
   * @throws `ERR_SERVER_ALREADY_LISTEN`, `ERR_INVALID_ARG_VALUE`, `ERR_SOCKET_BAD_PORT`
   */
  listen(port?: number, host?: string, backlog?: number, listener?: () => void): this;
  listen(port?: number, host?: string, listener?: () => void): this;
  listen(port?: number, backlog?: number, listener?: () => void): this;
  listen(port?: number, listener?: () => void): this;
  listen(path: string, backlog?: number, listener?: () => void): this;
  listen(path: string, listener?: () => void): this;
  listen(options: ListenOptions, listener?: () => void): this;
  listen(...args: unknown[]): this {
    if (this.#listening !== null) throw alreadyListening();
    const target = listenTarget(args);
    const callback = args[args.length - 1];
    if (typeof callback === 'function') this.once('listening', callback as () => void);
    const listening = new Listening();
    this.#listening = listening;
    const { signal } = (typeof args[0] === 'object' && args[0] !== null ? args[0] : {}) as ListenOptions;
    void this.#open(listening, target);
    if (signal?.aborted) this.close();
    else if (signal !== undefined) this.#closeOn(signal);
    return this;
  }

  get listening(): boolean {
    return this.#listening?.listener !== undefined && !this.#listening.closing;
  }

  /** Where it listens: the path of a Unix socket as a string; null when it does not. */
  address(): AddressInfo | string | null {
    const address = this.#listening?.listener?.address();
    if (address === undefined || this.#listening?.closing) return null;
    const { family, address: host, port } = address;
    return family === 'unix' ? host : ({ address: host, family, port } as AddressInfo);
  }

  /** Calls back with the number of connections. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    const count = this.#listening?.listener?.connections ?? 0;
    process.nextTick(callback, null, count);
    return this;
  }

  /**
   * Takes no more connections. `'close'` follows when all there are have ended.
   * @param callback listener for `'close'`; gets `ERR_SERVER_NOT_RUNNING` when there was nothing to close
   */
  close(callback?: (error?: Error) => void): this {
    const listening = this.#listening;
    const running = listening !== null && !listening.closing;
    if (typeof callback === 'function') {
      this.once('close', running ? () => callback() : () => callback(notRunning()));
    }
    if (running) listening.close(() => this.#closed());
    else if (listening === null) process.nextTick(() => this.emit('close'));
    return this;
  }

  /** `close()`, to be awaited. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#listening === null) return;
    await new Promise<void>((resolve) => this.close(() => resolve()));
  }

  /** It keeps the process alive (the default). */
  ref(): this {
    return this.#holdLoop(true);
  }

  /** The process may end while it listens. */
  unref(): this {
    return this.#holdLoop(false);
  }

  /**
   * Another context for clients that ask for `servername`, in which `*` stands for a part between dots.
   * @throws `ERR_TLS_REQUIRED_SERVER_NAME`, and as `createSecureContext`
   */
  addContext(servername: string, context: SecureContext | SecureContextOptions): void {
    if (!servername) throw serverNameRequired();
    validateString(servername, 'servername');
    this.#names.add(servername, context instanceof SecureContext ? context : createSecureContext(context));
  }

  /** Other certificates for the connections to come; those that are there go on. @throws as `createSecureContext` */
  setSecureContext(options: SecureContextOptions): void {
    validateObject(options, 'options');
    if (options.ticketKeys) this.#ticketKeys = checkedTicketKeys(options.ticketKeys);
    this.#context = this.#createContext(options);
  }

  /** The 48 bytes that tickets are made with: secret. */
  getTicketKeys(): Buffer {
    return Buffer.from(this.#ticketKeys);
  }

  /** Tickets of other keys are worth nothing from now on. @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = checkedTicketKeys(keys);
    this.#context.setTicketKeys([this.#ticketKeys]);
  }

  #createContext(options: SecureContextOptions): SecureContext {
    return createSecureContext({ ...options, ticketKeys: this.#ticketKeys });
  }

  async #open(listening: Listening, target: ListenTarget): Promise<void> {
    const { tcp, completionPort, noDelay } = this.#options;
    try {
      const { listen } = await transportOf(tcp);
      const keepAlive = keepAliveOption(this.#options);
      const listener = await listen({ ...target, completionPort, noDelay, keepAlive });
      if (!this.#holdsLoop) listener.unref();
      process.nextTick(() => this.#opened(listening, listener));
    } catch (error) {
      process.nextTick(() => {
        if (listening.closing) this.#closed();
        else this.#failed(error as IoError);
      });
    }
  }

  #closeOn(signal: AbortSignal): void {
    const forget = onAbort(signal, () => this.close());
    this.once('close', forget);
  }

  #opened(listening: Listening, listener: TcpListener): void {
    listening.opened(listener);
    if (listening.closing) return;
    void this.#accept(listener);
    this.emit('listening');
  }

  async #accept(listener: TcpListener): Promise<void> {
    try {
      for await (const connection of listener) this.#accepted(connection, listener.connections);
    } catch (error) {
      // It has closed by itself.
      process.nextTick(() => this.#failed(error as IoError));
    }
  }

  #accepted(connection: TcpConnection, count: number): void {
    try {
      if (this.maxConnections !== undefined && count > this.maxConnections) this.#drop(connection);
      else this.#admit(connection);
    } catch (error) {
      // A listener's: it must not end the accepting.
      throwLater(error);
    }
  }

  #drop(connection: TcpConnection): void {
    const { localAddress, localPort, remoteAddress, remotePort, family } = connection;
    connection.abort();
    const families = { localFamily: family, remoteFamily: family };
    this.emit('drop', { localAddress, localPort, remoteAddress, remotePort, ...families });
  }

  /** Nobody but us to tell: then there is no need for a stream below. */
  #admit(connection: TcpConnection): void {
    const listeners = this.listeners('connection');
    const onlyOurs = listeners.length === 1 && listeners[0] === this.#onConnection;
    if (onlyOurs) this.#secure(connection.channel);
    else this.emit('connection', connection.toDuplex({ allowHalfOpen: this.#options.allowHalfOpen }));
  }

  readonly #onConnection = (stream: Duplex): void => this.#secure(stream);

  #secure(medium: Duplex | Channel): void {
    const { ALPNProtocols, ALPNCallback, pauseOnConnect, allowHalfOpen, enableTrace } = this.#options;
    const socket = new TLSSocket(
      medium,
      {
        isServer: true,
        server: this,
        secureContext: this.#context,
        requestCert: this.requestCert,
        rejectUnauthorized: this.rejectUnauthorized,
        SNICallback: this.#sniCallback,
        ALPNProtocols,
        ALPNCallback,
        pauseOnConnect,
        allowHalfOpen,
        enableTrace,
      },
      this.#hooks(),
    );
    if (this.listenerCount('keylog') > 0) socket.on('keylog', (line) => this.emit('keylog', line, socket));
    const failed = (error: Error) => this.emit('tlsClientError', error, socket);
    socket.once('error', failed);
    socket.once('secure', () => {
      socket.off('error', failed);
      this.emit('secureConnection', socket);
    });
  }

  get #sniCallback(): ServerOptions['SNICallback'] {
    const { SNICallback } = this.#options;
    if (SNICallback || this.#names.isEmpty) return SNICallback;
    return (name, callback) => callback(null, this.#names.find(name));
  }

  #hooks(): SocketHooks {
    const handshakeTimeout = this.#handshakeTimeout;
    if (this.listenerCount('OCSPRequest') === 0) return { handshakeTimeout };
    const ocspResponse = (certificate: Buffer, issuer: Buffer | undefined) =>
      new Promise<Buffer | null>((resolve, reject) => {
        this.emit(
          'OCSPRequest',
          certificate,
          issuer ?? null,
          (error: Error | null, response?: Buffer | null) => {
            if (error) reject(error);
            else resolve(response ?? null);
          },
        );
      });
    return { handshakeTimeout, ocspResponse };
  }

  #holdLoop(holds: boolean): this {
    this.#holdsLoop = holds;
    const listener = this.#listening?.listener;
    if (holds) listener?.ref();
    else listener?.unref();
    return this;
  }

  #closed(): void {
    this.#listening = null;
    this.emit('close');
  }

  #failed(error: IoError): void {
    this.#listening = null;
    this.emit('error', listenError(error));
  }
}

/** One spell of listening. */
class Listening {
  listener: TcpListener | undefined;
  #whenClosed: (() => void) | undefined;

  get closing(): boolean {
    return this.#whenClosed !== undefined;
  }

  opened(listener: TcpListener): void {
    this.listener = listener;
    if (this.closing) void this.#close(listener);
  }

  close(whenClosed: () => void): void {
    this.#whenClosed = whenClosed;
    if (this.listener !== undefined) void this.#close(this.listener);
  }

  async #close(listener: TcpListener): Promise<void> {
    await listener.close({ graceMs: Number.POSITIVE_INFINITY });
    process.nextTick(() => this.#whenClosed?.());
  }
}

/** The system's refusal under the name that Node has for it, whichever call it was. */
function listenError(error: IoError): Error {
  if (error.errno === undefined) return error;
  const { code, errno, address, port } = error;
  const message = error.message.replace(/^\w+/, 'listen');
  return new IoError(message, { code, errno, syscall: 'listen', address, port, cause: error });
}

function checkedTicketKeys(keys: unknown): Buffer {
  validateBytes(keys, 'ticketKeys');
  if (keys.byteLength !== ticketKeyBytes) {
    throw invalidArgumentValue('options.ticketKeys', keys.byteLength, 'must be exactly 48 bytes');
  }
  return Buffer.from(keys);
}

/** As `tls.createServer`. */
export function createServer(
  options?: ServerOptions | SecureListener | null,
  listener?: SecureListener,
): Server {
  return new Server(options, listener);
}
