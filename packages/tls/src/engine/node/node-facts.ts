import { X509Certificate } from 'node:crypto';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
  TLSSocket,
} from 'node:tls';
import { TlsError } from '../../errors.js';
import type { TlsFacts } from '../facts.js';
import { legacyForm } from '../legacy-form.js';
import { certificateInSession, sessionDer } from '../session-form.js';

type None = Record<string, never>;

const noBytes = Buffer.alloc(0);

/** What only a live TLSSocket knows. Other runtimes lack some of it, whatever the type says. */
const questions = {
  certificate: (socket) => (socket?.getCertificate?.() ?? {}) as PeerCertificate | None,
  session: (socket) => sessionDer(socket?.getSession?.() ?? noBytes),
  ticket: (socket) => socket?.getTLSTicket?.() ?? noBytes,
  ephemeralKey: (socket) => (socket?.getEphemeralKeyInfo?.() ?? {}) as EphemeralKeyInfo | None,
  sharedSigalgs: (socket) => socket?.getSharedSigalgs?.() ?? [],
  finished: (socket) => socket?.getFinished?.() ?? noBytes,
  peerFinished: (socket) => socket?.getPeerFinished?.() ?? noBytes,
} satisfies Record<string, (socket: Partial<TLSSocket> | null) => unknown>;

type Answers = { readonly [Name in keyof typeof questions]: ReturnType<(typeof questions)[Name]> };

/** Asks the TLSSocket, and once more for everything just before that is destroyed. */
export class NodeFacts implements TlsFacts {
  protocol: string | null = null;
  cipher: CipherNameAndProtocol | null = null;
  alpnProtocol: string | false = false;
  servername: string | false = false;
  authorized = false;
  authorizationError: TlsFacts['authorizationError'] = null;
  sessionReused = false;
  ocspResponse: Buffer | null = null;
  #socket: TLSSocket | null = null;
  #kept: Answers | null = null;
  #peerCertificate: Partial<DetailedPeerCertificate> = {};

  /**
   * @param servername what was asked for, or ''
   * @param offeredSession the one that the client wanted to resume
   */
  handshaken(socket: TLSSocket, servername: string, offeredSession: Buffer | undefined): void {
    this.#socket = socket;
    this.protocol = socket.getProtocol();
    this.cipher = socket.getCipher();
    this.alpnProtocol = socket.alpnProtocol || false;
    this.servername = servername || false;
    this.sessionReused = socket.isSessionReused();
    this.#peerCertificate = socket.getPeerCertificate(true) ?? {};
    // Node does not know whom a resumed session is with.
    if (this.#peerCertificate.raw === undefined && this.sessionReused && offeredSession !== undefined) {
      const certificate = certificateInSession(sessionDer(offeredSession));
      if (certificate !== undefined) this.#peerCertificate = legacyForm(certificate);
    }
  }

  /** To be called before the TLSSocket is destroyed. Idempotent. */
  keep(): void {
    const socket = this.#socket;
    if (socket === null) return;
    const answers = Object.entries(questions).map(([name, ask]) => [name, ask(socket)]);
    this.#kept = Object.fromEntries(answers) as Answers;
    this.#socket = null;
  }

  #ask<Name extends keyof Answers>(name: Name): Answers[Name] {
    return this.#kept?.[name] ?? (questions[name](this.#socket) as Answers[Name]);
  }

  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    const { issuerCertificate, ...certificate } = this.#peerCertificate as DetailedPeerCertificate;
    return detailed && issuerCertificate !== undefined ? { ...certificate, issuerCertificate } : certificate;
  }

  getPeerX509Certificate(): X509Certificate | undefined {
    return parsed(this.#peerCertificate);
  }

  getCertificate(): PeerCertificate | None {
    return this.#ask('certificate');
  }

  getX509Certificate(): X509Certificate | undefined {
    return parsed(this.#ask('certificate'));
  }

  getSession(): Buffer | undefined {
    return unlessEmpty(this.#ask('session'));
  }

  getTLSTicket(): Buffer | undefined {
    return unlessEmpty(this.#ask('ticket'));
  }

  getEphemeralKeyInfo(): EphemeralKeyInfo | None {
    return this.#ask('ephemeralKey');
  }

  getSharedSigalgs(): string[] {
    return this.#ask('sharedSigalgs');
  }

  getFinished(): Buffer | undefined {
    return unlessEmpty(this.#ask('finished'));
  }

  getPeerFinished(): Buffer | undefined {
    return unlessEmpty(this.#ask('peerFinished'));
  }

  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Buffer {
    const socket: Partial<TLSSocket> | null = this.#socket;
    if (socket === null) throw invalidState();
    if (socket.exportKeyingMaterial === undefined) throw notHere();
    return socket.exportKeyingMaterial(length, label, context as Buffer);
  }
}

function invalidState(): TlsError {
  const message = 'Keying material is there from the end of the handshake until the connection is closed';
  return new TlsError('ERR_TLS_INVALID_STATE', message);
}

/** In Deno. */
function notHere(): TlsError {
  const message = 'The TLS sockets of this runtime export no keying material';
  return new TlsError('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', message);
}

function unlessEmpty(bytes: Buffer): Buffer | undefined {
  return bytes.byteLength === 0 ? undefined : bytes;
}

/** `getPeerX509Certificate` of a client takes the certificate out of the chain, so that nobody finds it again (up to Node 24). */
function parsed({ raw }: Partial<PeerCertificate>): X509Certificate | undefined {
  return raw && new X509Certificate(raw);
}
