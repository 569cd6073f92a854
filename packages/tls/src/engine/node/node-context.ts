import { constants, createHash } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type Server } from 'node:tls';
import type { SecureContextSettings } from '../../context/secure-context-settings.js';
import { TlsError } from '../../errors.js';
import { createStaplingServer } from './ocsp-stapling.js';

/** The first part of a ticket key, by which tickets name it. */
const keyNameBytes = 16;
const sessionIdContextCharacters = 32;

/**
 * What `node:tls` has for a SecureContext. Its contexts know one ticket key each, which nothing public changes; so there is one for
 * every key in use, made when first needed.
 */
export class NodeContext {
  readonly #settings: SecureContextSettings;
  #ticketKeys: readonly Buffer[];
  readonly #contexts = new Map<string, SecureContext>();
  #staplingServer: Server | undefined;

  /** Throws what `tls.createSecureContext` throws: so that bad credentials show here, one is made at once. */
  constructor(settings: SecureContextSettings) {
    if (settings.crl.length > 0 && 'deno' in process.versions) throw noRevocation();
    this.#settings = settings;
    this.#ticketKeys = settings.ticketKeys ?? [];
    this.#contextWith(this.#ticketKeys[0], undefined);
  }

  /** For clients, who could resume their sessions with the same `sessionIdContext` only if they had one. */
  get secureContext(): SecureContext {
    return this.#contextWith(this.#ticketKeys[0], undefined);
  }

  /**
   * For servers.
   * @param ticketKeyName of the ticket that the client wants to resume with
   * @param requestCert sessions of clients that were not asked for a certificate do not serve where one is
   */
  serverContext(ticketKeyName: Uint8Array | undefined, requestCert: boolean): SecureContext {
    const used = ticketKeyName && this.#ticketKeys.find((key) => nameOf(key).equals(ticketKeyName));
    const { sessionIdContext } = this.#settings;
    const sessions = requestCert ? certifiedSessions(sessionIdContext) : sessionIdContext;
    return this.#contextWith(used ?? this.#ticketKeys[0], sessions);
  }

  /** @param keys 48 bytes each; tickets are made with the first, and taken when made with any */
  setTicketKeys(keys: readonly Buffer[]): void {
    this.#ticketKeys = keys;
    this.#contexts.clear();
  }

  /** For servers that staple OCSP responses. */
  get staplingServer(): Server {
    this.#staplingServer ??= createStaplingServer(contextOptions(this.#settings));
    return this.#staplingServer;
  }

  #contextWith(ticketKey: Buffer | undefined, sessionIdContext: string | undefined): SecureContext {
    const id = `${sessionIdContext}:${ticketKey && nameOf(ticketKey).toString('hex')}`;
    let context = this.#contexts.get(id);
    if (context === undefined) {
      const options = contextOptions(this.#settings);
      if (ticketKey !== undefined) options.ticketKeys = ticketKey;
      if (sessionIdContext !== undefined) options.sessionIdContext = sessionIdContext;
      context = createSecureContext(options);
      this.#contexts.set(id, context);
    }
    return context;
  }
}

/** Deno would trust the revoked without a word. */
function noRevocation(): TlsError {
  const message = 'Deno has no lists of revoked certificates: the option crl cannot be heeded';
  return new TlsError('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', message);
}

function nameOf(ticketKey: Buffer): Buffer {
  return ticketKey.subarray(0, keyNameBytes);
}

function certifiedSessions(sessionIdContext: string): string {
  const digest = createHash('sha256').update(`client certificate, ${sessionIdContext}`).digest('hex');
  return digest.slice(0, sessionIdContextCharacters);
}

function contextOptions(settings: SecureContextSettings): SecureContextOptions {
  const { ca, dhparam } = settings;
  return {
    cert: [...settings.certificates],
    key: [...settings.keys],
    pfx: settings.pfx.map(({ der, passphrase }) => ({ buf: der, passphrase })),
    ...(ca !== undefined && { ca: [...ca] }),
    crl: [...settings.crl],
    ciphers: settings.ciphers,
    ecdhCurve: settings.ecdhCurve,
    sigalgs: settings.sigalgs,
    minVersion: settings.minVersion,
    maxVersion: settings.maxVersion,
    honorCipherOrder: settings.honorCipherOrder,
    allowPartialTrustChain: settings.allowPartialTrustChain,
    sessionTimeout: settings.sessionTimeout,
    secureOptions: settings.secureOptions | constants.SSL_OP_NO_RENEGOTIATION,
    ...(dhparam !== undefined && { dhparam }),
  };
}
