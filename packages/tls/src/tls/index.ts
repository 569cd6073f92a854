/**
 * TLS with the interface of `node:tls`, on completion input and output: `createServer`, `connect`, `TLSSocket`, their events
 * and their properties. Defaults are Node's (`tls.DEFAULT_CIPHERS`, a stream that ends without close_notify is an end).
 *
 * What is different:
 * - Sockets are `stream.Duplex`, not `net.Socket`; servers are `EventEmitter`, not `net.Server`. There is no handle to take
 *   over, or to send to another process: no `fd`, no `cluster`.
 * - TLS 1.2 and 1.3 only. A `minVersion` below that means TLS 1.2; a `maxVersion` below is refused.
 * - Contexts are those of this `createSecureContext`.
 * - A client without a good certificate is refused with an alert, and `'tlsClientError'` says what was wrong with it.
 * - A handshake that has failed, or taken longer than `handshakeTimeout`, is closed, and need not be by a listener of
 *   `'tlsClientError'`.
 * - `new TLSSocket(stream)` of a client begins the handshake by itself, and checks the server as `connect` does: say who it
 *   should be by `setServername()`, or switch `rejectUnauthorized` off.
 * - `destroy(error)` resets a TCP connection.
 * - Facts of a connection can be read after it has closed.
 *
 * What there is not: renegotiation (`renegotiate` is refused as with TLS 1.3), pre-shared keys (`pskCallback`), engines of
 * OpenSSL, `onread`, `setMaxSendFragment` (always false), traces (`enableTrace`), `setKeyCert`, `autoSelectFamily` (all
 * addresses of a name are tried as in RFC 8305), and `'newSession'` and `'resumeSession'`: sessions are resumed by tickets,
 * whose keys servers can share. `minDHSize` has no effect, as OpenSSL refuses what is too small.
 * @packageDocumentation
 */

import {
  checkServerIdentity,
  DEFAULT_CIPHERS,
  DEFAULT_ECDH_CURVE,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  getCiphers,
  rootCertificates,
} from 'node:tls';
import { SecureContext } from '../context/secure-context.js';
import { connect } from './connect.js';
import { createSecureContext } from './secure-context.js';
import { createServer, Server } from './server.js';
import { TLSSocket } from './tls-socket.js';

export type { ListenOptions } from './listen-target.js';
export type {
  ConnectionOptions,
  SecureContextOptions,
  ServerOptions as TlsOptions,
  TLSSocketOptions,
} from './options.js';
export {
  checkServerIdentity,
  connect,
  createSecureContext,
  createServer,
  DEFAULT_CIPHERS,
  DEFAULT_ECDH_CURVE,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  getCiphers,
  rootCertificates,
  SecureContext,
  Server,
  TLSSocket,
};

/** As the default export of `node:tls`. */
export default {
  checkServerIdentity,
  connect,
  createSecureContext,
  createServer,
  DEFAULT_CIPHERS,
  DEFAULT_ECDH_CURVE,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  getCiphers,
  rootCertificates,
  SecureContext,
  Server,
  TLSSocket,
};
