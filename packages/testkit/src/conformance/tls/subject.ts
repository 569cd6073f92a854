/**
 * What the suite needs of a TLS engine without input and output: bytes go in, bytes and events come out. The engines of
 * `@iocp/tls` have this form; names of options are those of `node:tls`.
 */

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Events of an engine: from inside a call of it, or later. None comes after `onError`, and none after `destroy`. */
export interface TlsEngineEvents {
  /** Records for the peer. Lent until this returns. */
  onOutput(records: Uint8Array): void;
  /** Once: `send` and `end` may be called from now on. */
  onHandshake(): void;
  /** Never empty. Lent until this returns. */
  onData(plain: Uint8Array): void;
  /** The peer's close_notify. At most once. */
  onEnd(): void;
  /** It cannot go on; the alert for the peer has come by `onOutput` before. */
  onError(error: Error): void;
  /** `true`: wants no input until `false`. */
  onBusy(busy: boolean): void;
  /** Client: a session to resume. */
  onSession(session: Buffer): void;
  /** A line of the NSS key log format. */
  onKeylog(line: Buffer): void;
}

/** What is known of a connection; named as by `tls.TLSSocket`. */
export interface TlsSubjectFacts {
  readonly protocol: string | null;
  readonly cipher: { readonly name: string } | null;
  readonly alpnProtocol: string | false;
  readonly servername: string | false;
  readonly authorized: boolean;
  readonly authorizationError: (Error & { readonly code: string }) | null;
  readonly sessionReused: boolean;
  readonly ocspResponse: Buffer | null;
  getPeerCertificate(): object;
  exportKeyingMaterial(byteCount: number, label: string, context?: Uint8Array): Buffer;
}

/** One connection's TLS. */
export interface TlsEngineSubject {
  readonly facts: TlsSubjectFacts;
  /** Once, first. */
  start(): void;
  /** The bytes are lent: consumed or copied when it returns. */
  receive(records: Uint8Array): void;
  /** The stream from the peer has ended. */
  receiveEnd(): void;
  /** `done` comes once, when all records of it were put out. */
  send(plain: Uint8Array, done: () => void): void;
  /** close_notify: nothing more will be sent. */
  end(done: () => void): void;
  destroy(): void;
}

/** Certificates and what else many connections share. Made by the engine's maker, and only handed back to it. */
export type TlsTestContext = object;

export interface TlsContextOptions {
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly pfx?: Buffer;
  readonly ca?: string;
  readonly crl?: string;
  readonly ciphers?: string;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** 48 bytes each; the first encrypts, all decrypt. */
  readonly ticketKeys?: readonly Buffer[];
}

/** What a server knows when it answers a ClientHello. */
export interface TlsHello {
  readonly servername: string | undefined;
  readonly protocols: readonly string[];
}

type MaybeLater<T> = T | Promise<T>;

/** Options of one connection. Absent ones have the default of `node:tls`. */
export interface TlsHandshakeOptions {
  readonly alpnProtocols?: readonly string[];
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  readonly keylog?: boolean;
  /** A stream that ends without close_notify: an error (the default), or an end. */
  readonly truncation?: 'error' | 'end';
  /** Server: another context for a name. */
  readonly selectContext?: (hello: TlsHello) => MaybeLater<TlsTestContext | null | undefined>;
  /** Server: chooses the protocol; undefined refuses. */
  readonly selectProtocol?: (hello: TlsHello) => string | undefined;
  /** Server: what is stapled when the client asks. */
  readonly ocspResponse?: (certificate: Buffer, issuer: Buffer | undefined) => MaybeLater<Uint8Array | null>;
  /** Client: the name asked for and looked for in the certificate. The suite's default is `localhost`. */
  readonly servername?: string;
  /** Client: whom the certificate must be for. Default `servername`. */
  readonly expectedHost?: string;
  readonly session?: Buffer;
  readonly requestOcsp?: boolean;
}

/** Makes engines of one kind. */
export interface TlsEngineMaker {
  readonly name: string;
  context(options: TlsContextOptions): TlsTestContext;
  setTicketKeys(context: TlsTestContext, keys: readonly Buffer[]): void;
  engine(
    role: 'client' | 'server',
    context: TlsTestContext,
    options: TlsHandshakeOptions,
    events: TlsEngineEvents,
  ): TlsEngineSubject;
}

/** The engines of the two sides. */
export interface TlsEnginePair {
  readonly client: TlsEngineMaker;
  readonly server: TlsEngineMaker;
  /** Longest wait for an event before a test fails. Default 10 s. */
  readonly deadlineMs?: number;
  /** Resolves when all that destroyed engines used was given back; rejects with what is left. */
  assertReleased(): Promise<void>;
}

/** How engines may differ. */
export interface TlsEngineTraits {
  /**
   * Most places of a handshake that are damaged, cut or torn off one by one; when it is longer, so many at random.
   * Default: all.
   */
  readonly placesMax?: number;
  /** Whether the server still takes tickets of keys that are not the first. Default true. */
  readonly oldTicketKeys?: boolean;
  /** Whether a client whose certificate is refused gets an alert that says why. Default true. */
  readonly alertsRefusal?: boolean;
}
