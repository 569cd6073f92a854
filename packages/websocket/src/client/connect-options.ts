/** Options of `connect` and their checks. */

import type { Duplex } from 'node:stream';
import {
  type Channel,
  validateFunction,
  validateInteger,
  validateObject,
  validateSignal,
} from '@iocp/core/layer';
import type { ConnectOptions as TcpConnectOptions } from '@iocp/tcp';
import {
  type ConnectionSettings,
  connectionSettings,
  type WebSocketOptions,
} from '../connection/settings.js';
import {
  type HeaderFields,
  headerFields,
  originField,
  type RequestHeaders,
} from '../handshake/request-head.js';
import type { ResponseHead } from '../handshake/response-head.js';
import { validateProtocols } from '../handshake/subprotocols.js';
import { type TlsChoice, validateTls } from '../tls-layer.js';
import type { Target } from './target.js';

/** What carries the bytes instead of a TCP connection, or makes it. */
export type SuppliedChannel =
  | Channel
  | Duplex
  | ((
      target: Target,
      options: { readonly signal: AbortSignal },
    ) => Channel | Duplex | Promise<Channel | Duplex>);

/** How to open a WebSocket. */
export interface ConnectOptions extends WebSocketOptions {
  /** Subprotocols, the preferred one first; a server that chooses none of them is refused. Default none. */
  readonly protocols?: string | readonly string[] | undefined;
  /** Further header fields of the request, such as `Authorization` or `Cookie`. Default none. */
  readonly headers?: RequestHeaders | undefined;
  /** The field Origin, for servers that check it. Default none. */
  readonly origin?: string | undefined;
  /**
   * How many redirects are followed. Default 0: none, the answer is a refusal. They never lead from TLS to plain text, nor to a
   * Unix socket; to another origin they go without user and password, `Authorization`, `Cookie` and `Host`.
   */
  readonly redirectsMax?: number | undefined;
  /**
   * Time until the WebSocket is open, in milliseconds: lookup, connection, TLS, redirects and the server's answer together.
   * Then everything is closed, with `ERR_CHANNEL_HANDSHAKE_TIMEOUT`. Default 10000.
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * A channel or stream to take instead of dialling, or what makes one, for each redirect anew: a proxy's tunnel, say. It
   * belongs to the WebSocket from then on. For `wss:` TLS is put on top; where it is secure already, give a `ws:` URL.
   */
  readonly channel?: SuppliedChannel | undefined;
  /** Options of `connect` of `@iocp/tcp`. */
  readonly tcp?: Omit<TcpConnectOptions, 'host' | 'port' | 'path' | 'signal'> | undefined;
  /**
   * For `wss:`, options of `tls` of `@iocp/tls`; or a layer, made once for many connections, and then `@iocp/tls` is not loaded
   * from here.
   */
  readonly tls?: TlsChoice | undefined;
  /** Cancels: everything is closed, then the promise rejects with `signal.reason`. No effect once the WebSocket is open. */
  readonly signal?: AbortSignal | undefined;
  /** Told what the server has answered, before the connection is handed out: its cookies, say. */
  readonly onUpgrade?: ((response: ResponseHead) => void) | undefined;
}

/** Checked options with the defaults filled in. */
export interface ConnectSettings {
  readonly connection: ConnectionSettings;
  readonly protocols: readonly string[];
  readonly headers: HeaderFields;
  readonly redirectsMax: number;
  readonly handshakeTimeoutMs: number;
  readonly channel: SuppliedChannel | undefined;
  readonly tcp: TcpConnectOptions;
  readonly tls: TlsChoice;
  readonly signal: AbortSignal | undefined;
  readonly onUpgrade: ((response: ResponseHead) => void) | undefined;
}

const durationMsMax = 2 ** 31 - 1;

/** Checks everything `connect` was given. */
export function connectSettings(options: ConnectOptions): ConnectSettings {
  validateObject(options, 'options');
  const { redirectsMax = 0, handshakeTimeoutMs = 10_000, channel, tcp = {}, tls = {} } = options;
  const { signal, origin, onUpgrade } = options;
  validateInteger(redirectsMax, 'options.redirectsMax', 0, 100);
  validateInteger(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, durationMsMax);
  if (channel !== undefined && typeof channel !== 'function') validateObject(channel, 'options.channel');
  validateObject(tcp, 'options.tcp');
  validateTls(tls);
  if (signal !== undefined) validateSignal(signal, 'options.signal');
  if (onUpgrade !== undefined) validateFunction(onUpgrade, 'options.onUpgrade');
  return {
    connection: connectionSettings(options, 'client'),
    protocols: subprotocols(options.protocols),
    headers: [...originField(origin, 'options.origin'), ...headerFields(options.headers, 'options.headers')],
    redirectsMax,
    handshakeTimeoutMs,
    channel,
    tcp,
    tls,
    signal,
    onUpgrade,
  };
}

function subprotocols(given: string | readonly string[] | undefined): readonly string[] {
  if (given === undefined) return [];
  const list = typeof given === 'string' ? [given] : given;
  validateProtocols(list);
  return [...list];
}
