import type { SocketOptionName, SocketOptions } from '@iocp/core';
import {
  asError,
  type Channel,
  ChannelError,
  Connection,
  type ConnectionOptions,
  type Handlers,
  validateBoolean,
  validateFunction,
  validateInteger,
} from '@iocp/core/layer';
import {
  durationMsMax,
  type KeepAliveOptions,
  keepAliveOptions,
  type TcpConnectionSettings,
} from './connection-options.js';
import { type IdleWatch, type Watched, watchIdle } from './idle-timeout.js';
import type { TcpChannel } from './tcp-channel.js';

/** Handlers of TCP connections: those of every connection, and `idle`. One object serves any number of connections. */
export interface TcpHandlers<T extends TcpConnection = TcpConnection> extends Handlers<T> {
  /** Nothing was sent or received for `idleMs`; again after the same time of silence. Without it the connection is aborted. */
  idle?(connection: T): void;
}

/**
 * A TCP or Unix stream connection. What it can do besides is in `Connection`: handlers, promises and iteration, Node and
 * web streams, `write`, `end`, `close`, and `abort()`, which resets the peer (RST) as `resetAndDestroy` of `net.Socket`
 * does. On a Unix socket there is no reset: after `abort()` the peer sees the end, or ECONNRESET when we had not read
 * everything.
 */
export class TcpConnection extends Connection<Channel> implements Watched {
  /** The channel of the socket itself. With layers, `channel` is the topmost one and this the lowest. */
  readonly tcp: TcpChannel;
  #idleWatch: IdleWatch | null = null;
  #idleMs = 0;
  /** As far as the idle timeout knows. */
  #acknowledgedBytes = 0;
  #idleHandlers: TcpHandlers<this> | null = null;

  /** For `listen` and `connect`. */
  constructor(channel: Channel, tcp: TcpChannel, settings: TcpConnectionSettings) {
    super(channel, settings.faces);
    this.tcp = tcp;
    if (settings.idleMs > 0) this.setIdleTimeout(settings.idleMs);
  }

  override handle(handlers: TcpHandlers<this>, options?: Pick<ConnectionOptions, 'lend'>): void {
    if (handlers?.idle !== undefined) {
      validateFunction(handlers.idle, 'handlers.idle');
      this.#idleHandlers = handlers;
    }
    super.handle(handlers, options);
  }

  get localAddress(): string | undefined {
    return this.info.localAddress;
  }

  get localPort(): number | undefined {
    return this.info.localPort;
  }

  get remoteAddress(): string | undefined {
    return this.info.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.info.remotePort;
  }

  /** `'IPv4'`, `'IPv6'` or `'unix'`. */
  get family(): string | undefined {
    return this.info.family;
  }

  /**
   * Sends small segments at once (`TCP_NODELAY`), which is the default. No effect on Unix sockets.
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED`
   */
  setNoDelay(enable = true): this {
    validateBoolean(enable, 'enable');
    this.#requireOpen();
    this.tcp.setNoDelay(enable);
    return this;
  }

  /**
   * Probes the silent connection (`SO_KEEPALIVE`); see `KeepAliveOptions` for the times. No effect on Unix sockets.
   * @param options `true` takes the system's times, `false` stops
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED`
   */
  setKeepAlive(options: boolean | KeepAliveOptions = true): this {
    return this.#setAll(keepAliveOptions(options, 'options'));
  }

  /**
   * How long sent bytes may stay unacknowledged before the connection fails with ETIMEDOUT (`TCP_USER_TIMEOUT`, tcp(7)).
   * No effect on Unix sockets.
   * @param timeoutMs milliseconds; 0 restores the system's limit
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED`
   */
  setUserTimeout(timeoutMs: number): this {
    validateInteger(timeoutMs, 'timeoutMs', 0, durationMsMax);
    return this.#setAll({ userTimeout: timeoutMs });
  }

  /**
   * Calls the handler `idle`, or else aborts with `ERR_CHANNEL_IDLE`, after this time without traffic. A send that makes
   * progress is traffic. Coarse: up to a quarter of the time later.
   * @param idleMs milliseconds; 0 switches it off
   */
  setIdleTimeout(idleMs: number): this {
    validateInteger(idleMs, 'idleMs', 0, durationMsMax);
    this.#idleWatch?.stop();
    this.#idleMs = idleMs;
    this.#idleWatch = idleMs === 0 ? null : watchIdle(this, idleMs);
    return this;
  }

  /** The value of a socket option now. @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`. */
  getOption<Name extends SocketOptionName>(name: Name): NonNullable<SocketOptions[Name]> {
    this.#requireOpen();
    return this.tcp.socket.getOption(name);
  }

  /** Sets a socket option. @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`. */
  setOption<Name extends SocketOptionName>(name: Name, value: NonNullable<SocketOptions[Name]>): this {
    this.#requireOpen();
    this.tcp.socket.setOption(name, value);
    return this;
  }

  /**
   * What the system knows about the connection: round trip time, retransmissions, congestion window. The names carry the
   * units and mean the same everywhere, but not every system has all of them. Linux: `TCP_INFO` of tcp(7). Windows 10 1703
   * and newer: `SIO_TCP_INFO`. Fails with `EOPNOTSUPP` elsewhere and on Unix sockets.
   * @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`
   */
  tcpInfo(): Readonly<Record<string, number>> {
    this.#requireOpen();
    return this.tcp.socket.tcpInfo();
  }

  /** The connection keeps the process alive (the default). */
  ref(): this {
    this.tcp.ref();
    return this;
  }

  /** The process may end while the connection is open. */
  unref(): this {
    this.tcp.unref();
    return this;
  }

  /** For the idle timeout. What the peer has acknowledged counts: a large write moves for long after it was made. */
  traffic(): number {
    const { tcp } = this;
    const counted = tcp.bytesRead + tcp.bytesWritten;
    if (tcp.closed || tcp.unix) return counted;
    if (tcp.sending || this.#acknowledgedBytes < tcp.bytesWritten) {
      this.#acknowledgedBytes = acknowledgedBytes(tcp);
    }
    return counted + this.#acknowledgedBytes;
  }

  /** For the idle timeout. */
  onIdle(): void {
    const context = this.tcp.asyncResource;
    if (context === null) this.#reportIdle();
    else context.runInAsyncScope(this.#reportIdle, this);
  }

  #reportIdle(): void {
    const handlers = this.#idleHandlers;
    if (handlers === null) {
      this.abort(new ChannelError('ERR_CHANNEL_IDLE', `Nothing was sent or received for ${this.#idleMs} ms`));
      return;
    }
    try {
      handlers.idle?.(this);
    } catch (thrown) {
      if (handlers.error === undefined) throw thrown;
      this.abort(asError(thrown));
    }
  }

  #setAll(options: SocketOptions): this {
    this.#requireOpen();
    this.tcp.setOptions(options);
    return this;
  }

  #requireOpen(): void {
    if (this.tcp.closed)
      throw new ChannelError('ERR_CHANNEL_CLOSED', 'The connection has closed: its socket is gone');
  }
}

/** How much the peer has acknowledged; 0 where the system does not tell. */
function acknowledgedBytes(tcp: TcpChannel): number {
  try {
    const info = tcp.socket.tcpInfo();
    return info.acknowledgedBytes ?? (info.sentBytes ?? 0) - (info.inFlightBytes ?? 0);
  } catch {
    // Whatever is wrong with the socket is told to those who use it, not to a timer.
    return 0;
  }
}
