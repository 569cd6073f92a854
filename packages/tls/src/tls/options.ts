/** Options as those of `node:tls`. */

import type { LookupFunction as NetLookup } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureVersion } from 'node:tls';
import { invalidArgumentValue, type LookupFunction, validateObject } from '@iocp/core/layer';
import type { SecureContextOptions as OwnContextOptions } from '../context/secure-context-options.js';
import type { TlsOptions } from '../options/tls-options.js';
import type { TcpModule } from '../transport.js';

/** As `tls.SecureContextOptions`. */
export interface SecureContextOptions extends Omit<OwnContextOptions, 'minVersion' | 'maxVersion'> {
  /** Below TLS 1.2: TLS 1.2, which is the oldest spoken here. */
  readonly minVersion?: SecureVersion | undefined;
  readonly maxVersion?: SecureVersion | undefined;
  /** In the place of the versions: `'TLS_method'`, `'TLSv1_2_method'`, … */
  readonly secureProtocol?: string | undefined;
}

type HandshakeNames =
  | 'secureContext'
  | 'rejectUnauthorized'
  | 'requestCert'
  | 'ALPNProtocols'
  | 'ALPNCallback'
  | 'SNICallback';

interface HandshakeOptions extends SecureContextOptions, Pick<TlsOptions, HandshakeNames> {
  /** Checked, and without effect. */
  readonly enableTrace?: boolean | undefined;
}

interface ClientOptions {
  /** To be resumed: what `'session'` gave. */
  readonly session?: Buffer | string | undefined;
  readonly requestOCSP?: boolean | undefined;
}

interface StreamOptions {
  readonly allowHalfOpen?: boolean | undefined;
  readonly highWaterMark?: number | undefined;
  /** Destroys the socket. */
  readonly signal?: AbortSignal | undefined;
}

interface TcpOptions {
  readonly noDelay?: boolean | undefined;
  readonly keepAlive?: boolean | undefined;
  /** Milliseconds. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** Not of `node:tls`: what carries the connections. Default: `@iocp/tcp`, loaded when first needed. */
  readonly tcp?: TcpModule | undefined;
  /** Not of `node:tls`: the completion port that serves them. Default: the one of this thread. */
  readonly completionPort?: Parameters<TcpModule['connect']>[0]['completionPort'];
}

/** As `tls.TLSSocketOptions`. */
export interface TLSSocketOptions extends HandshakeOptions, ClientOptions, StreamOptions {
  /** Default false. */
  readonly isServer?: boolean | undefined;
  /** A `Server`, or whatever accepted the connection. */
  readonly server?: unknown;
  /** Nothing flows before `resume()`. Default false. */
  readonly pauseOnConnect?: boolean | undefined;
}

/** As `tls.TlsOptions`. */
export interface ServerOptions extends HandshakeOptions, TcpOptions {
  /** Milliseconds, for a handshake. Default 120000. */
  readonly handshakeTimeout?: number | undefined;
  readonly allowHalfOpen?: boolean | undefined;
  readonly pauseOnConnect?: boolean | undefined;
}

/** As `tls.ConnectionOptions`, with what `net.connect` takes. */
export interface ConnectionOptions extends HandshakeOptions, ClientOptions, StreamOptions, TcpOptions {
  /** Name or address. Default `'localhost'`. */
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
  /** Of a Unix socket, in the place of `host` and `port`. */
  readonly path?: string | undefined;
  /** A stream to the server, in the place of all of them. */
  readonly socket?: Duplex | undefined;
  /** The name to ask for (SNI), and to find in the certificate. Default: none is asked for, `host` is to be found. */
  readonly servername?: string | undefined;
  readonly checkServerIdentity?: TlsOptions['checkServerIdentity'];
  /** 4 or 6. Default 0: both. */
  readonly family?: number | undefined;
  /** Default `dns.lookup`. May answer with one address, or with all. */
  readonly lookup?: NodeLookup | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Milliseconds of silence until `'timeout'`. */
  readonly timeout?: number | undefined;
}

/** As `net.LookupFunction`. */
export type NodeLookup = NetLookup | LookupFunction;

const unsupported: readonly (readonly [option: string, what: string])[] = [
  ['pskCallback', 'pre-shared keys'],
  ['onread', 'reading into memory of the caller'],
  ['clientCertEngine', 'engines of OpenSSL'],
  ['privateKeyEngine', 'engines of OpenSSL'],
];

/**
 * Checks that nothing is asked for that there is not.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 */
export function validateOptions(options: unknown): asserts options is object {
  validateObject(options, 'options');
  for (const [name, what] of unsupported) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value) throw invalidArgumentValue(`options.${name}`, value, `is not possible: ${what} need node:tls`);
  }
}
