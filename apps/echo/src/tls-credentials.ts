import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { makeCertificate } from '@iocp/testkit';
import type { Address } from './address.js';
import { describeError, UserError } from './user-error.js';

/** Options of `serve` for TLS. */
export interface TlsServerOptions {
  readonly tls?: readonly Address[];
  readonly wss?: readonly Address[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsSelfSigned?: true;
}

/** A certificate, with the chain that issued it, and its private key, in PEM. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
}

/** Why these options do not go together, if so. */
export function tlsUsageError({
  tls,
  wss,
  tlsCert,
  tlsKey,
  tlsSelfSigned,
}: TlsServerOptions): string | undefined {
  const files = tlsCert !== undefined || tlsKey !== undefined;
  if (tls === undefined && wss === undefined) {
    const missing = 'a certificate is for --tls HOST:PORT, which is missing, or --wss HOST:PORT';
    return files || tlsSelfSigned ? missing : undefined;
  }
  if (files && tlsSelfSigned) return '--tls-self-signed excludes --tls-cert and --tls-key';
  const complete = tlsSelfSigned || (tlsCert !== undefined && tlsKey !== undefined);
  const option = tls === undefined ? '--wss' : '--tls';
  return complete ? undefined : `${option} needs --tls-cert FILE and --tls-key FILE, or --tls-self-signed`;
}

/** Reads the files, or makes a certificate for the names of this machine. */
export function loadCredentials({
  tls = [],
  wss = [],
  tlsCert,
  tlsKey,
}: TlsServerOptions): Promise<TlsCredentials> | TlsCredentials {
  if (tlsCert !== undefined && tlsKey !== undefined) return { cert: readPem(tlsCert), key: readPem(tlsKey) };
  const asked = [...tls, ...wss].flatMap(({ host }) => host ?? []);
  return makeCertificate({ names: [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...asked])] });
}

/** What to compare when nobody vouches for a certificate: its fingerprint, and the names it is for. */
export function describeCertificate({ cert }: TlsCredentials): { fingerprint256: string; names: string } {
  const { fingerprint256, subjectAltName = '' } = new X509Certificate(cert);
  return { fingerprint256, names: subjectAltName };
}

/** @throws UserError when the file cannot be read */
export function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(describeError(error));
  }
}
