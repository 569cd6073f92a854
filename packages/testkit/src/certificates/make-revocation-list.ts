import { importSigningKey } from './keys.js';
import type { Credentials } from './make-certificate.js';
import { loadX509 } from './x509.js';

const day = 86_400_000;

/**
 * A certificate revocation list (RFC 5280 section 5) in PEM, good for 30 days.
 * @param issuer the authority, with a key that is not encrypted
 * @param revoked certificates in PEM that the authority has issued
 */
export async function makeRevocationList(issuer: Credentials, revoked: readonly string[]): Promise<string> {
  const x509 = await loadX509();
  const authority = new x509.X509Certificate(issuer.cert);
  const signer = await importSigningKey(issuer.key);
  const now = Date.now();
  const list = await x509.X509CrlGenerator.create({
    issuer: authority.subjectName,
    thisUpdate: new Date(now - day),
    nextUpdate: new Date(now + 30 * day),
    entries: revoked.map((cert) => ({
      serialNumber: new x509.X509Certificate(cert).serialNumber,
      revocationDate: new Date(now - day),
    })),
    extensions: [await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)],
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
  });
  return `${x509.PemConverter.encode(list.rawData, 'X509 CRL')}\n`;
}
