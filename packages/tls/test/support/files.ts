/** Certificates as files, for programs. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fixture } from './backends.js';

/** Paths of files that exist until the end of the test. */
export interface CertificateFiles {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Writes what programs need to be servers and clients. */
export function writeCertificates({ certificates, after }: Fixture): CertificateFiles {
  const folder = mkdtempSync(join(tmpdir(), 'iocp-tls-'));
  after(() => rmSync(folder, { recursive: true }));
  const { ca, server, client } = certificates;
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return {
    folder,
    ca: write('ca.pem', ca.cert),
    cert: write('cert.pem', server.cert),
    key: write('key.pem', server.key),
    clientCert: write('client-cert.pem', client.cert),
    clientKey: write('client-key.pem', client.key),
  };
}
