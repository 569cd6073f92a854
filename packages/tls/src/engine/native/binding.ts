/** What the addon `iocp_tls` exports. Everything here is internal to this package. */

/** Index into `words`: what a call of a session has done. */
export enum Word {
  /** Bits of `Status`. */
  STATUS = 0,
  /** Bytes of the input that were consumed. */
  CONSUMED = 1,
  /** `receive`: bytes of plain text written into `plain`. */
  PLAIN = 2,
  /** `send`: where the records end in `output`. */
  OUTPUT = 3,
  /** Bytes of records that found no room, to be fetched with `takeOutput`. */
  SPILLED = 4,
}

export enum Status {
  /** The handshake is done. */
  HANDSHAKEN = 1 << 0,
  /** The peer has said close_notify. */
  PEER_ENDED = 1 << 1,
  /** The ClientHello waits for `continueHello`. */
  HELLO = 1 << 2,
  /** It has failed: `takeError` says why. */
  FAILED = 1 << 3,
  /** There are sessions to take. */
  SESSIONS = 1 << 4,
  /** There are lines for the key log to take. */
  KEYLOG = 1 << 5,
  /** More plain text may follow from the same input: call `receive` again with what is left of it. */
  MORE = 1 << 6,
}

/** Everything is checked before it gets here. */
export interface NativeContextOptions {
  /** PEM, as the other texts: a certificate, then those that lead from it to a root. */
  readonly certificates: readonly Uint8Array[];
  /** One for each certificate, in any order. */
  readonly keys: readonly { readonly pem: Uint8Array; readonly passphrase: string | undefined }[];
  readonly pfx: readonly { readonly der: Uint8Array; readonly passphrase: string | undefined }[];
  /** Undefined: the roots given to `setRoots`. */
  readonly ca: readonly Uint8Array[] | undefined;
  readonly crl: readonly Uint8Array[];
  /** OpenSSL's cipher list for TLS 1.2. */
  readonly cipherList: string;
  /** Cipher suites of TLS 1.3, with colons. */
  readonly cipherSuites: string;
  /** Groups with colons, or 'auto'. */
  readonly groups: string;
  readonly sigalgs: string | undefined;
  /** 0x0303 or 0x0304. */
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly honorCipherOrder: boolean;
  readonly allowPartialTrustChain: boolean;
  /** Seconds. */
  readonly sessionTimeout: number;
  /** For servers: at most 32 bytes. */
  readonly sessionIdContext: Uint8Array | undefined;
  /** 48 bytes each; the first encrypts, all decrypt. Undefined: a random one. */
  readonly ticketKeys: readonly Uint8Array[] | undefined;
  /** Extra bits for SSL_CTX_set_options. */
  readonly secureOptions: number;
  /** PEM of DH parameters for TLS 1.2, 'auto', or undefined for none. */
  readonly dhparam: Uint8Array | 'auto' | undefined;
}

export interface NativeContext {
  setTicketKeys(keys: readonly Uint8Array[]): void;
  /** DER of the (first) certificate and of who issued it, as far as they were given; for OCSP stapling. */
  certificate(): Uint8Array | undefined;
  issuer(): Uint8Array | undefined;
}

export interface NativeSessionOptions {
  readonly server: boolean;
  /** Server: asks for a certificate. A client always looks at the server's. */
  readonly requestCert: boolean;
  /** A peer without a good certificate is refused with an alert. */
  readonly rejectUnauthorized: boolean;
  /** Client: SNI; undefined sends none. */
  readonly servername: string | undefined;
  /** ALPN in wire form (length-prefixed); a client's offer, a server's preference. Undefined: none. */
  readonly alpn: Uint8Array | undefined;
  /** Client: the session to resume. */
  readonly session: Uint8Array | undefined;
  /** Client: asks for an OCSP response. */
  readonly requestOcsp: boolean;
  /** Server: stops at the ClientHello (`Status.HELLO`). */
  readonly stopAtHello: boolean;
  readonly keylog: boolean;
  /** Client: sessions are wanted. */
  readonly sessions: boolean;
  /** Server: how many records OpenSSL protects before the addon goes on with them itself; for tests. Default 16. */
  readonly recordsByOpenssl?: number;
}

export interface ClientHello {
  /** Not checked any further than the wire format. */
  readonly servername: string | undefined;
  readonly protocols: readonly string[];
  readonly wantsOcsp: boolean;
  readonly sessionId: Uint8Array;
}

