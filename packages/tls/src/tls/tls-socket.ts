import type { Duplex } from 'node:stream';
import { addAbortSignal } from 'node:stream';
import {
  type Channel,
  ChannelDuplex,
  type ChannelInfo,
  Connection,
  fromDuplex,
  type IoError,
  type Role,
  type ToDuplexOptions,
  validateBoolean,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import { SecureContext } from '../context/secure-context.js';
import type { TlsFacts } from '../engine/facts.js';
import { tls } from '../layer.js';
import { invalidContext } from '../options/option-errors.js';
import type { TlsOptions } from '../options/tls-options.js';
import { type TlsStreamMembers, tlsStreamMembers } from '../stream-members.js';
import {
  disconnected,
  handshakeTimeout,
  invalidState,
  renegotiationDisabled,
  sniFromServer,
} from './errors.js';
import { type TLSSocketOptions, validateOptions } from './options.js';
import { createSecureContext } from './secure-context.js';

/** A stream that tells what `tls.TLSSocket` tells. */
const SecureDuplex = (() => {
  const Stream = class extends ChannelDuplex {};
  Object.defineProperties(Stream.prototype, tlsStreamMembers);
  return Stream as unknown as new (
    options?: ToDuplexOptions,
  ) => ChannelDuplex & TlsStreamMembers;
})();

/** What a socket does besides what its options say, for what makes sockets. */
export interface SocketHooks {
  /** Milliseconds. Default: as long as it takes. */
  readonly handshakeTimeout?: number | undefined;
  /** Client: who the server should be when no name is asked for. */
  readonly host?: string | undefined;
  readonly checkServerIdentity?: TlsOptions['checkServerIdentity'];
  readonly ocspResponse?: TlsOptions['ocspResponse'];
}

const longestMs = 2 ** 31 - 1;

/**
 * A TLS connection with the interface of `tls.TLSSocket`, over any stream or channel; the entry's documentation says where it
 * differs. `tls.connect` and servers make them, and so can you: to go on by TLS on a stream of before, for example.
 */
export class TLSSocket extends SecureDuplex {
  /** The handshake is not done. */
  secureConnecting = true;
  /** As the option. */
  server: unknown;
  readonly #options: TLSSocketOptions;
  readonly #hooks: SocketHooks;
  readonly #context: SecureContext;
  /** Ends dialling and the handshake. */
  readonly #cut = new AbortController();
  #connecting = false;
  /** What is known of the channel below. */
  #below: ChannelInfo = { protocols: [] };
  #servername = '';
  #session: Buffer | undefined;
  /** Sessions that came before anybody could know of the connection. */
  #earlySessions: Buffer[] | null = [];

  /**
   * Begins the handshake when the caller has returned, and emits `'secure'`.
   * @param socket a stream or a channel, which is the socket's from now on; none when `dial` follows
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, and as `createSecureContext`
   */
  constructor(socket?: Duplex | Channel | null, options: TLSSocketOptions = {}, hooks: SocketHooks = {}) {
    validateOptions(options);
    const { enableTrace, secureContext, session, server, highWaterMark, pauseOnConnect, signal } = options;
    if (enableTrace !== undefined && enableTrace !== null)
      validateBoolean(enableTrace, 'options.enableTrace');
    super({
      allowHalfOpen: (socket && 'allowHalfOpen' in socket ? socket : options).allowHalfOpen,
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
    });
    this.#options = options;
    this.#hooks = hooks;
    if (secureContext && !(secureContext instanceof SecureContext))
      throw invalidContext('options.secureContext');
    this.#context = secureContext || createSecureContext(options);
    if (session) this.setSession(session);
    this.server = server;
    if (pauseOnConnect) this.pause();
    if (signal) addAbortSignal(signal, this);
    if (socket) this.#begin(socket);
  }

  /** For `connect`: the channel comes later. */
  dial(open: (signal: AbortSignal) => Promise<Channel>): void {
    this.#connecting = true;
    open(this.#cut.signal).then(
      (lower) => process.nextTick(() => this.#connected(lower)),
      (error) => process.nextTick(() => this.destroy(error)),
    );
  }

  override get info(): ChannelInfo {
    // What a layer below says of TLS is about another connection.
    return this.secureConnecting ? { ...this.#below, tls: undefined } : super.info;
  }

  override get connecting(): boolean {
    return this.#connecting;
  }

  override get pending(): boolean {
    return this.#connecting || this.destroyed;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.#connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** What is below was destroyed by others: no error in Node. */
  override destroy(error?: Error): this {
    return super.destroy(isBelow(error) ? undefined : error);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#connecting = false;
    this.#cut.abort(error ?? undefined);
    // Closed at once, as in Node: what was written before still gets to the peer, but nobody waits for that.
    this.unref();
    super._destroy(error, () => {});
    callback(error);
  }

  /** Client: the name to ask for (SNI), before the handshake. @throws `ERR_TLS_SNI_FROM_SERVER`, `ERR_INVALID_ARG_TYPE` */
  setServername(name: string): void {
    validateString(name, 'name');
    if (this.#role === 'server') throw sniFromServer();
    this.#servername = name;
  }

  /** Client: the session to resume, before the handshake. */
  setSession(session: Buffer | string): void {
    this.#session = typeof session === 'string' ? Buffer.from(session, 'latin1') : session;
  }

  /** Keying material for another protocol (RFC 5705). @throws `ERR_TLS_INVALID_STATE` before the handshake is done */
  exportKeyingMaterial(length: number, label: string, context?: Buffer): Buffer {
    validateInteger(length, 'length', 1, 2 ** 32 - 1);
    validateString(label, 'label');
    if (context !== undefined) validateBytes(context, 'context');
    const facts = this.#facts;
    if (facts === undefined) throw invalidState();
    return facts.exportKeyingMaterial(length, label, context);
  }

  /** Nothing: there is no renegotiation. */
  disableRenegotiation(): void {}

  /** Refused, as Node does with TLS 1.3: `callback` gets `ERR_TLS_RENEGOTIATION_DISABLED`. */
  renegotiate(options: object, callback?: (error: Error | null) => void): boolean | undefined {
    validateObject(options, 'options');
    if (callback !== undefined) validateFunction(callback, 'callback');
    if (this.destroyed) return undefined;
    if (callback !== undefined) process.nextTick(callback, renegotiationDisabled());
    return false;
  }

  /** Not possible: records have the size that suits what is written. Always false. */
  setMaxSendFragment(size: number): boolean {
    validateInteger(size, 'size');
    return false;
  }

  /** Nothing: `NODE_DEBUG=iocp` and key logs show more. */
  enableTrace(): void {}

  get #role(): Role {
    return this.#options.isServer ? 'server' : 'client';
  }

  get #facts(): TlsFacts | undefined {
    return this.info.tls;
  }

  #begin(socket: Duplex | Channel): void {
    if ('attach' in socket) {
      process.nextTick(() => this.#secure(socket));
      return;
    }
    if ((socket as { connecting?: boolean }).connecting !== true) {
      const channel = fromDuplex(socket);
      process.nextTick(() => this.#secure(channel));
      return;
    }
    this.#connecting = true;
    const failed = (error: Error) => this.destroy(error);
    const closed = () => this.destroy(disconnected(this.#role, undefined));
    socket.once('error', failed).once('close', closed);
    socket.once('connect', () => {
      socket.off('error', failed).off('close', closed);
      this.#connected(fromDuplex(socket));
    });
  }

  #connected(lower: Channel): void {
    if (this.destroyed) {
      lower.abort();
      return;
    }
    this.#connecting = false;
    this.#below = lower.info;
    this.emit('connect');
    this.emit('ready');
    this.#secure(lower);
  }

  async #secure(lower: Channel): Promise<void> {
    // Asked for now: the system forgets the peer when a connection fails.
    this.#below = lower.info;
    try {
      const channel = await tls(this.#layerOptions()).wrap(lower, this.#role, {
        signal: this.#cut.signal,
        host: this.#hooks.host,
        servername: this.#servername,
        session: this.#session,
      });
      process.nextTick(() => this.#secured(channel));
    } catch (error) {
      lower.abort();
      process.nextTick(() => this.destroy(this.#explained(error as IoError)));
    }
  }

  #secured(channel: Channel): void {
    if (this.destroyed) {
      channel.abort();
      return;
    }
    new Connection(channel).flowThrough(this);
    this.secureConnecting = false;
    if (this.#options.requestOCSP) this.emit('OCSPResponse', this.#facts?.ocspResponse ?? null);
    if (this.destroyed) return;
    this.emit('secure');
    const sessions = this.#earlySessions ?? [];
    this.#earlySessions = null;
    for (const session of sessions) this.emit('session', session);
  }

  #layerOptions(): TlsOptions {
    const { requestCert, rejectUnauthorized, requestOCSP, SNICallback, ALPNCallback } = this.#options;
    const {
      handshakeTimeout: handshakeTimeoutMs = longestMs,
      checkServerIdentity,
      ocspResponse,
    } = this.#hooks;
    return {
      secureContext: this.#context,
      requestCert: Boolean(requestCert),
      rejectUnauthorized: rejectUnauthorized !== false,
      ALPNProtocols: this.#options.ALPNProtocols,
      ALPNCallback,
      SNICallback,
      checkServerIdentity,
      ocspResponse,
      requestOCSP: Boolean(requestOCSP),
      handshakeTimeoutMs,
      truncation: 'end',
      onSession: (session: Buffer) => {
        if (this.#earlySessions === null) this.emit('session', session);
        else this.#earlySessions.push(session);
      },
      ...(this.listenerCount('keylog') > 0 && { onKeylog: (line: Buffer) => void this.emit('keylog', line) }),
    };
  }

  /** What ended the handshake, as `node:tls` says it. */
  #explained(error: IoError): Error {
    if (error.code === 'ERR_CHANNEL_HANDSHAKE_TIMEOUT') return handshakeTimeout(error);
    const isGone = error.code === 'ERR_TLS_TRUNCATED' || (this.#role === 'server' && isBelow(error));
    if (isGone) return disconnected(this.#role, error);
    return error;
  }
}

/** The medium was closed under us. */
function isBelow(error: Error | undefined): boolean {
  return (error as IoError | undefined)?.code === 'ERR_CHANNEL_CLOSED';
}
