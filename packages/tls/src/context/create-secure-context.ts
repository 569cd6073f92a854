import { chooseEngine, type EngineChoice } from '../engine/choose.js';
import { isSecureContext, SecureContext } from './secure-context.js';
import { readSecureContextOptions, type SecureContextOptions } from './secure-context-options.js';

/** Options of `createSecureContext`. */
export interface CreateSecureContextOptions extends SecureContextOptions {
  /**
   * The engine that the context is made for at once; for another it is made when that first asks. `'native'`, `'node'`, or
   * `'auto'`: native where the addon loads. Default: `IOCP_TLS_ENGINE`, or `'auto'`.
   */
  readonly engine?: EngineChoice | undefined;
}

/**
 * Certificates, keys and protocol versions, prepared once for any number of connections, of servers and of clients.
 * @param options default `{}`: a client that trusts the roots of Node.js. A context is returned as it is, so that functions
 * can take either
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_TLS_INVALID_PROTOCOL_VERSION`; and what
 * OpenSSL says of certificates, keys, ciphers and the rest, with the codes of Node: `ERR_OSSL_PEM_NO_START_LINE`,
 * `ERR_OSSL_BAD_DECRYPT` for a wrong passphrase, `ERR_OSSL_X509_KEY_VALUES_MISMATCH` for a key that is not the
 * certificate's, `ERR_SSL_NO_CIPHER_MATCH` …
 */
export function createSecureContext(options: CreateSecureContextOptions | SecureContext = {}): SecureContext {
  if (isSecureContext(options)) return options;
  return new SecureContext(readSecureContextOptions(options), chooseEngine(options.engine));
}
