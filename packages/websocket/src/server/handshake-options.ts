/** Options of every handshake of a server, and their checks. */

import type { IncomingMessage } from 'node:http';
import {
  invalidArgumentType,
  invalidArgumentValue,
  validateFunction,
  validateInteger,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import {
  type ConnectionSettings,
  connectionSettings,
  type WebSocketOptions,
} from '../connection/settings.js';
import { type HeaderFields, headerFields, type RequestHeaders } from '../handshake/request-head.js';
import { validateProtocols } from '../handshake/subprotocols.js';

/** A path as it is asked for, without the query; or what says of one whether it is served. */
export type PathFilter = string | RegExp | ((path: string, request: IncomingMessage) => boolean);

/** Refuses. With 401 comes `WWW-Authenticate` in `headers`, with 3xx `Location`. */
export interface VerifyRefusal {
  /** 300 to 599. */
  readonly status: number;
  readonly headers?: RequestHeaders | undefined;
  /** Default empty. */
  readonly body?: string | Uint8Array | undefined;
}

/** Accepts. */
export interface VerifyAcceptance {
  readonly status?: undefined;
  /** Becomes `data` of the connection. */
  readonly data?: unknown;
  /** Header fields of the 101 response, besides those of the option `headers`: cookies, say. */
  readonly headers?: RequestHeaders | undefined;
}

/** What `verify` says: `false` is 403. */
export type Verdict = boolean | VerifyRefusal | VerifyAcceptance;

export interface VerifyContext {
  /** Fires when the client has left, or when `handshakeTimeoutMs` is over: nobody needs the verdict any more. */
  readonly signal: AbortSignal;
}

/** How a server takes requests for a WebSocket. */
export interface HandshakeOptions extends WebSocketOptions {
  /**
   * What is served: a path without query such as `'/chat'`, a regular expression, a function, or several of them. Others get
   * 404. Default: every path.
   */
  readonly paths?: PathFilter | readonly PathFilter[] | undefined;
  /** Subprotocols spoken here, best first. The first that the client offers, too, is chosen. Default none. */
  readonly protocols?: readonly string[] | undefined;
  /** Chooses one of the subprotocols offered, in the place of `protocols`; undefined: none, which clients may not like. */
  readonly selectProtocol?:
    | ((offered: readonly string[], request: IncomingMessage) => string | undefined)
    | undefined;
  /**
   * Which web pages may connect; others get 403. Browsers send cookies with requests of any page: **a server that knows its users by
   * cookies must set this**, or any page can act for them (cross-site WebSocket hijacking, RFC 6455 section 10.2). `'same-host'`: pages
   * of the host that is asked; a list: origins such as `'https://example.com'`; or a function. Requests without `Origin` are not of
   * browsers: a list and `'same-host'` let them pass, a function gets undefined. Default: all.
   */
  readonly origins?:
    | 'same-host'
    | readonly string[]
    | ((origin: string | undefined, request: IncomingMessage) => boolean)
    | undefined;
  /**
   * Has the last word before the upgrade. What it throws, or says too late, refuses with 500 or 503. Default: accepts.
   * Anything but `true` and the objects described refuses with 403. `request.socket` tells addresses and certificates; its stream
   * may be destroyed by then, as the WebSocket needs none.
   */
  readonly verify?:
    | ((request: IncomingMessage, context: VerifyContext) => Verdict | Promise<Verdict>)
    | undefined;
  /** Header fields of the 101 response, or what makes them. Default none. */
  readonly headers?: RequestHeaders | ((request: IncomingMessage) => RequestHeaders) | undefined;
  /**
   * Time for a request to come, and again for `verify` to decide, in milliseconds; then the client gets 408 or 503. TLS has the
   * same time before. Default 10000.
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Longest head of a request, in bytes; longer ones get 431. Default 16384. */
  readonly headerBytesMax?: number | undefined;
}

/** Checked options with the defaults filled in. One object serves any number of handshakes. */
export interface HandshakeSettings {
  readonly connection: ConnectionSettings;
  readonly servesPath: (path: string, request: IncomingMessage) => boolean;
  readonly selectProtocol: (offered: readonly string[], request: IncomingMessage) => string | undefined;
  readonly allowsOrigin: (origin: string | undefined, request: IncomingMessage) => boolean;
  readonly verify: HandshakeOptions['verify'];
  readonly headersFor: (request: IncomingMessage) => HeaderFields;
  readonly handshakeTimeoutMs: number;
  readonly headerBytesMax: number;
}

export const durationMsMax = 2 ** 31 - 1;

/** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`. */
export function handshakeSettings(options: HandshakeOptions): HandshakeSettings {
  validateObject(options, 'options');
  const { verify, handshakeTimeoutMs = 10_000, headerBytesMax = 16 * 1024 } = options;
  if (verify !== undefined) validateFunction(verify, 'options.verify');
  validateInteger(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, durationMsMax);
  validateInteger(headerBytesMax, 'options.headerBytesMax', 256, durationMsMax);
  return {
    connection: connectionSettings(options, 'server'),
    servesPath: pathFilter(options.paths, 'options.paths'),
    selectProtocol: protocolChoice(options),
    allowsOrigin: originFilter(options.origins),
    verify,
    headersFor: headersOf(options.headers),
    handshakeTimeoutMs,
    headerBytesMax,
  };
}

type PathPredicate = HandshakeSettings['servesPath'];

/** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`. */
export function pathFilter(paths: HandshakeOptions['paths'], name: string): PathPredicate {
  if (paths === undefined) return () => true;
  const list = (Array.isArray(paths) ? paths : [paths]) as readonly PathFilter[];
  const predicates = list.map((filter) => onePath(filter, name));
  return (path, request) => predicates.some((serves) => serves(path, request));
}

function onePath(filter: PathFilter, name: string): PathPredicate {
  if (typeof filter === 'function') return filter;
  // Unlike test(), search() does not go on where the last one ended.
  if (filter instanceof RegExp) return (path) => path.search(filter) >= 0;
  if (typeof filter !== 'string')
    throw invalidArgumentType(name, 'a string, RegExp, function, or an Array of them', filter);
  if (!/^\/[^?#]*$/.test(filter))
    throw invalidArgumentValue(name, filter, 'must begin with / and have no query');
  return (path) => path === filter;
}

function protocolChoice({
  protocols,
  selectProtocol,
}: HandshakeOptions): HandshakeSettings['selectProtocol'] {
  if (selectProtocol !== undefined) {
    validateFunction(selectProtocol, 'options.selectProtocol');
    if (protocols !== undefined) {
      throw invalidArgumentValue('options.protocols', protocols, 'excludes options.selectProtocol');
    }
    return selectProtocol as HandshakeSettings['selectProtocol'];
  }
  if (protocols === undefined) return () => undefined;
  validateProtocols(protocols);
  const ours = [...protocols];
  return (offered) => ours.find((protocol) => offered.includes(protocol));
}

function originFilter(origins: HandshakeOptions['origins']): HandshakeSettings['allowsOrigin'] {
  if (origins === undefined) return () => true;
  if (origins === 'same-host') return isSameHost;
  if (typeof origins === 'function') return origins;
  if (!Array.isArray(origins)) {
    throw invalidArgumentType('options.origins', "'same-host', an Array or a function", origins);
  }
  const allowed = new Set<string>();
  for (const [index, origin] of origins.entries()) {
    const name = `options.origins[${index}]`;
    validateString(origin, name);
    if (!/^([a-z][a-z0-9+.-]*:\/\/[^/?#\s]+|null)$/i.test(origin)) {
      throw invalidArgumentValue(
        name,
        origin,
        "must be an origin such as 'https://example.com', without a path",
      );
    }
    allowed.add(origin.toLowerCase());
  }
  return (origin) => origin === undefined || allowed.has(origin.toLowerCase());
}

function isSameHost(origin: string | undefined, { headers }: IncomingMessage): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  const asked = `${protocol}//${headers.host}`;
  return host !== '' && URL.canParse(asked) && new URL(asked).host === host;
}

function headersOf(headers: HandshakeOptions['headers']): HandshakeSettings['headersFor'] {
  if (typeof headers === 'function') {
    return (request) => headerFields(headers(request), 'what options.headers gives');
  }
  const fields = headerFields(headers, 'options.headers');
  return () => fields;
}
