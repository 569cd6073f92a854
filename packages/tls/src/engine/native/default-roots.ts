import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';

/** Not in every Node.js that we run in. */
type GetCertificates = (type: 'default') => string[];

/**
 * The certificates, in PEM, that `node:tls` trusts when it is not told whom to trust: its bundled roots and those of
 * `NODE_EXTRA_CA_CERTS`; where Node.js can say them (from 22.15), also those that `--use-system-ca` adds.
 */
export function defaultRoots(): readonly string[] {
  const { getCACertificates } = tls as { readonly getCACertificates?: GetCertificates };
  if (getCACertificates !== undefined) return getCACertificates('default');
  return [...tls.rootCertificates, ...extraRoots(process.env.NODE_EXTRA_CA_CERTS)];
}

/** As Node does, leaves out a file that is not good as a whole; Node has warned of it at its start. */
export function extraRoots(file: string | undefined): readonly string[] {
  if (!file) return [];
  try {
    const blocks = readFileSync(file, 'utf8').match(
      /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g,
    );
    return (blocks ?? []).map((pem) => new X509Certificate(pem).toString());
  } catch {
    return [];
  }
}
