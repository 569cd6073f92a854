import type { RequestListener } from 'node:http';
import { type Layer, validateFunction, validateObject } from '@iocp/core/layer';
import { type ListenOptions, listen as listenTcp } from '@iocp/tcp';
import { type TlsChoice, tlsLayer, validateTls } from '../tls-layer.js';
import { HttpFront } from './http-front.js';
import { carrierLimits } from './medium.js';
import {
  serverSettings,
  type WebSocketServerHandlers,
  type WebSocketServerOptions,
} from './server-options.js';
import { WebSocketServer } from './websocket-server.js';

/** Where to listen, for whom, and how. */
export interface WebSocketListenOptions extends WebSocketServerOptions {
  /** Address to listen on. Default: all, IPv6 and IPv4. */
  readonly host?: string | undefined;
  /** 0 to 65535; 0 (the default) lets the system choose: `server.address()` says which. */
  readonly port?: number | undefined;
  /** Path of a Unix socket, in the place of `host` and `port`. What is served there is `paths`. */
  readonly path?: string | undefined;
  /** The port whose thread serves the connections. Default: the one of this thread, `defaultPort()`. */
  readonly completionPort?: ListenOptions['completionPort'];
  /** More options of `listen` of `@iocp/tcp`. Connections of plain HTTP count in its `connectionsMax`. */
  readonly tcp?:
    | Omit<ListenOptions, 'host' | 'port' | 'path' | 'completionPort' | 'handshakeTimeoutMs'>
    | undefined;
  /** Speaks TLS (`wss:`): options of `tls` of `@iocp/tls`, with a certificate; or a layer. Default: plain text. */
  readonly tls?: TlsChoice | undefined;
  /** For plain HTTP on the same port: what `http.createServer` takes, an Express application too. Default: 426. */
  readonly request?: RequestListener | undefined;
}

/**
 * Listens for WebSockets on an address and port, or on the path of a Unix socket. HTTP is parsed by `node:http`, so that plain
 * requests can be served there as well; once a WebSocket is open, nothing of it is on the way any more.
 *
 * With `handlers` connections are served by them; without, they wait for `accept()`, or for iteration over the server.
 *
 * Rejects as `listen` of `@iocp/tcp` does; with `ERR_WS_NO_TLS` when TLS is asked for and there is no `@iocp/tls`; and with
 * `ERR_MISSING_OPTION` when there is no certificate to show.
 */
export async function listen(
  options: WebSocketListenOptions = {},
  handlers?: WebSocketServerHandlers,
): Promise<WebSocketServer> {
  validateObject(options, 'options');
  const settings = serverSettings(options);
  const { host, port, path, completionPort, tcp = {}, tls, request: onRequest } = options;
  validateObject(tcp, 'options.tcp');
  if (tls !== undefined) validateTls(tls);
  if (onRequest !== undefined) validateFunction(onRequest, 'options.request');
  const server = new WebSocketServer(settings, handlers);
  const { headerBytesMax, handshakeTimeoutMs } = settings.handshake;
  const secure: Layer[] = tls === undefined ? [] : [await servingLayer(tls)];
  const layers = [...(tcp.layers ?? []), ...secure];
  const where = { host, port, path, completionPort, layers, handshakeTimeoutMs };
  const listener = await listenTcp({ ...carrierLimits, ...tcp, ...where });
  const front = new HttpFront({
    headerBytesMax,
    handshakeTimeoutMs,
    onRequest: onRequest as RequestListener | undefined,
    onRefused: (status) => server.refusedWith(status),
  });
  server.setOwnPort({ listener, front });
  server.attachTo(front.server);
  listener.attachTo(front.server);
  return server;
}

/** Says at once, instead of to every client, that there is no certificate. */
async function servingLayer(tls: TlsChoice): Promise<Layer> {
  const layer = await tlsLayer(tls);
  (layer as Layer & { assertServes?(): void }).assertServes?.();
  return layer;
}
