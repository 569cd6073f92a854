import {
  asError,
  type Channel,
  invalidArgumentType,
  type Layer,
  type Role,
  signalOf,
  validateObject,
  validateOneOf,
} from '@iocp/core/layer';
import { createSecureContext } from './context/create-secure-context.js';
import { isSecureContext, type SecureContext } from './context/secure-context.js';
import type { SecureContextOptions } from './context/secure-context-options.js';
import { chooseEngine, engineMaker } from './engine/choose.js';
import type { EngineName } from './engine/engine.js';
import { handshake } from './handshake.js';
import { missingOption } from './options/option-errors.js';
import type { TlsOptions, TlsWrapOptions } from './options/tls-options.js';
import { clientSettings, headBytes, type TlsSettings, tlsSettings } from './options/tls-settings.js';
import { TlsChannel } from './tls-channel.js';

/** TLS for any number of connections, of clients and of servers. Made by `tls()`. */
export class TlsLayer implements Layer {
  readonly name = 'tls';
  /** What the connections run on. */
  readonly engine: EngineName;
  readonly #settings: TlsSettings;
  #secureContext: SecureContext;

  /** @internal */
  constructor(options: TlsOptions) {
    validateObject(options, 'options');
    const engine = chooseEngine(options.engine);
    this.engine = engine;
    this.#settings = tlsSettings(options, (given) => createSecureContext({ ...given, engine }));
    const { secureContext } = options;
    if (secureContext !== undefined && !isSecureContext(secureContext)) {
      throw invalidArgumentType('options.secureContext', 'an instance of SecureContext', secureContext);
    }
    this.#secureContext = secureContext ?? contextOf(options, engine);
  }

  /** What new connections use, unless a server has another for the name asked for. */
  get secureContext(): SecureContext {
    return this.#secureContext;
  }

  /** The default context and those of `servernames`. */
  get secureContexts(): readonly SecureContext[] {
    return [this.#secureContext, ...(this.#settings.contexts?.all ?? [])];
  }

  /**
   * Other certificates for the connections to come; those that are there go on undisturbed.
   * @param given a context, or options for one; without `ticketKeys` among them those of before stay, and with them the sessions
   * of clients
   * @throws as `createSecureContext`; then nothing has changed
   */
  setSecureContext(given: SecureContext | SecureContextOptions): void {
    const context = contextOf(given, this.engine);
    const { ticketKeys } = this.#secureContext.settings;
    const ownKeys = isSecureContext(given) || given.ticketKeys != null;
    if (!ownKeys && ticketKeys !== undefined) context.setTicketKeys(ticketKeys);
    this.#secureContext = context;
  }

  /**
   * Does the handshake over `lower`, which belongs to the layer from here on.
   *
   * Rejects with the reason, once `lower` is closed: what verification says of a certificate, with the codes of Node
   * (`DEPTH_ZERO_SELF_SIGNED_CERT`, `CERT_HAS_EXPIRED`, `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, `ERR_TLS_CERT_ALTNAME_INVALID` …);
   * `ERR_SSL_*` for what OpenSSL objects to, and for alerts of the peer (`ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE`);
   * `ECONNRESET` when the peer ends in the middle of it; `ERR_CHANNEL_HANDSHAKE_TIMEOUT`; the error that closed `lower`; what
   * callbacks of the options throw; the reason of `signal`, at once; `ERR_MISSING_OPTION` for a client that does not know whom
   * to expect, and for a server without a certificate; and as all functions for arguments that make no sense
   * (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`).
   *
   * The channel later fails with `ERR_TLS_TRUNCATED` when the peer's stream ends without close_notify, and with `ERR_SSL_*`, such
   * as `ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC`, when the peer breaks the protocol.
   */
  async wrap(lower: Channel, role: Role, options: TlsWrapOptions = {}): Promise<TlsChannel> {
    try {
      validateOneOf(role, 'role', ['client', 'server'] as const);
      const signal = signalOf(options);
      signal?.throwIfAborted();
      const head = headBytes(options.head);
      const { handshakeTimeoutMs: timeoutMs } = this.#settings;
      return await handshake(this.#channel(lower, role, options), { timeoutMs, signal, head });
    } catch (error) {
      lower.abort(asError(error));
      throw error;
    }
  }

  /**
   * For whoever listens: says at once, instead of to every client, that there is no certificate to show.
   * @throws `ERR_MISSING_OPTION`
   */
  assertServes(): void {
    const { selectContext } = this.#settings.handshake;
    if (selectContext !== undefined || hasCertificate(this.#secureContext)) return;
    throw missingOption('options.cert', 'a server shows a certificate (cert and key, pfx, or secureContext)');
  }

  #channel(lower: Channel, role: Role, options: TlsWrapOptions): TlsChannel {
    const settings = this.#settings;
    if (role === 'server') this.assertServes();
    const handshakeSettings = role === 'server' ? settings.handshake : clientSettings(settings, options);
    const context = this.#secureContext;
    const create = engineMaker(this.engine);
    return new TlsChannel(lower, settings.channel, (memory, events) =>
      create({ role, context, settings: handshakeSettings, memory, events }),
    );
  }
}

function contextOf(given: SecureContext | SecureContextOptions, engine: EngineName): SecureContext {
  return isSecureContext(given) ? given : createSecureContext({ ...given, engine });
}

function hasCertificate({ settings }: SecureContext): boolean {
  return settings.certificates.length > 0 || settings.pfx.length > 0;
}

/**
 * TLS 1.2 and 1.3 as a layer over any channel of bytes: for `layers` of a listener or of `connect`, for `stack()`, or for a
 * live channel (STARTTLS): `layer.wrap(channel, role, { head })`.
 *
 * @param options default `{}`: a client that trusts the roots of Node.js. Without a certificate it serves no server
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS`,
 * `ERR_TLS_NO_ENGINE`, and as `createSecureContext`
 */
export function tls(options: TlsOptions = {}): TlsLayer {
  return new TlsLayer(options);
}
