import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension } from '@peculiar/x509';
import { exportKey, importSigningKey, type KeyAlgorithm, makeKeys } from './keys.js';
import { loadX509 } from './x509.js';

/** A certificate and its private key, both in PEM; the key in PKCS #8. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Common name of the subject. Default: the first of `names`. */
  readonly commonName?: string;
  /** Host names (`*.` allowed in front) and IP addresses it is good for. Default none. */
  readonly names?: readonly string[];
  /** What it may be used for; an `authority` issues others. Default `'server'`. */
  readonly usage?: 'server' | 'client' | 'authority';
  /** Who signs it, with a key that is not encrypted. Default: it signs itself. */
  readonly issuer?: Credentials;
  /** Default `'ecdsa'`. */
  readonly algorithm?: KeyAlgorithm;
  /** Default an hour ago, so that clocks may differ. */
  readonly notBefore?: Date;
  /** Default in 30 days. */
  readonly notAfter?: Date;
}

const hour = 3_600_000;

/** Makes a key and a certificate (X.509 v3, RFC 5280) for it, with a random serial number. */
export async function makeCertificate(options: CertificateOptions = {}): Promise<Credentials> {
  const { names = [], usage = 'server', issuer, algorithm = 'ecdsa' } = options;
  const x509 = await loadX509();
  const keys = await makeKeys(algorithm);
  const key = exportKey(keys.privateKey);
  const signer = await importSigningKey(issuer?.key ?? key);
  const issuerCertificate = issuer && new x509.X509Certificate(issuer.cert);
  const subject = [{ CN: [options.commonName ?? names[0] ?? usage] }];

  const { KeyUsageFlags } = x509;
  const authority = usage === 'authority';
  const signs = authority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : 0;
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(authority, undefined, true),
    new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature | signs, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuerCertificate?.publicKey ?? keys.publicKey),
  ];
  if (!authority) {
    const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
    extensions.push(new x509.ExtendedKeyUsageExtension([usage === 'server' ? serverAuth : clientAuth]));
  }
  if (names.length > 0) {
    const alternatives = names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }) as const);
    extensions.push(new x509.SubjectAlternativeNameExtension(alternatives));
  }

  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: makeSerialNumber(),
    subject,
    issuer: issuerCertificate?.subjectName ?? subject,
    notBefore: options.notBefore ?? new Date(Date.now() - hour),
    notAfter: options.notAfter ?? new Date(Date.now() + 30 * 24 * hour),
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions,
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

/** 16 random bytes in hexadecimal, as a number above 0 of full length (RFC 5280 section 4.1.2.2). */
function makeSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}
