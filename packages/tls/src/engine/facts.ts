import type { X509Certificate } from 'node:crypto';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
} from 'node:tls';

/** What is known of a TLS connection. Names, forms and values are those of `tls.TLSSocket`. */
export interface TlsFacts {
  /** `'TLSv1.2'` or `'TLSv1.3'`; null before the handshake. */
  readonly protocol: string | null;
  readonly cipher: CipherNameAndProtocol | null;
  /** The protocol that ALPN (RFC 7301) has chosen, or false. */
  readonly alpnProtocol: string | false;
  /** The name the client has asked for (SNI, RFC 6066 section 3), or false. */
  readonly servername: string | false;
  /** The peer's certificate was asked for, and is good. */
  readonly authorized: boolean;
  /** Why `authorized` is false though a certificate was asked for; null otherwise. `code` is Node's. */
  readonly authorizationError: (Error & { readonly code: string }) | null;
  /** Keys of an earlier session were used. */
  readonly sessionReused: boolean;
  /** The peer's certificate in Node's legacy form, `{}` without one. `detailed` adds `issuerCertificate`. */
  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerX509Certificate(): X509Certificate | undefined;
  /** Our own certificate. */
  getCertificate(): PeerCertificate | Record<string, never>;
  getX509Certificate(): X509Certificate | undefined;
  /** Client: the session, to be resumed; with TLS 1.3 wait for `onSession` instead. */
  getSession(): Buffer | undefined;
  /** Client: the ticket of the session. */
  getTLSTicket(): Buffer | undefined;
  /** Client: the key exchange. */
  getEphemeralKeyInfo(): EphemeralKeyInfo | Record<string, never>;
  getSharedSigalgs(): string[];
  getFinished(): Buffer | undefined;
  getPeerFinished(): Buffer | undefined;
  /** The server's stapled OCSP response (DER), for clients that asked for one; null without. */
  readonly ocspResponse: Buffer | null;
  /** Keying material for another protocol (RFC 5705, RFC 8446 section 7.5). */
  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Buffer;
}
