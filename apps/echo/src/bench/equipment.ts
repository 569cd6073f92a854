import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from '@iocp/testkit';

/** Programs in C, and the libraries they are linked with. */
const libraries = {
  echo_epoll: [],
  echo_io_uring: [],
  echo_udp: [],
  echo_tls: ['-lssl', '-lcrypto'],
  load_tls: ['-lcrypto'],
} as const;
export type CProgramName = keyof typeof libraries;

/** Files in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What servers and the load generator are made from, in a folder of its own for one run. */
export class Equipment {
  readonly #folder = mkdtempSync(join(tmpdir(), 'iocp-bench-'));
  readonly #compiler = process.env.CC || 'cc';
  readonly #sources = fileURLToPath(new URL('../native-bench/', import.meta.url)); // from dist
  /** Why a program is missing, if it is; of those that were asked for. */
  readonly #built = new Map<CProgramName, string | undefined>();

  /** Path of a program in C, which `whyMissing` has built. */
  program(name: CProgramName): string {
    return join(this.#folder, name);
  }

  /** Builds a program if there is a C compiler (`CC`, or cc) and what it needs; else says why not. */
  whyMissing(name: CProgramName): string | undefined {
    if (!this.#built.has(name)) this.#built.set(name, this.#build(name));
    return this.#built.get(name);
  }

  get certificate(): CertificateFiles {
    return { certFile: join(this.#folder, 'cert.pem'), keyFile: join(this.#folder, 'key.pem') };
  }

  /** Makes the certificate that all TLS servers have: ECDSA on P-256, signed by itself. */
  async makeCertificate(): Promise<void> {
    const { cert, key } = await makeCertificate({ names: ['localhost', '127.0.0.1'] });
    writeFileSync(this.certificate.certFile, cert);
    writeFileSync(this.certificate.keyFile, key, { mode: 0o600 });
  }

  /** OpenSSL of the programs in C. */
  opensslVersion(): string {
    return spawnSync(this.program('load_tls'), ['--version'], { encoding: 'utf8' }).stdout.trim();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #build(name: CProgramName): string | undefined {
    const source = join(this.#sources, `${name}.c`);
    if (!existsSync(source)) return 'the sources are not part of this installation';
    if (spawnSync(this.#compiler, ['--version']).status !== 0) {
      return `there is no C compiler (${this.#compiler}): install gcc or clang`;
    }
    const args = [
      '-std=c11',
      '-O2',
      '-Wall',
      '-Wextra',
      '-o',
      this.program(name),
      source,
      ...libraries[name],
    ];
    const { status, stderr } = spawnSync(this.#compiler, args, { encoding: 'utf8' });
    return status === 0 ? undefined : whyNotBuilt(stderr);
  }
}

/** The first line that says so is enough. */
function whyNotBuilt(stderr: string): string {
  if (/openssl\/\w+\.h|-lssl|-lcrypto/.test(stderr)) {
    return 'the headers or libraries of OpenSSL are missing: install libssl-dev (Debian) or openssl-devel';
  }
  return `it does not compile here: ${/^.*error:.*$/m.exec(stderr)?.[0] ?? stderr}`;
}
