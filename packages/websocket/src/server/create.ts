import {
  serverSettings,
  type WebSocketServerHandlers,
  type WebSocketServerOptions,
} from './server-options.js';
import { WebSocketServer } from './websocket-server.js';

/**
 * A server without a port: for requests to upgrade that come from elsewhere, by `attachTo(httpServer)` (Express, Fastify, or any
 * other use of `http.Server` and `https.Server`) or `handleUpgrade(request, socket, head)`.
 *
 * With `handlers` connections are served by them; without, they wait for `accept()`, or for iteration over the server.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
 */
export function createWebSocketServer(
  options: WebSocketServerOptions = {},
  handlers?: WebSocketServerHandlers,
): WebSocketServer {
  return new WebSocketServer(serverSettings(options), handlers);
}
