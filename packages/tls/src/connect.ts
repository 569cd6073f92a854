import { type Layer, validateObject } from '@iocp/core/layer';
import type { ConnectOptions, TcpConnection, TcpHandlers } from '@iocp/tcp';
import { tls } from './layer.js';
import type { TlsOptions } from './options/tls-options.js';
import { type TcpModule, transportOf } from './transport.js';

/** Where to connect, and how to speak TLS with whom is there. */
export interface TlsConnectOptions extends TlsOptions, ConnectOptions {
  /** What connects: `@iocp/tcp`, or a module with the same `connect`. Default: `@iocp/tcp`, loaded when first needed. */
  readonly tcp?: TcpModule | undefined;
}

/**
 * Connects by TLS, over TCP or a Unix socket: `connect` of `@iocp/tcp` with `tls(options)` as its lowest layer. Resolves when the
 * handshake is done and the server has shown a certificate for `servername`, which is the host unless it is given; an address is
 * looked for in the certificate, but not asked for. A `path` needs a `servername`.
 *
 * Rejects as `tls`, `TlsLayer.wrap` and `connect` of `@iocp/tcp` do, and with `ERR_TLS_NO_TRANSPORT` when there is no
 * `@iocp/tcp`. Whatever it rejects with, nothing is left open.
 */
export async function connect(options: TlsConnectOptions, handlers?: TcpHandlers): Promise<TcpConnection> {
  validateObject(options, 'options');
  const layer = tls(options);
  const { path, host = path === undefined ? 'localhost' : undefined, layers = [] } = options;
  const toHost: Layer = {
    name: layer.name,
    wrap: (lower, role, wrapOptions) => layer.wrap(lower, role, { ...wrapOptions, host }),
  };
  const transport = await transportOf(options.tcp);
  return transport.connect({ ...options, layers: [toHost].concat(layers) }, handlers);
}
