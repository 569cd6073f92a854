import { Duplex } from 'node:stream';
import type { Channel, ChannelInfo } from './channel.js';
import { type ConnectionCore, PAUSED_BY_FACE } from './connection-core.js';
import type { Face } from './face.js';
import { ownBytes } from './owned-bytes.js';
import { validateBoolean, validateFunction, validateInteger, validateObject } from './validate.js';

export interface ToDuplexOptions {
  /** As for `stream.Duplex`. Default: that of the connection. */
  readonly allowHalfOpen?: boolean | undefined;
  /** Bytes read ahead. Default: that of the connection, 65536. */
  readonly readableHighWaterMark?: number | undefined;
  /** Default 65536. */
  readonly writableHighWaterMark?: number | undefined;
  /**
   * `destroy()` without an error, with nothing left to send, ends in order; this many milliseconds later, if the peer
   * has not ended too, the connection is aborted. Default 2000. With an error it is aborted at once.
   */
  readonly lingerMs?: number | undefined;
}

type Settled<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** What `net.Socket` can do to its medium, passed on when the channel can. */
interface SocketControls {
  setNoDelay?(enable?: boolean): void;
  setKeepAlive?(enable?: boolean, idleMs?: number): void;
  ref?(): void;
  unref?(): void;
}

class ConnectionDuplex extends Duplex {
  /** Milliseconds set by `setTimeout`; `http` looks at it. */
  timeout = 0;
  private readonly core: ConnectionCore;
  private readonly lingerMs: number;
  private idleTimer: NodeJS.Timeout | undefined;
  private lingerTimer: NodeJS.Timeout | undefined;
  private whenReleased: (() => void) | undefined;

  constructor(core: ConnectionCore, options: Settled<ToDuplexOptions>) {
    const { allowHalfOpen, readableHighWaterMark, writableHighWaterMark } = options;
    super({ allowHalfOpen, readableHighWaterMark, writableHighWaterMark });
    this.core = core;
    this.lingerMs = options.lingerMs;
  }

  override _read(): void {
    this.core.letFlow(PAUSED_BY_FACE);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.idleTimer?.refresh();
    this.core.channel.write(chunk, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.idleTimer?.refresh();
    const gathered = chunks.map((each) => each.chunk);
    this.core.channel.write(gathered, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.core.ended) {
      callback();
      return;
    }
    // An empty write calls back when everything before it has been sent.
    this.core.channel.write([], callback);
    this.core.end();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.idleTimer);
    if (this.core.closed) {
      callback(error);
      return;
    }
    this.whenReleased = () => callback(error);
    const { channel } = this.core;
    if (error !== null || channel.bufferedAmount > 0 || this.writableLength > 0) {
      channel.abort(error ?? undefined);
    } else {
      this.core.end();
      this.core.letFlow(PAUSED_BY_FACE);
      this.lingerTimer = setTimeout(() => channel.abort(), this.lingerMs);
      this.lingerTimer.unref();
    }
  }

  received(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.idleTimer?.refresh();
    if (!this.push(ownBytes(bytes))) this.core.holdBack(PAUSED_BY_FACE);
  }

  peerEnded(): void {
    if (!this.destroyed) this.push(null);
  }

  released(error: Error | null, peerHadEnded: boolean): void {
    clearTimeout(this.lingerTimer);
    if (this.whenReleased !== undefined) this.whenReleased();
    // After an orderly end the stream destroys itself, once all of it has been read.
    else if (error !== null || !peerHadEnded) this.destroy(error ?? undefined);
  }

