/** Whether the peer is who it should be, with the codes of `node:tls`. */

import { checkServerIdentity as checkedByNode, type PeerCertificate } from 'node:tls';
import { asError } from '@iocp/core/layer';
import { TlsError } from './errors.js';
import type { HandshakeSettings } from './options/handshake-settings.js';

export type AuthorizationError = Error & { readonly code: string };

/** What is known of the peer's certificate after the handshake. */
export interface PeerEvidence {
  /** What OpenSSL has against it: null when it is good, undefined when the peer has shown none. */
  readonly verification: AuthorizationError | null | undefined;
  /** With the issuers. Called for a client's check of names only. */
  certificate(): PeerCertificate;
  /**
   * A cheaper look at the names than `tls.checkServerIdentity`, which has the last word when this says no: true only when the
   * certificate is certainly for `host`.
   */
  isFor?(host: string): boolean;
}

/** What OpenSSL says of a certificate. @param code the name of the error, for example `'CERT_HAS_EXPIRED'` */
export function verificationError(code: string, message: string): AuthorizationError {
  return new TlsError(code, message);
}

/**
 * Why the peer is not authorized, or null. A server authorizes whom it asks for a certificate; a client also checks the name,
 * and does so again when it resumes a session, for that may have been made when anybody was welcome.
 */
export function authorizationError(
  role: 'client' | 'server',
  settings: HandshakeSettings,
  evidence: PeerEvidence,
): AuthorizationError | null {
  if (role === 'server' && !settings.requestCert) return null;
  const { verification } = evidence;
  // Node's name for it.
  if (verification === undefined) {
    return verificationError('UNABLE_TO_GET_ISSUER_CERT', 'unable to get issuer certificate');
  }
  if (verification !== null || role === 'server') return verification;
  const { expectedHost, checkServerIdentity } = settings;
  if (checkServerIdentity === checkedByNode && evidence.isFor?.(expectedHost)) return null;
  try {
    const error = checkServerIdentity(expectedHost, evidence.certificate());
    return (error as AuthorizationError | undefined) ?? null;
  } catch (thrown) {
    return asError(thrown) as AuthorizationError;
  }
}
