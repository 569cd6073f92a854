import { Duplex } from 'node:stream';
import type { Channel, ChannelInfo } from './channel.js';
import { type ConnectionCore, PAUSED_BY_FACE } from './connection-core.js';
import { ChannelError } from './errors.js';
import type { Face } from './face.js';
import { ownBytes } from './owned-bytes.js';
import { validateBoolean, validateFunction, validateInteger, validateObject } from './validate.js';

/** How `toDuplex` makes a stream. */
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

/** What `net.Socket` can do to its medium, passed on when the channel can. */
interface SocketControls {
  setNoDelay?(enable?: boolean): void;
  setKeepAlive?(enable?: boolean, idleMs?: number): void;
  ref?(): void;
  unref?(): void;
}

type Done = (error?: Error | null) => void;

/** What `releaseChannel` gives. */
export interface ReleasedChannel {
  /** Without a receiver. It reads nothing more than it already has until there is one. */
  readonly channel: Channel;
  /** What was received and nobody has read from the stream, in order, as bytes of their own. */
  readonly head: Uint8Array[];
  /** The peer has ended, and the stream was told so: the next receiver will not be. */
  readonly ended: boolean;
}

const unknownInfo: ChannelInfo = { protocols: [] };

/**
 * A channel as a Node stream, with what code that was written for `net.Socket` looks for. `Connection` makes them
 * (`toDuplex`), or opens one that was there before its channel was: what is asked of it until then waits.
 */
export class ChannelDuplex extends Duplex {
  /** Milliseconds set by `setTimeout`; `http` looks at it. */
  timeout = 0;
  private core: ConnectionCore | null = null;
  private face: DuplexFace | null = null;
  /** What `releaseChannel` gave away: it is still what this stream was about. */
  private given: Channel | null = null;
  /** What was asked for before there was a channel, in order; called with null when none comes. */
  private waiting: ((core: ConnectionCore | null) => void)[] = [];
  private readonly lingerMs: number;
  private idleTimer: NodeJS.Timeout | undefined;
  private lingerTimer: NodeJS.Timeout | undefined;
  private whenReleased: (() => void) | undefined;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
  constructor(options: ToDuplexOptions = {}) {
    validateObject(options, 'options');
    const { allowHalfOpen = false, lingerMs = 2000 } = options;
    const { readableHighWaterMark = 64 * 1024, writableHighWaterMark = 64 * 1024 } = options;
    validateBoolean(allowHalfOpen, 'options.allowHalfOpen');
    validateInteger(readableHighWaterMark, 'options.readableHighWaterMark', 0);
    validateInteger(writableHighWaterMark, 'options.writableHighWaterMark', 0);
    validateInteger(lingerMs, 'options.lingerMs', 0, 2 ** 31 - 1);
    super({ allowHalfOpen, readableHighWaterMark, writableHighWaterMark });
    this.lingerMs = lingerMs;
  }

  /** For `Connection`. The channel is `core`'s; reading begins at once. Once. */
  open(core: ConnectionCore): void {
    const face = new DuplexFace(this);
    core.claim(face);
    this.core = core;
    this.face = face;
    for (const action of this.waiting.splice(0)) action(core);
  }

  /**
   * Takes the channel back out, for a protocol that goes on without a stream, as after an HTTP upgrade. The stream is
   * destroyed, and its `'close'` follows; the channel does not notice. What `info` says stays.
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED` when there is no channel, or not any more; `ERR_CHANNEL_CONSUMER` while
   * bytes that were written to the stream wait in it (`writableLength`)
   */
  releaseChannel(): ReleasedChannel {
    const { core, face } = this;
    if (core === null || face === null || this.destroyed || core.channel.closed) throw nothingToRelease();
    if (this.writableLength > 0) throw stillWriting(this.writableLength);
    const { channel } = core;
    const head = core.release();
    this.core = null;
    this.given = channel;
    this.destroy();
    return { channel, head, ended: face.peerHadEnded };
  }

