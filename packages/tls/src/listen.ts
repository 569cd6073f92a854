import type { Layer } from '@iocp/core/layer';
import type { ListenHandlers, ListenOptions, TcpListener } from '@iocp/tcp';
import { type TlsLayer, tls } from './layer.js';
import type { TlsOptions } from './options/tls-options.js';
import { type TcpModule, transportOf } from './transport.js';

/** Where to listen, and how to speak TLS there. */
export interface TlsListenOptions extends TlsOptions, ListenOptions {
  /** What accepts the connections: `@iocp/tcp`, or a module with the same `listen`. Default: `@iocp/tcp`, loaded when first needed. */
  readonly tcp?: TcpModule | undefined;
}

/** Accepts TLS connections. */
export interface TlsListener extends TcpListener {
  /** For certificates of connections to come: `listener.tls.setSecureContext()`. */
  readonly tls: TlsLayer;
}

/**
 * Listens for TLS connections, over TCP or a Unix socket: `listen` of `@iocp/tcp` with `tls(options)` as its lowest layer.
 *
 * A connection is handed out when its handshake is done. One that fails is told of by the handler `handshakeError` and counted in
 * `stats.handshakesFailed`. At most `handshakesMax` are under way at once, each for `handshakeTimeoutMs` at most. What is
 * known of the TLS of a connection: `tlsOf(connection)`. For HTTPS: `listener.attachTo(httpServer)`.
 *
 * Rejects as `tls` and `listen` of `@iocp/tcp` do; with `ERR_MISSING_OPTION` when there is no certificate to show, and with
 * `ERR_TLS_NO_TRANSPORT` when there is no `@iocp/tcp`.
 */
export async function listen(options: TlsListenOptions, handlers?: ListenHandlers): Promise<TlsListener> {
  const layer = tls(options);
  layer.assertServes();
  const layers = ([layer] as Layer[]).concat(options.layers ?? []);
  const transport = await transportOf(options.tcp);
  const listener = await transport.listen({ ...options, layers }, handlers);
  return Object.assign(listener, { tls: layer });
}
