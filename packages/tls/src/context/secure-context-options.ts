import { createHash } from 'node:crypto';
import { DEFAULT_MAX_VERSION, DEFAULT_MIN_VERSION } from 'node:tls';
import {
  invalidArgumentValue,
  validateBoolean,
  validateInteger,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import { type Material, readBytes, readList, readPem } from './key-material.js';
import type { SecureContextSettings } from './secure-context-settings.js';
import { readTicketKeys } from './ticket-keys.js';

/** A private key with the passphrase it is encrypted with. */
export interface PrivateKey {
  /** PEM: PKCS #8, or one of the older forms. */
  readonly pem: Material;
  /** Default: `passphrase` of the options. */
  readonly passphrase?: string | undefined;
}

/** A PKCS #12 bundle with the passphrase it is encrypted with. */
export interface Pkcs12 {
  readonly buf: Material;
  /** Default: `passphrase` of the options. */
  readonly passphrase?: string | undefined;
}

/** The versions of TLS that are spoken. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/**
 * Who we are, whom we trust, and which cryptography is good enough. Names and forms are those of `tls.createSecureContext`;
 * every option has a secure default. `null` is as good as undefined.
 */
export interface SecureContextOptions {
  /**
   * Our certificates: PEM, each followed by those that lead to a root (which itself may be left out), or one in DER. Several
   * for keys of different kinds, ECDSA and RSA for example: the peer chooses. A certificate that comes alone is completed
   * from `ca`.
   */
  readonly cert?: Material | readonly Material[] | null | undefined;
  /** The private keys of `cert`, in any order: PEM, encrypted or not. */
  readonly key?: Material | PrivateKey | readonly (Material | PrivateKey)[] | null | undefined;
  /** Certificates and their keys as PKCS #12, in the place of `cert` and `key`. Whom they contain besides is trusted. */
  readonly pfx?: Material | Pkcs12 | readonly (Material | Pkcs12)[] | null | undefined;
  /** Decrypts `key` and `pfx`. */
  readonly passphrase?: string | null | undefined;
  /**
   * Whom to trust, and nobody else: PEM with any number of certificates, or DER. A server that asks for certificates also
   * tells clients these names. Default: the roots of Node.js, with those of `NODE_EXTRA_CA_CERTS`.
   */
  readonly ca?: Material | readonly Material[] | null | undefined;
  /** Lists of revoked certificates: PEM or DER. With any, every certificate of a chain needs a list that covers it. */
  readonly crl?: Material | readonly Material[] | null | undefined;
  /** A certificate in `ca` ends a chain although it is not a root. Default false. */
  readonly allowPartialTrustChain?: boolean | null | undefined;
  /** The oldest version spoken. Default `'TLSv1.2'`, or `'TLSv1.3'` under `node --tls-min-v1.3`. */
  readonly minVersion?: TlsVersion | null | undefined;
  /** The newest version spoken. Default `'TLSv1.3'`, or `'TLSv1.2'` under `node --tls-max-v1.2`. */
  readonly maxVersion?: TlsVersion | null | undefined;
  /**
   * Cipher suites, best first, with colons: those of TLS 1.3 (`TLS_…`) and OpenSSL's names for TLS 1.2, in one list. Without
   * any of TLS 1.3 its defaults stay. Default: `defaultCiphers`.
   */
  readonly ciphers?: string | null | undefined;
  /** A server takes the best suite of its own list, not of the client's. Default true. */
  readonly honorCipherOrder?: boolean | null | undefined;
  /** Groups for the key exchange, best first, with colons. Default `'auto'`: those of OpenSSL. */
  readonly ecdhCurve?: string | null | undefined;
  /** Signature algorithms, best first, with colons. Default: those of OpenSSL. */
  readonly sigalgs?: string | null | undefined;
  /** Parameters for DHE with TLS 1.2: PEM of at least 1024 bits, or `'auto'`. Default: no DHE. */
  readonly dhparam?: Material | null | undefined;
  /** `SSL_OP_*` of `crypto.constants`, added to what is set anyway. Default 0. */
  readonly secureOptions?: number | null | undefined;
  /** Seconds in which a session of a server can be resumed, from 0 to 2 147 483 647. Default 7200, as OpenSSL has it. */
  readonly sessionTimeout?: number | null | undefined;
  /**
   * Only servers with the same text, of at most 32 bytes, resume each other's sessions. Default: as `tls.createServer`, a
   * hash of the command line.
   */
  readonly sessionIdContext?: string | null | undefined;
  /**
   * Keys of session tickets, 48 bytes each, for servers that resume each other's sessions: 16 bytes of name, 16 for
   * HMAC-SHA-256, 16 for AES-128, as in `node:tls`. The first encrypts, all decrypt. Default: one at random.
   */
  readonly ticketKeys?: Uint8Array | readonly Uint8Array[] | null | undefined;
}

/** TLS 1.3 as OpenSSL has it; for TLS 1.2 what keeps past traffic secret (ECDHE) and authenticates as it encrypts (AEAD). */
export const defaultCiphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const sessionTimeoutDefault = 7200;
const sessionTimeoutMax = 2 ** 31 - 1;
const sessionIdContextBytesMax = 32;

/**
 * Checks the options and fills in defaults. What is inside certificates and keys is for the engine to judge.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_TLS_INVALID_PROTOCOL_VERSION`
 */
export function readSecureContextOptions(options: SecureContextOptions): SecureContextSettings {
  validateObject(options, 'options');
  const passphrase = readText(options.passphrase, 'options.passphrase');
  return {
    certificates: readList(options.cert).map((each) => readPem(each, 'options.cert', 'CERTIFICATE')),
    keys: readList(options.key).map((each) => readKey(each, passphrase)),
    pfx: readList(options.pfx).map((each) => readPkcs12(each, passphrase)),
    // As in Node an empty text is none; an empty list trusts nobody.
    ca: options.ca
      ? readList(options.ca).map((each) => readPem(each, 'options.ca', 'CERTIFICATE'))
      : undefined,
    crl: readList(options.crl).map((each) => readPem(each, 'options.crl', 'X509 CRL')),
    ciphers: readCiphers(options.ciphers),
    ecdhCurve: readText(options.ecdhCurve, 'options.ecdhCurve') ?? 'auto',
    sigalgs: readSignatureAlgorithms(options.sigalgs),
    ...readVersions(options),
    honorCipherOrder: readFlag(options.honorCipherOrder, 'options.honorCipherOrder', true),
    allowPartialTrustChain: readFlag(options.allowPartialTrustChain, 'options.allowPartialTrustChain', false),
    sessionTimeout: readNumber(
      options.sessionTimeout,
      'options.sessionTimeout',
      sessionTimeoutDefault,
      sessionTimeoutMax,
    ),
    sessionIdContext: readSessionIdContext(options.sessionIdContext),
    ticketKeys:
      options.ticketKeys == null ? undefined : readTicketKeys(options.ticketKeys, 'options.ticketKeys'),
    secureOptions: readNumber(options.secureOptions, 'options.secureOptions', 0, Number.MAX_SAFE_INTEGER),
    dhparam: readDhParameters(options.dhparam),
  };
}

function readKey(given: unknown, passphrase: string | undefined): SecureContextSettings['keys'][number] {
  const { material, passphrase: own } = unwrap(given, 'pem', 'options.key');
  return { pem: readBytes(material, 'options.key'), passphrase: own ?? passphrase };
}

function readPkcs12(given: unknown, passphrase: string | undefined): SecureContextSettings['pfx'][number] {
  const { material, passphrase: own } = unwrap(given, 'buf', 'options.pfx');
  return { der: readBytes(material, 'options.pfx'), passphrase: own ?? passphrase };
}

/** `{ <member>, passphrase }`, or what would be its member. */
function unwrap(
  given: unknown,
  member: 'pem' | 'buf',
  name: string,
): { material: unknown; passphrase: string | undefined } {
  if (typeof given !== 'object' || given === null || !(member in given)) {
    return { material: given, passphrase: undefined };
  }
  const { [member]: material, passphrase } = given as { pem?: unknown; buf?: unknown; passphrase?: unknown };
  return { material, passphrase: readText(passphrase, `${name}.passphrase`) };
}

function readDhParameters(given: unknown): SecureContextSettings['dhparam'] {
  if (given === undefined || given === null) return undefined;
  return given === 'auto' ? 'auto' : readBytes(given, 'options.dhparam');
}

function readText(given: unknown, name: string): string | undefined {
  if (given === undefined || given === null) return undefined;
  validateString(given, name);
  return given;
}

function readFlag(given: unknown, name: string, otherwise: boolean): boolean {
  if (given === undefined || given === null) return otherwise;
  validateBoolean(given, name);
  return given;
}

function readNumber(given: unknown, name: string, otherwise: number, max: number): number {
  if (given === undefined || given === null) return otherwise;
  validateInteger(given, name, 0, max);
  return given;
}

function readCiphers(given: unknown): string {
  const ciphers = readText(given, 'options.ciphers') || defaultCiphers;
  if (/^:*$/.test(ciphers)) throw invalidArgumentValue('options.ciphers', given);
  return ciphers;
}

function readSignatureAlgorithms(given: unknown): string | undefined {
  const algorithms = readText(given, 'options.sigalgs');
  if (algorithms === '') throw invalidArgumentValue('options.sigalgs', algorithms);
  return algorithms;
}

function readVersions(
  options: SecureContextOptions,
): Pick<SecureContextSettings, 'minVersion' | 'maxVersion'> {
  // Whoever starts Node.js may narrow the range of every program, not widen it.
  const minDefault = DEFAULT_MIN_VERSION === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2';
  const maxDefault = DEFAULT_MAX_VERSION === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3';
  const minVersion = readVersion(options.minVersion ?? minDefault, 'minimum');
  const maxVersion = readVersion(options.maxVersion ?? maxDefault, 'maximum');
  if (minVersion > maxVersion) {
    throw invalidArgumentValue(
      'options.minVersion',
      minVersion,
      `must not be above maxVersion (${maxVersion})`,
    );
  }
  return { minVersion, maxVersion };
}

function readVersion(given: unknown, which: 'minimum' | 'maximum'): TlsVersion {
  if (given === 'TLSv1.2' || given === 'TLSv1.3') return given;
  const message = `${JSON.stringify(given)} is not a valid ${which} TLS protocol version: TLSv1.2 and TLSv1.3 are`;
  throw Object.assign(new TypeError(message), { code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' });
}

function readSessionIdContext(given: unknown): string {
  const context = readText(given, 'options.sessionIdContext');
  if (!context) return sessionIdContextOfProgram();
  if (Buffer.byteLength(context) > sessionIdContextBytesMax) {
    const reason = `must have at most ${sessionIdContextBytesMax} bytes`;
    throw invalidArgumentValue('options.sessionIdContext', context, reason);
  }
  return context;
}

/** The same as that of `tls.createServer`, so that both resume each other's sessions when they share ticket keys. */
function sessionIdContextOfProgram(): string {
  const commandLine = process.argv.join(' ');
  return createHash('sha1').update(commandLine).digest('hex').slice(0, sessionIdContextBytesMax);
}
