import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
} from 'node:tls';
import { TlsError } from '../../errors.js';
import { type AuthorizationError, authorizationError, verificationError } from '../../identity.js';
import type { HandshakeSettings } from '../../options/handshake-settings.js';
import type { TlsFacts } from '../facts.js';
import { legacyForm } from '../legacy-form.js';
import type { NativeSession } from './binding.js';
import { asBuffer } from './hello-answer.js';

type None = Record<string, never>;

/** Asks the session, which knows it all also after it was freed. */
export class NativeFacts implements TlsFacts {
  authorized = false;
  authorizationError: AuthorizationError | null = null;
  readonly #session: NativeSession;
  /** Between the handshake and the end. */
  #open = false;

  constructor(session: NativeSession) {
    this.#session = session;
  }

  handshaken(role: 'client' | 'server', settings: HandshakeSettings): void {
    this.#open = true;
    if (role === 'server' && !settings.requestCert) return;
    const session = this.#session;
    this.authorizationError = authorizationError(role, settings, {
      verification: verificationOf(session),
      isFor: (host) => session.peerIs(host, isIP(host) !== 0),
      certificate: () => this.getPeerCertificate(true),
    });
    this.authorized = this.authorizationError === null;
  }

  closed(): void {
    this.#open = false;
  }

  get protocol(): string | null {
    return this.#session.protocol();
  }

  get cipher(): CipherNameAndProtocol | null {
    return this.#session.cipher();
  }

  get alpnProtocol(): string | false {
    return this.#session.alpnProtocol() ?? false;
  }

  get servername(): string | false {
    return this.#session.servername() ?? false;
  }

  get sessionReused(): boolean {
    return this.#session.sessionReused();
  }

  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    const chain = this.#session.peerCertificates();
    const [own] = chain;
    // Node gives an empty object for none, whatever the type says.
    if (own === undefined) return {} as PeerCertificate;
    return detailed ? detailedForm(chain) : legacyForm(own);
  }

  getPeerX509Certificate(): X509Certificate | undefined {
    const [own] = this.#session.peerCertificates();
    return own && new X509Certificate(own);
  }

  getCertificate(): PeerCertificate | None {
    const certificate = this.#session.certificate();
    return certificate === undefined ? {} : legacyForm(certificate);
  }

  getX509Certificate(): X509Certificate | undefined {
    const certificate = this.#session.certificate();
    return certificate && new X509Certificate(certificate);
  }

  getSession(): Buffer | undefined {
    return buffer(this.#session.session());
  }

  getTLSTicket(): Buffer | undefined {
    return buffer(this.#session.ticket());
  }

  getEphemeralKeyInfo(): EphemeralKeyInfo | None {
    return (this.#session.ephemeralKey() as EphemeralKeyInfo | null) ?? {};
  }

  getSharedSigalgs(): string[] {
    return this.#session.sharedSigalgs();
  }

  getFinished(): Buffer | undefined {
    return buffer(this.#session.finished());
  }

  getPeerFinished(): Buffer | undefined {
    return buffer(this.#session.peerFinished());
  }

  get ocspResponse(): Buffer | null {
    return buffer(this.#session.ocspResponse()) ?? null;
  }

  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Buffer {
    if (!this.#open) {
      throw new TlsError('ERR_TLS_INVALID_STATE', 'TLS socket connection must be securely established');
    }
    return asBuffer(this.#session.exportKeyingMaterial(length, label, context));
  }
}

function verificationOf(session: NativeSession): AuthorizationError | null | undefined {
  const found = session.verification();
  if (found === null) return undefined;
  return found.number === 0 ? null : verificationError(found.code, found.message);
}

/** Each with its issuer; a root is its own. */
function detailedForm(chain: readonly Uint8Array[]): DetailedPeerCertificate {
  const parsed = chain.map((der) => new X509Certificate(der));
  const certificates = parsed.map((each) => legacyForm(each) as DetailedPeerCertificate);
  certificates.forEach((certificate, index) => {
    const isRoot = parsed[index]?.checkIssued(parsed[index]);
    const issuer = isRoot ? certificate : certificates[index + 1];
    if (issuer !== undefined) certificate.issuerCertificate = issuer;
  });
  return certificates[0] as DetailedPeerCertificate;
}

function buffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes && asBuffer(bytes);
}
