/** Options of the layer. */

import type { PeerCertificate } from 'node:tls';
import type { ChannelInfo, ChannelOptions, WrapOptions } from '@iocp/core/layer';
import type { SecureContext } from '../context/secure-context.js';
import type { SecureContextOptions } from '../context/secure-context-options.js';
import type { EngineChoice } from '../engine/choose.js';
import type { AlpnCallback, AlpnProtocols } from './alpn.js';
import type { SniCallback } from './server-contexts.js';

/**
 * How TLS is spoken, on both sides or on one. Names and forms are those of `node:tls` where it has them; what is left out has
 * a secure default. One set of options serves any number of connections.
 */
export interface TlsOptions extends SecureContextOptions, ChannelOptions {
  /** Certificates, keys and versions, prepared by `createSecureContext`, in the place of the options for those. */
  readonly secureContext?: SecureContext | undefined;
  /** A peer whose certificate is not good is refused with an alert. Default true. For servers only with `requestCert`. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Application protocols, best first: a client's offer, a server's choice. Default none. */
  readonly ALPNProtocols?: AlpnProtocols | undefined;

  // Servers.

  /** Asks clients for a certificate. Default false. */
  readonly requestCert?: boolean | undefined;
  /** Chooses the application protocol, in the place of `ALPNProtocols`. */
  readonly ALPNCallback?: AlpnCallback | undefined;
  /**
   * Certificates by the name asked for (SNI): contexts, or options for them. `*.example.com` stands for names with one label
   * more than `example.com`; exact names come first. What is not found gets the default certificate.
   */
  readonly servernames?: Readonly<Record<string, SecureContext | SecureContextOptions>> | undefined;
  /** Chooses certificates by a name that is not among `servernames`. */
  readonly SNICallback?: SniCallback | undefined;
  /**
   * Gives the OCSP response (DER, RFC 6960) to staple for clients that want one; null for none.
   * @param certificate in DER
   * @param issuer in DER, when it was among those given
   */
  readonly ocspResponse?:
    | ((certificate: Buffer, issuer: Buffer | undefined) => Uint8Array | null | Promise<Uint8Array | null>)
    | undefined;

  // Clients.

  /**
   * The name to ask for (SNI) and to find in the certificate. An address is looked for, but not asked for (RFC 6066). Empty: asks
   * for none and looks for the host. Default: the host.
   */
  readonly servername?: string | undefined;
  /** Says whether a certificate, which is good, is the host's; an error refuses it. Default `tls.checkServerIdentity`. */
  readonly checkServerIdentity?:
    | ((host: string, certificate: PeerCertificate) => Error | undefined)
    | undefined;
  /** The session of a connection of before, to be resumed: what `onSession` gave. */
  readonly session?: Uint8Array | undefined;
  /** Asks for an OCSP response: `ocspResponse` of what `tlsOf` gives. Default false. */
  readonly requestOCSP?: boolean | undefined;
  /** Gets sessions to resume later, several with TLS 1.3. `info` is that of the connection. */
  readonly onSession?: ((session: Buffer, info: ChannelInfo) => void) | undefined;

  // Both.

  /** Gets the secrets of connections, in lines of the NSS key log format, for programs like Wireshark. */
  readonly onKeylog?: ((line: Buffer, info: ChannelInfo) => void) | undefined;
  /**
   * What a stream that ends without close_notify is: `'error'`, `ERR_TLS_TRUNCATED`, as somebody may have cut it; or `'end'`, as
   * in `node:tls`, for peers known to end that way. Default `'error'`.
   */
  readonly truncation?: 'error' | 'end' | undefined;
  /** Longest handshake in milliseconds, 1 to 2147483647. Default 10000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * Once both sides have ended, or an alert was sent, how long the peer may take to close what is below, in milliseconds, 0 to
   * 2147483647; then it is aborted. Default 2000.
   */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * `'native'`: OpenSSL inside of Node.js; `'node'`: `node:tls`, for runtimes without that; `'auto'`: native where the addon
   * loads. An explicit choice is that or an error. Default: `IOCP_TLS_ENGINE`, or `'auto'`.
   */
  readonly engine?: EngineChoice | undefined;
}

/** What concerns one connection. */
export interface TlsWrapOptions extends WrapOptions {
  /** Bytes that came from the peer already, behind a STARTTLS for example: what `detach()` gave. */
  readonly head?: Uint8Array | readonly Uint8Array[] | undefined;
  /** Client: the host that was dialled, for when no `servername` says otherwise. */
  readonly host?: string | undefined;
  /** Client: takes the place of `servername` of the layer's options. */
  readonly servername?: string | undefined;
  /** Client: takes the place of `session` of the layer's options. */
  readonly session?: Uint8Array | undefined;
}
