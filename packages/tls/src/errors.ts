/** Errors of TLS. */

import { IoError } from '@iocp/core/layer';

/**
 * Codes of ours, besides those that `node:tls` has: the names of verification errors (`CERT_HAS_EXPIRED` …),
 * `ERR_TLS_CERT_ALTNAME_INVALID`, and `ERR_SSL_<REASON>` for what OpenSSL says.
 */
export type OwnTlsErrorCode =
  /** The stream has ended without the peer's close_notify: whoever ended it, what came is perhaps not all (RFC 8446 section 6.1). */
  | 'ERR_TLS_TRUNCATED'
  /** The engine that was asked for cannot run here; `cause` says why. */
  | 'ERR_TLS_NO_ENGINE'
  /** The addon was built for another version of this package. */
  | 'ERR_TLS_ADDON_VERSION'
  /** A call on a session that was freed: a mistake of this package. */
  | 'ERR_TLS_FREED'
  /** Keying material was asked for before the handshake was done, or after the connection was closed. Also a code of Node's. */
  | 'ERR_TLS_INVALID_STATE';

export interface TlsErrorDetails {
  /** Of OpenSSL's, for example `'SSL routines'`. */
  readonly library?: string | undefined;
  /** In OpenSSL's words, for example `'no shared cipher'`. */
  readonly reason?: string | undefined;
  readonly cause?: unknown;
}

/** TLS cannot go on, or not begin. `code` says why. */
export class TlsError extends IoError {
  declare readonly library?: string;
  declare readonly reason?: string;

  constructor(code: string, message: string, { library, reason, cause }: TlsErrorDetails = {}) {
    super(message, { code, cause });
    if (library !== undefined) this.library = library;
    if (reason !== undefined) this.reason = reason;
  }

  static {
    Object.defineProperty(TlsError.prototype, 'name', {
      value: 'TlsError',
      configurable: true,
      writable: true,
    });
  }
}

/** The peer has gone, or has said close_notify, before the handshake was done; the text is that of `node:tls`. */
export function disconnectedEarly(role: 'client' | 'server'): TlsError {
  const side = role === 'client' ? 'Client' : 'Server';
  const message = `${side} network socket disconnected before secure TLS connection was established`;
  return new TlsError('ERR_TLS_TRUNCATED', message);
}

export function truncated(): TlsError {
  const message =
    'The stream has ended without a close_notify of the peer: what has come may not be all. ' +
    "Where that must pass for an end, use the option truncation: 'end'";
  return new TlsError('ERR_TLS_TRUNCATED', message);
}
