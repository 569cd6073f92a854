/** Options of every connection, accepted or dialled, and their checks. */

import { type CompletionPort, defaultPort, type SocketOptions, validateSocketOptions } from '@iocp/core';
import {
  type ChannelLimits,
  type ChannelOptions,
  type ConnectionOptions,
  type ConnectionSettings,
  channelLimits,
  connectionSettings,
  invalidArgumentType,
  validateBoolean,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';

/** Probes of a silent connection (`SO_KEEPALIVE`, tcp(7)). What is left out keeps the system's value. */
export interface KeepAliveOptions {
  /**
   * Silence before the first probe, in milliseconds: 1000 to 32767000, rounded up to whole seconds.
   * The system's value on Linux is 7200000 (two hours).
   */
  readonly idleMs?: number | undefined;
  /** Time between probes, in milliseconds: 1000 to 32767000, rounded up to whole seconds. Linux: 75000. */
  readonly intervalMs?: number | undefined;
  /** Unanswered probes after which the connection fails with `ETIMEDOUT`: 1 to 127. Linux: 9. */
  readonly count?: number | undefined;
}

/** What `listen` and `connect` know about each connection. */
export interface TcpConnectionOptions extends ChannelOptions, ConnectionOptions {
  /** Sends small segments at once instead of waiting for more (`TCP_NODELAY`). Default true. No effect on Unix sockets. */
  readonly noDelay?: boolean | undefined;
  /** Probes silent connections. `true` takes the system's times. Default false. No effect on Unix sockets. */
  readonly keepAlive?: boolean | KeepAliveOptions | undefined;
  /**
   * How long sent bytes may stay unacknowledged before the connection fails with `ETIMEDOUT`, in milliseconds
   * (`TCP_USER_TIMEOUT`, tcp(7), RFC 5482). Default 0: the system's retransmission limit, many minutes.
   */
  readonly userTimeoutMs?: number | undefined;
  /** Size of the system's receive buffer (`SO_RCVBUF`), in bytes. Default: the system's, which grows by itself. */
  readonly receiveBufferBytes?: number | undefined;
  /** Size of the system's send buffer (`SO_SNDBUF`), in bytes. Default: the system's, which grows by itself. */
  readonly sendBufferBytes?: number | undefined;
  /** More socket options by name, set before `bind` or `connect`; those above win. Default none. */
  readonly socketOptions?: SocketOptions | undefined;
  /**
   * Aborts the connection with `ERR_CHANNEL_IDLE` when nothing was sent or received for this many milliseconds, or calls
   * the handler `idle` when there is one. Coarse: up to a quarter later. What the peer acknowledges of a long write counts;
   * where the system does not tell (the backend `node`), a write counts when it is through. Default 0: never.
   */
  readonly idleMs?: number | undefined;
  /**
   * Receive slots of the pool that the connection's data may hold at once: data not delivered yet, leased, or passed on
   * and not sent. At that many it stops receiving, and the peer feels it. 1 to 4096, default 16.
   */
  readonly slotsMax?: number | undefined;
  /** The port whose thread serves the connection. Default: the one of this thread, `defaultPort()`. */
  readonly completionPort?: CompletionPort | undefined;
}

/** Checked options with the defaults filled in; one object serves all connections of a listener. */
export interface TcpConnectionSettings {
  readonly port: CompletionPort;
  readonly limits: ChannelLimits;
  readonly faces: ConnectionSettings;
  readonly slotsMax: number;
  readonly unix: boolean;
  readonly idleMs: number;
  /** Set on the socket: before `bind` of a listener, whose connections inherit them, or before `connect`. */
  readonly socketOptions: SocketOptions;
}

export const durationMsMax = 2 ** 31 - 1;
const keepAliveMsMax = 32_767_000;

/**
 * Checks the options of a connection.
 * @param unix leaves out what only TCP has
 */
export function tcpConnectionSettings(options: TcpConnectionOptions, unix: boolean): TcpConnectionSettings {
  const { idleMs = 0, slotsMax = 16 } = options;
  validateInteger(idleMs, 'options.idleMs', 0, durationMsMax);
  validateInteger(slotsMax, 'options.slotsMax', 1, 4096);
  return {
    limits: channelLimits(options),
    faces: connectionSettings(options),
    slotsMax,
    unix,
    idleMs,
    socketOptions: nativeOptions(options, unix),
    port: chosenPort(options.completionPort),
  };
}

/** Checks keep-alive options and gives them as socket options; `name` is how the caller knows them. */
export function keepAliveOptions(keepAlive: unknown, name: string): SocketOptions {
  if (typeof keepAlive === 'boolean') return { keepAlive };
  if (typeof keepAlive !== 'object') throw invalidArgumentType(name, 'of type boolean or object', keepAlive);
  validateObject(keepAlive, name);
  const { idleMs, intervalMs, count } = keepAlive as KeepAliveOptions;
  if (idleMs !== undefined) validateInteger(idleMs, `${name}.idleMs`, 1000, keepAliveMsMax);
  if (intervalMs !== undefined) validateInteger(intervalMs, `${name}.intervalMs`, 1000, keepAliveMsMax);
  if (count !== undefined) validateInteger(count, `${name}.count`, 1, 127);
  return {
    keepAlive: true,
    ...(idleMs !== undefined && { keepAliveIdle: Math.ceil(idleMs / 1000) }),
    ...(intervalMs !== undefined && { keepAliveInterval: Math.ceil(intervalMs / 1000) }),
    ...(count !== undefined && { keepAliveCount: count }),
  };
}

function nativeOptions(options: TcpConnectionOptions, unix: boolean): SocketOptions {
  const { noDelay = true, keepAlive = false, userTimeoutMs = 0 } = options;
  const { receiveBufferBytes, sendBufferBytes, socketOptions = {} } = options;
  validateBoolean(noDelay, 'options.noDelay');
  const probes = keepAliveOptions(keepAlive, 'options.keepAlive');
  validateInteger(userTimeoutMs, 'options.userTimeoutMs', 0, durationMsMax);
  if (receiveBufferBytes !== undefined)
    validateInteger(receiveBufferBytes, 'options.receiveBufferBytes', 1, durationMsMax);
  if (sendBufferBytes !== undefined)
    validateInteger(sendBufferBytes, 'options.sendBufferBytes', 1, durationMsMax);
  validateSocketOptions(socketOptions, 'options.socketOptions');
  return {
    ...socketOptions,
    ...(receiveBufferBytes !== undefined && { receiveBuffer: receiveBufferBytes }),
    ...(sendBufferBytes !== undefined && { sendBuffer: sendBufferBytes }),
    ...(!unix && { noDelay }),
    ...(!unix && keepAlive !== false && probes),
    ...(!unix && userTimeoutMs > 0 && { userTimeout: userTimeoutMs }),
  };
}

function chosenPort(port: CompletionPort | undefined): CompletionPort {
  if (port === undefined) return defaultPort();
  // Not instanceof: the port may come from the other module format of the package.
  if (typeof port !== 'object' || port === null || typeof port.submitRecv !== 'function') {
    throw invalidArgumentType('options.completionPort', 'an instance of CompletionPort', port);
  }
  return port;
}
