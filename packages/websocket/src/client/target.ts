/** What a URL says about where a WebSocket is, and how to ask for it. */

import { invalidArgumentType, invalidArgumentValue } from '@iocp/core/layer';

/** Where a WebSocket is. */
export interface Target {
  /** Over TLS. */
  readonly secure: boolean;
  /** A name or an address. For a Unix socket `'localhost'`. */
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket, which is dialled instead of host and port. */
  readonly socketPath: string | undefined;
  /** Path and query of the request. */
  readonly path: string;
  /** As the field Host names it: with the port, unless it is the default one. */
  readonly authority: string;
  /** User and password of the URL, as the field Authorization has them (RFC 7617). */
  readonly authorization: string | undefined;
  /** As a `ws:` or `wss:` URL, without user, password and the path of a Unix socket. */
  readonly url: URL;
}

const secureOf: Readonly<Record<string, boolean>> = {
  'ws:': false,
  'wss:': true,
  'http:': false,
  'https:': true,
  'ws+unix:': false,
  'wss+unix:': true,
};

/**
 * Reads a URL: `ws:` and `wss:`; `http:` and `https:`, which mean the same; and `ws+unix:/path/to.sock:/path?query` and
 * `wss+unix:` for Unix sockets, whose path may have escapes (`%20`).
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_URL`, `ERR_INVALID_ARG_VALUE`
 */
export function targetOf(given: string | URL, name = 'url'): Target {
  const url = parsed(given, name);
  const secure = secureOf[url.protocol];
  if (secure === undefined) {
    throw invalidArgumentValue(
      name,
      url.href,
      'must begin with ws:, wss:, http:, https:, ws+unix: or wss+unix:',
    );
  }
  if (url.hash !== '' || url.href.endsWith('#'))
    throw invalidArgumentValue(name, url.href, 'must have no fragment (#…): servers do not get it');
  return url.protocol.endsWith('+unix:') ? unixTarget(url, secure, name) : hostTarget(url, secure, undefined);
}

/**
 * Where a redirect leads. A server may not lead to a Unix socket, nor from TLS to plain text.
 * @throws an Error that says why it is not followed
 */
export function redirectedTarget(from: Target, location: string): Target {
  let url: URL;
  try {
    url = new URL(location, from.url);
  } catch (cause) {
    throw new Error(`it leads to "${location}", which is no URL`, { cause });
  }
  const secure = url.protocol.endsWith('+unix:') ? undefined : secureOf[url.protocol];
  if (secure === undefined) throw new Error(`it leads to ${url.protocol}, which is followed by nobody`);
  if (from.secure && !secure) throw new Error('it leads from TLS to plain text');
  const there = hostTarget(url, secure, undefined);
  const { socketPath, authorization } = sameOrigin(from, there) ? from : nothingKept;
  return { ...there, socketPath, authorization };
}

const nothingKept = { socketPath: undefined, authorization: undefined };

/** Whether what was meant for one may be told to the other. */
export function sameOrigin(one: Target, other: Target): boolean {
  return one.url.origin === other.url.origin;
}

function parsed(given: string | URL, name: string): URL {
  if (typeof given !== 'string' && !(given instanceof URL)) {
    throw invalidArgumentType(name, 'of type string or an instance of URL', given);
  }
  return new URL(given);
}

function unixTarget(url: URL, secure: boolean, name: string): Target {
  const colon = url.pathname.indexOf(':');
  const encoded = colon < 0 ? url.pathname : url.pathname.slice(0, colon);
  const path = colon < 0 ? '/' : url.pathname.slice(colon + 1);
  if (encoded === '' || !path.startsWith('/')) {
    throw invalidArgumentValue(name, url.href, 'must be like ws+unix:/path/to.sock:/path?query');
  }
  let socketPath: string;
  try {
    socketPath = decodeURIComponent(encoded);
  } catch {
    throw invalidArgumentValue(name, url.href, 'has a path with an escape that means nothing');
  }
  return hostTarget(new URL(`ws://localhost${path}${url.search}`), secure, socketPath);
}

function hostTarget(given: URL, secure: boolean, socketPath: string | undefined): Target {
  const { username, password } = given;
  // The same scheme for both ways to write it, so that default ports and origins are those of WebSockets.
  const url = new URL(`${secure ? 'wss' : 'ws'}://${given.host}${given.pathname}${given.search}`);
  const bare = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return {
    secure,
    host: bare,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    socketPath,
    path: `${url.pathname}${url.search}`,
    authority: url.host,
    authorization: username === '' && password === '' ? undefined : basic(username, password),
    url,
  };
}

function basic(username: string, password: string): string {
  const credentials = `${decoded(username)}:${decoded(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