  /** Emits `'timeout'` after `idleMs` without traffic; 0 switches it off. Never closes anything by itself. */
  setTimeout(idleMs: number, listener?: () => void): this {
    validateInteger(idleMs, 'msecs', 0);
    if (listener !== undefined) validateFunction(listener, 'callback');
    clearTimeout(this.idleTimer);
    this.idleTimer = undefined;
    this.timeout = idleMs;
    if (this.destroyed) return this;
    if (idleMs === 0) {
      if (listener !== undefined) this.removeListener('timeout', listener);
      return this;
    }
    this.idleTimer = setTimeout(() => this.emit('timeout'), idleMs);
    this.idleTimer.unref();
    if (listener !== undefined) this.once('timeout', listener);
    return this;
  }

  setNoDelay(enable?: boolean): this {
    this.controls.setNoDelay?.(enable);
    return this;
  }

  setKeepAlive(enable?: boolean, idleMs?: number): this {
    this.controls.setKeepAlive?.(enable, idleMs);
    return this;
  }

  ref(): this {
    this.controls.ref?.();
    return this;
  }

  unref(): this {
    this.controls.unref?.();
    return this;
  }

  /** Ends after what was written, then destroys, as `net.Socket` does. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  address(): { address?: string | undefined; port?: number | undefined; family?: string | undefined } {
    const { localAddress, localPort, family } = this.info;
    return localAddress === undefined ? {} : { address: localAddress, port: localPort, family };
  }

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
  }

  get encrypted(): boolean {
    return this.info.protocols.includes('tls');
  }

  get bytesRead(): number {
    return this.core.connection.bytesRead;
  }

  get bytesWritten(): number {
    return this.core.connection.bytesWritten + this.core.channel.bufferedAmount;
  }

  get bufferSize(): number {
    return this.core.channel.bufferedAmount + this.writableLength;
  }

  get localAddress(): string | undefined {
    return this.info.localAddress;
  }

  get localPort(): number | undefined {
    return this.info.localPort;
  }

  get localFamily(): string | undefined {
    return this.info.family;
  }

  get remoteAddress(): string | undefined {
    return this.info.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.info.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.info.family;
  }

  private get info(): ChannelInfo {
    return this.core.channel.info;
  }

  private get controls(): SocketControls {
    return this.core.channel as Channel & SocketControls;
  }
}

class DuplexFace implements Face {
  private readonly duplex: ConnectionDuplex;
  private peerHadEnded = false;

  constructor(duplex: ConnectionDuplex) {
    this.duplex = duplex;
  }

  data(_core: ConnectionCore, bytes: Uint8Array): void {
    this.duplex.received(bytes);
  }

  end(): void {
    this.peerHadEnded = true;
    this.duplex.peerEnded();
  }

  drain(): void {}

  close(_core: ConnectionCore, error: Error | null): void {
    this.duplex.released(error, this.peerHadEnded);
  }

  closing(): void {}

  release(): Uint8Array[] {
    const { duplex } = this;
    const queued: Uint8Array[] = [];
    for (let chunk = duplex.read(); chunk !== null; chunk = duplex.read()) queued.push(chunk);
    return queued;
  }
}

/** Makes `core` flow through a Node stream. Reading begins at once, up to the high-water mark, as in `net.Socket`. */
export function toDuplex(core: ConnectionCore, options: ToDuplexOptions = {}): Duplex {
  validateObject(options, 'options');
  const { allowHalfOpen = core.settings.allowHalfOpen, lingerMs = 2000 } = options;
  const { readableHighWaterMark = core.settings.readableHighWaterMark } = options;
  const { writableHighWaterMark = 64 * 1024 } = options;
  validateBoolean(allowHalfOpen, 'options.allowHalfOpen');
  validateInteger(readableHighWaterMark, 'options.readableHighWaterMark', 0);
  validateInteger(writableHighWaterMark, 'options.writableHighWaterMark', 0);
  validateInteger(lingerMs, 'options.lingerMs', 0, 2 ** 31 - 1);
  const duplex = new ConnectionDuplex(core, {
    allowHalfOpen,
    readableHighWaterMark,
    writableHighWaterMark,
    lingerMs,
  });
  core.claim(new DuplexFace(duplex));
  return duplex;
}
