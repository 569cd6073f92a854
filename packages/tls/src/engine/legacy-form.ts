import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';

/** A certificate, parsed or in DER, in the form of `getPeerCertificate`, without `issuerCertificate`. */
export function legacyForm(certificate: X509Certificate | Uint8Array): PeerCertificate {
  const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return parsed.toLegacyObject() as unknown as PeerCertificate;
}