export interface HelloAnswer {
  readonly context?: NativeContext | undefined;
  /** Undefined: as the options say; null: refuse with no_application_protocol; a name: this one. */
  readonly protocol?: string | null | undefined;
  readonly ocspResponse?: Uint8Array | undefined;
  /** Refuses the handshake: unrecognized_name (RFC 6066) when no context can be had. */
  readonly refused?: boolean | undefined;
}

/** Why a session or the making of a context failed. */
export interface NativeErrorFacts {
  /** `ERR_SSL_…`, `ERR_OSSL_…`, or the name of a verification error, as Node has them. */
  readonly code: string;
  readonly message: string;
  readonly library?: string | undefined;
  readonly reason?: string | undefined;
}

/** OpenSSL's SSL object. Results of calls are in the words; nothing throws but misuse. */
export interface NativeSession {
  /** Client: begins the handshake. */
  start(): void;
  /** Takes `input` from `offset` on, and writes plain text into `plain`. */
  receive(input: Uint8Array, offset: number, plain: Uint8Array): void;
  /**
   * Encrypts `input` from `offset` on into `output` from `at` on. CONSUMED may be less than there is: all that fits, but at least
   * one record, whose end is spilled; or nothing, while the handshake is not done, or a message of it that came later (a
   * ticket) is not complete. Then try again after `receive`.
   */
  send(input: Uint8Array, offset: number, output: Uint8Array, at: number): void;
  /** close_notify, into the spilled output. Spills nothing in the middle of a message of the handshake: as for `send`. */
  end(): void;
  /** Copies spilled output into `output` from `at` on; words: OUTPUT is where it ends, SPILLED what is left. */
  takeOutput(output: Uint8Array, at: number): void;
  clientHello(): ClientHello;
  /** Afterwards call `receive` again, with an empty input if there is none. */
  continueHello(answer: HelloAnswer): void;
  takeError(): NativeErrorFacts;
  takeSessions(): Uint8Array[];
  takeKeylog(): Uint8Array[];

  // Facts: complete when the handshake is done, empty before.

  protocol(): string | null;
  cipher(): { readonly name: string; readonly standardName: string; readonly version: string } | null;
  alpnProtocol(): string | null;
  servername(): string | null;
  sessionReused(): boolean;
  /** Whether the addon has taken the protection of records over from OpenSSL. */
  protectsRecords(): boolean;
  /** 0: good. Otherwise `X509_V_ERR_*`, with its name and text. Null: the peer sent no certificate. */
  verification(): { readonly number: number; readonly code: string; readonly message: string } | null;
  /** DER, the peer's own first. */
  peerCertificates(): Uint8Array[];
  /**
   * True when the peer's certificate names `host` (RFC 9525: subject alternative names only, `*` for a whole first label only).
   * A certificate for which this is false may still be one that `tls.checkServerIdentity` accepts.
   */
  peerIs(host: string, isAddress: boolean): boolean;
  certificate(): Uint8Array | undefined;
  session(): Uint8Array | undefined;
  ticket(): Uint8Array | undefined;
  ephemeralKey(): { readonly type: string; readonly name?: string | undefined; readonly size: number } | null;
  sharedSigalgs(): string[];
  finished(): Uint8Array | undefined;
  peerFinished(): Uint8Array | undefined;
  ocspResponse(): Uint8Array | undefined;
  /** Throws an Error when OpenSSL refuses. */
  exportKeyingMaterial(length: number, label: string, context: Uint8Array | undefined): Uint8Array;
  /**
   * Frees it at once. What was known of the connection can still be asked, from `protocol` to `ocspResponse`; every other call
   * is misuse from then on (`ERR_TLS_FREED`). Idempotent.
   */
  free(): void;
}

export interface TlsBinding {
  /** Version of this interface: `BINDING_VERSION` of both sides must agree. */
  readonly version: number;
  /** What runs, for example 'OpenSSL 3.0.19 …'. */
  readonly openssl: string;
  /** Gives the addon the words it reports in. Once per thread, first. */
  setWords(words: Int32Array): void;
  /** The default trust store, in PEM; parsed when first needed. Once per thread. */
  setRoots(pem: readonly string[]): void;
  /** Throws an Error with the properties of NativeErrorFacts. */
  createContext(options: NativeContextOptions): NativeContext;
  createSession(context: NativeContext, options: NativeSessionOptions): NativeSession;
  /** Alive in this thread: for leak checks. */
  counts(): { readonly contexts: number; readonly sessions: number };
}

export const BINDING_VERSION = 1;
/** Length of the words. */
export const WORDS = 8;
