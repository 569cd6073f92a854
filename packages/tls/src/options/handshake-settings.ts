/** Checked options of one side, with the defaults filled in: what engines work from. One object serves every connection. */

import type { PeerCertificate } from 'node:tls';
import type { SecureContext } from '../context/secure-context.js';

/** What a server learns of a client that says hello. */
export interface HelloFacts {
  /** The name asked for (SNI), lower case, or undefined. */
  readonly servername: string | undefined;
  /** What the client offers by ALPN, in its order. */
  readonly protocols: readonly string[];
}

export interface HandshakeSettings {
  /** ALPN names, best first; empty: no ALPN. */
  readonly alpnProtocols: readonly string[];
  /** Asks for a certificate of the client. */
  readonly requestCert: boolean;
  /** Refuses a peer without a good certificate. */
  readonly rejectUnauthorized: boolean;

  // Servers.
  /** Another context for a name; undefined or null keeps the default one. A rejection ends the handshake. */
  readonly selectContext:
    | ((hello: HelloFacts) => SecureContext | null | undefined | Promise<SecureContext | null | undefined>)
    | undefined;
  /** Chooses the protocol; undefined refuses the handshake with no_application_protocol (RFC 7301 section 3.2). */
  readonly selectProtocol: ((hello: HelloFacts) => string | undefined) | undefined;
  /** The OCSP response to staple (DER), asked for only when the client wants one; null for none. */
  readonly ocspResponse:
    | ((certificate: Buffer, issuer: Buffer | undefined) => Uint8Array | null | Promise<Uint8Array | null>)
    | undefined;

  // Clients.
  /** The name to ask for, and to find in the server's certificate. Empty: ask for none. */
  readonly servername: string;
  /** Whom the certificate must be for; `servername`, or the host when that is an address. */
  readonly expectedHost: string;
  readonly checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
  /** A session of before (DER). */
  readonly session: Buffer | undefined;
  readonly requestOcsp: boolean;
  /** Somebody wants `onSession`. */
  readonly sessions: boolean;

  // Both.
  readonly keylog: boolean;
  /** A stream that ends without close_notify: an error (the default), or an end as in `node:tls`. */
  readonly truncation: 'error' | 'end';
}
