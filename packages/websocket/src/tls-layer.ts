/** TLS below a WebSocket: `@iocp/tls`, which need not be installed. */

import { type Layer, validateObject } from '@iocp/core/layer';
import type { TlsOptions } from '@iocp/tls';
import { webSocketError } from './errors.js';

/** Options of `tls` of `@iocp/tls`, or a layer, made once for many connections; then `@iocp/tls` is not loaded from here. */
export type TlsChoice = TlsOptions | Layer;

/** Throws `ERR_INVALID_ARG_TYPE`. */
export function validateTls(tls: unknown, name = 'options.tls'): asserts tls is TlsChoice {
  validateObject(tls, name);
}

/**
 * The layer given, or one with the options given, which speaks HTTP/1.1 and leaves the cap of what is queued to the WebSocket.
 *
 * Rejects with `ERR_WS_NO_TLS` when there is no `@iocp/tls`, and as `tls` does.
 */
export async function tlsLayer(given: TlsChoice): Promise<Layer> {
  if ('wrap' in given) return given;
  const { tls } = await installedTls(import('@iocp/tls'), ', or give a layer as options.tls');
  const alpn = given.ALPNCallback === undefined ? { ALPNProtocols: ['http/1.1'] } : {};
  return tls({ ...alpn, bufferedBytesMax: 0x7fffffff, ...given });
}

/** Waits for an `import()` of `@iocp/tls`. Rejects with `ERR_WS_NO_TLS` when it is not installed. */
export async function installedTls<M>(loading: Promise<M>, instead = ''): Promise<M> {
  try {
    return await loading;
  } catch (cause) {
    const { code, message = '' } = cause as NodeJS.ErrnoException;
    const notFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    // Something that `@iocp/tls` itself misses is another matter.
    if (!notFound || !message.includes('@iocp/tls')) throw cause;
    throw webSocketError('ERR_WS_NO_TLS', `TLS is asked for: install @iocp/tls${instead}`, 1006, cause);
  }
}
