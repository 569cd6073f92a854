import { type Channel, throwLater } from '@iocp/core/layer';
import { handlersFace, type WebSocketHandlers } from '../connection/handlers-face.js';
import { openConnection, type WebSocketConnection } from '../connection/websocket-connection.js';
import { ClientHandshake } from '../handshake/client-handshake.js';
import { handshakeFailed } from '../handshake/handshake-error.js';
import { type HeaderFields, hasField } from '../handshake/request-head.js';
import type { ResponseHead } from '../handshake/response-head.js';
import { type ConnectOptions, type ConnectSettings, connectSettings } from './connect-options.js';
import { withinTime } from './deadline.js';
import { dial } from './dial.js';
import { type Opened, shakeHands } from './shake-hands.js';
import { redirectedTarget, sameOrigin, type Target, targetOf } from './target.js';

/**
 * Opens a WebSocket.
 *
 * @param url `ws:` or `wss:`, or `http:` or `https:`, which mean the same; `ws+unix:/path/to.sock:/path?query` and `wss+unix:`
 * for a Unix socket. A user and a password in it are sent (RFC 7617)
 * @param handlers serve the connection, `open` first; without them, use any face of `WebSocketConnection`: until then nothing is
 * read. They run in the async context (`AsyncLocalStorage`) of this call
 *
 * Rejects, with nothing left open: with Node's codes for arguments that make no sense, before anything else is done; as
 * `connect` of `@iocp/tcp` and, for `wss:`, TLS do; with `ERR_WS_NO_TLS` when there is no `@iocp/tls`; with a `HandshakeError`,
 * `ERR_WS_HANDSHAKE`, when the server refuses (`statusCode`, `headers` and `body` tell) or does not know how to answer; with
 * `ERR_CHANNEL_HANDSHAKE_TIMEOUT`; and with `signal.reason`.
 */
export async function connect(
  url: string | URL,
  options: ConnectOptions = {},
  handlers?: WebSocketHandlers,
): Promise<WebSocketConnection> {
  const target = targetOf(url);
  const settings = connectSettings(options);
  if (handlers !== undefined) handlersFace(handlers, settings.connection.lend);
  const connection = await establish(target, settings);
  if (handlers !== undefined) serve(connection, handlers);
  return connection;
}

/** For checked arguments. */
export async function establish(target: Target, settings: ConnectSettings): Promise<WebSocketConnection> {
  const { handshakeTimeoutMs, signal, onUpgrade } = settings;
  const reached = await withinTime(handshakeTimeoutMs, signal, (either) => reach(target, settings, either));
  const { upgraded, head, lower, path } = reached;
  try {
    onUpgrade?.(upgraded.response);
  } catch (error) {
    lower.abort();
    throw error;
  }
  return openConnection({
    role: 'client',
    lower,
    head,
    protocol: upgraded.protocol,
    extensions: upgraded.extensions,
    deflate: upgraded.deflate,
    path,
    settings: settings.connection,
    topics: null,
  });
}

interface Reached extends Opened {
  readonly lower: Channel;
  readonly path: string;
}

/** Follows redirects to where a WebSocket opens. */
async function reach(first: Target, settings: ConnectSettings, signal: AbortSignal): Promise<Reached> {
  const { redirectsMax, channel, protocols, connection } = settings;
  // A channel that was given goes to one place only.
  const followed = channel === undefined || typeof channel === 'function' ? redirectsMax : 0;
  let target = first;
  let { headers } = settings;
  for (let count = 0; ; count++) {
    const handshake = new ClientHandshake({
      host: target.authority,
      target: target.path,
      headers: withAuthorization(headers, target.authorization),
      protocols,
      protocolRequired: true,
      deflate: connection.deflate,
      followsRedirects: count < followed,
    });
    const lower = await dial(target, settings, signal);
    const outcome = await shakeHands(lower, handshake, signal);
    if (!('kind' in outcome)) return { ...outcome, lower, path: target.path };
    const next = follow(target, outcome.location, outcome.response);
    if (!sameOrigin(target, next)) headers = headers.filter(([name]) => !secrets.has(name.toLowerCase()));
    target = next;
  }
}

/** What another origin does not get to see. */
const secrets = new Set(['authorization', 'cookie', 'host']);

function withAuthorization(headers: HeaderFields, authorization: string | undefined): HeaderFields {
  if (authorization === undefined || hasField(headers, 'authorization')) return headers;
  return [...headers, ['Authorization', authorization]];
}

function follow(target: Target, location: string, response: ResponseHead): Target {
  try {
    return redirectedTarget(target, location);
  } catch (error) {
    const reason = (error as Error).message;
    throw handshakeFailed(`The server's redirect is not followed: ${reason}`, response, error);
  }
}

/** What `open` throws is the application's, as what `message` throws is: it does not make the connection a failed one. */
export function serve(connection: WebSocketConnection, handlers: WebSocketHandlers): void {
  try {
    connection.handle(handlers);
  } catch (error) {
    throwLater(error);
  }
}
