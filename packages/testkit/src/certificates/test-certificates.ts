import { encryptKey } from './keys.js';
import { type CertificateOptions, type Credentials, makeCertificate } from './make-certificate.js';
import { makePfx } from './make-pfx.js';
import { makeRevocationList } from './make-revocation-list.js';

/** What tests of TLS need. Where nothing else is said, a certificate is for `localhost`, `127.0.0.1` and `::1`, by `ca`. */
export interface TestCertificates {
  /** The authority that is trusted. */
  readonly ca: Credentials;
  /** An authority that nobody has heard of. */
  readonly otherCa: Credentials;
  /** ECDSA on P-256. */
  readonly server: Credentials;
  /** RSA with 2048 bits. */
  readonly serverRsa: Credentials;
  /** For `other.test`. */
  readonly otherHost: Credentials;
  /** For `*.example.test`. */
  readonly wildcard: Credentials;
  /** Its time was over yesterday. */
  readonly expired: Credentials;
  /** Its time begins tomorrow. */
  readonly notYetValid: Credentials;
  /** By itself. */
  readonly selfSigned: Credentials;
  /** By `otherCa`. */
  readonly unknownIssuer: Credentials;
  /** On the list `crl`. */
  readonly revoked: Credentials;
  /** By an authority in between. `chain` is the certificate with that authority's behind it, as a server sends it. */
  readonly chained: Credentials & { readonly chain: string };
  /** `server` again, its key encrypted with `passphrase`. */
  readonly encrypted: Credentials & { readonly passphrase: string };
  /** `server` again, with `ca`, as PKCS #12. */
  readonly pfx: { readonly pfx: Buffer; readonly passphrase: string };
  /** For a client named `client`. */
  readonly client: Credentials;
  /** By `otherCa`. */
  readonly clientOfOtherCa: Credentials;
  /** The list of what `ca` has revoked, in PEM. */
  readonly crl: string;
}

let made: Promise<TestCertificates> | undefined;

/** Makes them, once in a process: keys are new in every run, and nothing expires in a repository. */
export function testCertificates(): Promise<TestCertificates> {
  made ??= makeAll();
  return made;
}

async function makeAll(): Promise<TestCertificates> {
  const day = 86_400_000;
  const now = Date.now();
  const passphrase = 'correct horse';
  const names = ['localhost', '127.0.0.1', '::1'];
  const [ca, otherCa] = await Promise.all([
    makeCertificate({ commonName: 'Test CA', usage: 'authority' }),
    makeCertificate({ commonName: 'Other CA', usage: 'authority' }),
  ]);
  const leaf = (options: CertificateOptions = {}) => makeCertificate({ names, issuer: ca, ...options });
  const client = { commonName: 'client', names: [], usage: 'client' } as const;

  const between = await leaf({ commonName: 'Test CA in between', names: [], usage: 'authority' });
  const [server, serverRsa, otherHost, wildcard, expired, notYetValid, selfSigned, unknownIssuer] =
    await Promise.all([
      leaf(),
      leaf({ algorithm: 'rsa' }),
      leaf({ names: ['other.test'] }),
      leaf({ names: ['*.example.test'] }),
      leaf({ notBefore: new Date(now - 2 * day), notAfter: new Date(now - day) }),
      leaf({ notBefore: new Date(now + day), notAfter: new Date(now + 2 * day) }),
      makeCertificate({ names }),
      leaf({ issuer: otherCa }),
    ]);
  const [revoked, chained, ownClient, clientOfOtherCa] = await Promise.all([
    leaf(),
    leaf({ issuer: between }),
    leaf(client),
    leaf({ ...client, issuer: otherCa }),
  ]);
  return {
    ca,
    otherCa,
    server,
    serverRsa,
    otherHost,
    wildcard,
    expired,
    notYetValid,
    selfSigned,
    unknownIssuer,
    revoked,
    chained: { ...chained, chain: chained.cert + between.cert },
    encrypted: { cert: server.cert, key: encryptKey(server.key, passphrase, 'pem'), passphrase },
    pfx: { pfx: makePfx(server, passphrase, [ca.cert]), passphrase },
    client: ownClient,
    clientOfOtherCa,
    crl: await makeRevocationList(ca, [revoked.cert]),
  };
}
