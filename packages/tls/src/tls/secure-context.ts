import { DEFAULT_CIPHERS, DEFAULT_ECDH_CURVE, type SecureVersion } from 'node:tls';
import { validateString } from '@iocp/core/layer';
import { createSecureContext as createContext } from '../context/create-secure-context.js';
import type { SecureContext } from '../context/secure-context.js';
import type { TlsVersion } from '../context/secure-context-options.js';
import { invalidMethod, versionConflict } from './errors.js';
import { type SecureContextOptions, validateOptions } from './options.js';

interface Versions {
  readonly minVersion: TlsVersion | undefined;
  readonly maxVersion: TlsVersion | undefined;
}

const allThereAre: Versions = { minVersion: undefined, maxVersion: undefined };
const onlyTls12: Versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };

/** Methods of OpenSSL, and what is left of them where nothing older than TLS 1.2 is spoken. */
const methods: Readonly<Record<string, Versions>> = {
  TLS: allThereAre,
  SSLv23: onlyTls12,
  TLSv1_2: onlyTls12,
};

/**
 * As `tls.createSecureContext`, with Node's defaults; a `minVersion` below TLS 1.2 means TLS 1.2, which is the oldest spoken
 * here.
 * @throws `ERR_TLS_INVALID_PROTOCOL_VERSION`, `ERR_TLS_INVALID_PROTOCOL_METHOD`, `ERR_TLS_PROTOCOL_VERSION_CONFLICT`,
 * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, and what OpenSSL says of certificates, keys and ciphers
 */
export function createSecureContext(options: SecureContextOptions = {}): SecureContext {
  validateOptions(options);
  return createContext({
    ...options,
    ...versionsOf(options),
    ciphers: options.ciphers ?? DEFAULT_CIPHERS,
    ecdhCurve: options.ecdhCurve ?? DEFAULT_ECDH_CURVE,
  });
}

function versionsOf({ minVersion, maxVersion, secureProtocol }: SecureContextOptions): Versions {
  // Versions that there are not are refused where contexts are made.
  if (!secureProtocol) return { minVersion: atLeastTls12(minVersion), maxVersion: maxVersion as TlsVersion };
  validateString(secureProtocol, 'options.secureProtocol');
  const conflicting = minVersion ?? maxVersion;
  if (conflicting) throw versionConflict(conflicting, secureProtocol);
  const versions = methods[secureProtocol.replace(/(_server|_client)?_method$/, '')];
  if (versions === undefined) throw invalidMethod(secureProtocol);
  return versions;
}

function atLeastTls12(version: SecureVersion | undefined): TlsVersion | undefined {
  return version === 'TLSv1' || version === 'TLSv1.1' ? 'TLSv1.2' : version;
}