  /** What is known of the channel; nothing while there is none. */
  get info(): ChannelInfo {
    const channel = this.core?.channel ?? this.given;
    return channel === null ? unknownInfo : channel.info;
  }

  override _read(): void {
    this.core?.letFlow(PAUSED_BY_FACE);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Done): void {
    this.send(chunk, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Done): void {
    this.send(
      chunks.map((each) => each.chunk),
      callback,
    );
  }

  override _final(callback: Done): void {
    const { core } = this;
    if (core === null) {
      this.waiting.push((later) => (later === null ? callback(neverOpened()) : this._final(callback)));
    } else if (core.ended) {
      callback();
    } else {
      // An empty write calls back when everything before it has been sent.
      core.channel.write([], callback);
      core.end();
    }
  }

  override _destroy(error: Error | null, callback: Done): void {
    clearTimeout(this.idleTimer);
    const { core } = this;
    if (core === null || core.closed) {
      for (const action of this.waiting.splice(0)) action(null);
      callback(error);
      return;
    }
    this.whenReleased = () => callback(error);
    const { channel } = core;
    // What is buffered after the finish is a layer's own last word.
    const unsent = !this.writableFinished && (channel.bufferedAmount > 0 || this.writableLength > 0);
    if (error !== null || unsent) {
      channel.abort(error ?? undefined);
    } else {
      core.end();
      core.letFlow(PAUSED_BY_FACE);
      this.lingerTimer = setTimeout(() => channel.abort(), this.lingerMs);
      this.lingerTimer.unref();
    }
  }

  /** For the connection, as the next two. `bytes` are lent. */
  received(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.idleTimer?.refresh();
    if (!this.push(ownBytes(bytes))) this.core?.holdBack(PAUSED_BY_FACE);
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
    return this.control((socket) => socket.setNoDelay?.(enable));
  }

  setKeepAlive(enable?: boolean, idleMs?: number): this {
    return this.control((socket) => socket.setKeepAlive?.(enable, idleMs));
  }

  ref(): this {
    return this.control((socket) => socket.ref?.());
  }

  unref(): this {
    return this.control((socket) => socket.unref?.());
  }

  /** Ends after what was written, then destroys, as `net.Socket` does. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Aborts: the peer sees a reset where the medium has one. */
  resetAndDestroy(): this {
    this.core?.channel.abort();
    return this.destroy();
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
    return this.core?.connection.bytesRead ?? 0;
  }

  get bytesWritten(): number {
    return (this.core?.connection.bytesWritten ?? 0) + this.channelBufferedAmount;
  }

  get bufferSize(): number {
    return this.channelBufferedAmount + this.writableLength;
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

  private get channelBufferedAmount(): number {
    return this.core === null ? 0 : this.core.channel.bufferedAmount;
  }

  private send(chunks: Buffer | Buffer[], callback: Done): void {
    this.idleTimer?.refresh();
    const { core } = this;
    if (core !== null) core.channel.write(chunks, callback);
    else
      this.waiting.push((later) => (later === null ? callback(neverOpened()) : this.send(chunks, callback)));
  }

  private control(action: (socket: SocketControls) => void): this {
    const apply = (core: ConnectionCore | null) => {
      if (core !== null) action(core.channel as Channel & SocketControls);
    };
    if (this.core === null) this.waiting.push(apply);
    else apply(this.core);
    return this;
  }
}

function neverOpened(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'The stream was destroyed before it had a channel');
}

function nothingToRelease(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'The stream has no channel to take out, or not any more');
}

function stillWriting(bytes: number): ChannelError {
  const message = `${bytes} bytes that were written to the stream are not sent yet: wait until writableLength is 0`;
  return new ChannelError('ERR_CHANNEL_CONSUMER', message);
}

class DuplexFace implements Face {
  private readonly duplex: ChannelDuplex;
  peerHadEnded = false;

  constructor(duplex: ChannelDuplex) {
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
