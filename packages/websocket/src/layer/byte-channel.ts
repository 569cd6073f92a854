/** The one file of the byte layer that touches the channel below: bytes in binary messages. */

import {
  BaseChannel,
  type Channel,
  ChannelError,
  type ChannelInfo,
  type ChannelLimits,
  copyToArena,
  flushSoon,
  leaseOwnerOf,
  ownCopy,
  type Receiver,
  throwLater,
} from '@iocp/core/layer';
import { closePayload } from '../codec/close-payload.js';
import { type DecoderEvents, FrameDecoder } from '../codec/decoder.js';
import { CloseCode, FIN, Opcode } from '../codec/frame.js';
import { Sender, type SenderOwner } from '../connection/sender.js';
import { type WebSocketError, webSocketError } from '../errors.js';

/** What channels of one layer share. */
export interface ByteChannelSettings {
  readonly limits: ChannelLimits;
  /** Longest wait for the peer to end what is below, once there is nothing more to say. */
  readonly closeTimeoutMs: number;
}

/** A channel on which the handshake was done. */
export interface ByteChannelSetup {
  readonly role: 'client' | 'server';
  readonly lower: Channel;
  /** What came behind the handshake. */
  readonly head: readonly Uint8Array[];
  /**
   * Both sides speak as this channel does: what one sends is a single message, whose end is the end of the stream, and a close frame
   * is answered once the other has sent all of its own (RFC 6455 section 5.5.1 allows that). Else messages are of any size, and a
   * close frame ends both directions.
   */
  readonly halfClose: boolean;
  readonly settings: ByteChannelSettings;
}

const nothing: readonly Uint8Array[] = [];
const noBytes = new Uint8Array(0);
/** A peer that gathers messages gets no longer ones; and so much is masked at a time. */
const messageBytesMax = 64 * 1024;
/** Chunks up to this size are copied: senders may use their memory again. */
const copiedBytesMax = 4096;
/** The limits are those of this channel, and nothing waits in the sender. */
const senderSettings = { bufferedBytesMax: Number.MAX_SAFE_INTEGER, slowConsumer: 'block' } as const;

// The state, one bit each.
/** A fragment of our message was sent, and not the last one. */
const MESSAGE_BEGUN = 1 << 0;
/** A unit is on its way: `sent()` is owed. */
const SENDING = 1 << 1;
/** The channel below has no room: the rest of the unit waits. */
const WAITING = 1 << 2;
const CLOSE_SENT = 1 << 3;
const CLOSE_RECEIVED = 1 << 4;
const LOWER_CLOSED = 1 << 5;
const CLOSING = 1 << 6;
/** The peer has broken the protocol and should get to see what we say to that. */
const FAILED = 1 << 7;
/** The end of the peer's message has not come. */
const IN_MESSAGE = 1 << 8;

/** A stream of bytes over WebSocket. */
export class ByteChannel extends BaseChannel implements Receiver, DecoderEvents, SenderOwner {
  readonly #lower: Channel;
  readonly #role: 'client' | 'server';
  readonly #halfClose: boolean;
  readonly #settings: ByteChannelSettings;
  readonly #decoder: FrameDecoder;
  readonly #sender: Sender;
  #info: ChannelInfo | null = null;
  #state = 0;
  #kept: Uint8Array[] = [];
  /** The unit under way, and how much of its first chunk has gone. */
  #unit: Uint8Array[] = [];
  #unitOffset = 0;
  /** The last ping that could not be answered. */
  #unanswered: Uint8Array | null = null;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor({ lower, role, head, halfClose, settings }: ByteChannelSetup) {
    super(settings.limits);
    this.#lower = lower;
    this.#role = role;
    this.#halfClose = halfClose;
    this.#settings = settings;
    this.#decoder = new FrameDecoder(this, {
      role,
      payloadBytesMax: Number.MAX_SAFE_INTEGER,
      parts: true,
      deflate: false,
      memory: null,
    });
    this.#sender = new Sender(lower, this, senderSettings, role === 'client', null);
    lower.pause();
    lower.attach(this);
    for (const bytes of head) this.onData(bytes);
  }

  get info(): ChannelInfo {
    this.#info ??= withProtocol(this.#lower.info);
    return this.#info;
  }

  // Events of the channel below.

  onData(bytes: Uint8Array): void {
    if ((this.#state & (CLOSE_RECEIVED | CLOSING)) !== 0) return;
    this.#sender.promiseFlush();
    try {
      this.#decoder.decode(bytes);
    } finally {
      this.#sender.keepPromise();
    }
  }

  onEnd(): void {
    if ((this.#state & (CLOSE_RECEIVED | CLOSING)) === 0) this.failed(truncated());
    else if ((this.#state & CLOSE_SENT) !== 0) this.#lower.end();
  }

  onDrain(): void {
    this.#sender.lowerDrained();
    this.lowerDrained();
  }

  onClose(error: Error | null): void {
    this.#state |= LOWER_CLOSED;
    if ((this.#state & CLOSING) !== 0) this.#release();
    // What both have said is all there was to say.
    else if ((this.#state & CLOSE_RECEIVED) !== 0 && (this.#state & CLOSE_SENT) !== 0)
      this.shutdownDone(null);
    else this.failed(error ?? ((this.#state & CLOSE_RECEIVED) === 0 ? truncated() : closedBelow()));
  }

  // Events of the decoder.

  onPart(part: Buffer, binary: boolean, last: boolean): void {
    this.#state = last ? this.#state & ~IN_MESSAGE : this.#state | IN_MESSAGE;
    if (binary) {
      if (part.byteLength > 0) this.#deliver(part);
      return;
    }
    const message = 'The peer has sent a text message, and this is a stream of bytes';
    this.onViolation(webSocketError('ERR_WS_UNSUPPORTED_DATA', message, CloseCode.UNSUPPORTED_DATA));
  }

  onPing(payload: Buffer): void {
    if ((this.#state & CLOSE_SENT) !== 0) return;
    // Only the last of several needs an answer (RFC 6455 section 5.5.3), so that pings cannot fill the queue.
    if (this.#sender.full) this.#unanswered = ownCopy(payload);
    else this.#sender.control(Opcode.PONG, payload);
  }

  onPong(): void {}

  onCloseFrame(code: number, reason: string): void {
    this.#state |= CLOSE_RECEIVED;
    const inOrder =
      code === CloseCode.NORMAL || code === CloseCode.GOING_AWAY || code === CloseCode.NO_STATUS;
    if (inOrder && (this.#state & IN_MESSAGE) === 0) this.#peerEnded(code);
    else this.#endEarly(code, reason);
  }

  onViolation(error: WebSocketError): void {
    if ((this.#state & CLOSE_SENT) === 0) this.#sendClose(error.closeCode);
    this.#state |= FAILED;
    this.failed(error);
  }

  /** Nothing comes whole, and nothing compressed. */
  onMessage(): void {}
  onCompressed(): void {}

  /** What a receiver throws must not cost the frames behind. */
  #deliver(part: Buffer): void {
    try {
      this.received(part);
    } catch (error) {
      throwLater(error);
    }
  }

  #peerEnded(code: number): void {
    const unsent = this.bufferedAmount > 0;
    try {
      this.ended();
    } catch (error) {
      throwLater(error);
    }
    if (this.#halfClose || (this.#state & (CLOSE_SENT | CLOSING)) !== 0) return;
    // The peer hears no more. What it was not sent, it does not miss, but the sender should know.
    this.#sendClose(code);
    if (unsent) this.failed(closedByPeer(code, ''));
    else this.shutdownDone(null);
  }

  #endEarly(code: number, reason: string): void {
    if ((this.#state & CLOSE_SENT) === 0) this.#sendClose(code);
    this.#state |= FAILED;
    this.failed(closedByPeer(code, reason));
  }

  // Reading

  protected override startRead(): void {
    this.#lower.resume();
  }

  protected override stopRead(): void {
    if ((this.#state & CLOSING) === 0) this.#lower.pause();
  }

  // Sending

  protected override keepChunk(chunk: Uint8Array): void {
    const copied = chunk.byteLength <= copiedBytesMax || leaseOwnerOf(chunk) !== undefined;
    this.#kept.push(copied ? copyToArena(chunk) : chunk);
  }

  protected override dropKept(): void {
    this.#kept = [];
  }

  protected override scheduleFlush(): void {
    flushSoon(this);
  }

  protected override startSend(): void {
    this.#unit = this.#kept;
    this.#kept = [];
    this.#state |= SENDING;
    this.#sendUnit();
  }

  /** As much of the unit as the channel below has room for. */
  #sendUnit(): void {
    this.#state &= ~WAITING;
    this.#sender.promiseFlush();
    for (let chunk = this.#nextPiece(); chunk !== null; chunk = this.#nextPiece()) {
      this.#sender.part(this.#firstByte(), chunk);
      if (!this.#sender.full || this.#unit.length === 0) continue;
      this.#state |= WAITING;
      this.#sender.keepPromise();
      return;
    }
    this.#sender.keepPromise();
    this.#sender.whenFlushed((error) => this.#onUnitTaken(error));
  }

  #nextPiece(): Uint8Array | null {
    const [chunk] = this.#unit;
    if (chunk === undefined) return null;
    const piece = chunk.subarray(this.#unitOffset, this.#unitOffset + messageBytesMax);
    this.#unitOffset += piece.byteLength;
    if (this.#unitOffset === chunk.byteLength) {
      this.#unit.shift();
      this.#unitOffset = 0;
    }
    return piece;
  }

  #firstByte(): number {
    if (!this.#halfClose) return FIN | Opcode.BINARY;
    if ((this.#state & MESSAGE_BEGUN) !== 0) return Opcode.CONTINUATION;
    this.#state |= MESSAGE_BEGUN;
    return Opcode.BINARY;
  }

  #onUnitTaken(error: Error | null): void {
    if ((this.#state & SENDING) === 0) return;
    if (error !== null && (this.#state & CLOSING) === 0) this.#writeFailed(error);
    else this.#unitSent(error);
  }

  #unitSent(error: Error | null): void {
    this.#state &= ~SENDING;
    this.sent(error);
  }

  /** When the channel below is about to close, its `onClose` knows the reason better. */
  #writeFailed(error: Error): void {
    if (!this.#lower.closed || (this.#state & LOWER_CLOSED) !== 0) this.failed(error);
  }

  /** What is in flight here is queued below: it must not count twice. */
  protected override lowerBufferedAmount(): number {
    if ((this.#state & LOWER_CLOSED) !== 0) return 0;
    return Math.max(0, this.#sender.bufferedAmount - this.inFlightBytes);
  }

  // Events of the sender.

  senderFull(): void {}

  senderDrained(): void {
    const unanswered = this.#unanswered;
    this.#unanswered = null;
    if (unanswered !== null && (this.#state & CLOSE_SENT) === 0)
      this.#sender.control(Opcode.PONG, unanswered);
    if ((this.#state & (WAITING | CLOSING)) === WAITING) this.#sendUnit();
  }

  consumerTooSlow(): void {}
  senderFailed(): void {}

  // Ending and closing

  protected override startShutdown(): void {
    if ((this.#state & CLOSE_SENT) === 0) {
      if ((this.#state & MESSAGE_BEGUN) !== 0) this.#sender.part(FIN | Opcode.CONTINUATION, noBytes);
      this.#sendClose(CloseCode.NORMAL);
    }
    this.#lower.write(nothing, (error) => this.#onEndTaken(error));
  }

  #sendClose(code: number): void {
    this.#state |= CLOSE_SENT;
    this.#sender.control(Opcode.CLOSE, closePayload(code === CloseCode.NO_STATUS ? undefined : code));
    this.#sender.passPending();
  }

  #onEndTaken(error: Error | null): void {
    if ((this.#state & CLOSING) !== 0) return;
    // A peer that has ended may be gone before it hears that we have, too.
    if (error === null || (this.#state & CLOSE_RECEIVED) !== 0) this.shutdownDone(null);
    else this.#writeFailed(error);
  }

  protected override startClose(abortive: boolean): void {
    this.#state |= CLOSING;
    this.#unit = [];
    this.#decoder.destroy();
    if ((this.#state & LOWER_CLOSED) !== 0) this.#release();
    else if (abortive && (this.#state & FAILED) === 0) this.#lower.abort(this.closeReason ?? undefined);
    else this.#awaitClose();
  }

  /** The server ends the stream first, and the client waits for that (RFC 6455 section 7.1.1), but not for ever. */
  #awaitClose(): void {
    if (this.#role === 'server' || (this.#state & FAILED) !== 0) this.#lower.end();
    this.#lower.resume();
    this.#closeTimer = setTimeout(abort, this.#settings.closeTimeoutMs, this.#lower);
    this.#closeTimer.unref();
  }

  #release(): void {
    clearTimeout(this.#closeTimer);
    const reason = this.closeReason ?? closedBelow();
    this.#sender.stop(reason);
    if ((this.#state & SENDING) !== 0) this.#unitSent(reason);
    this.closeDone();
  }
}

function abort(lower: Channel): void {
  lower.abort();
}

function closedBelow(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'The channel below was closed');
}

function truncated(): WebSocketError {
  const message = 'The stream has ended without a close frame of the peer: what has come may not be all';
  return webSocketError('ERR_WS_TRUNCATED', message, CloseCode.ABNORMAL);
}

function closedByPeer(code: number, reason: string): WebSocketError {
  const said = reason === '' ? `${code}` : `${code} (${reason})`;
  return webSocketError(
    'ERR_WS_CLOSED',
    `The peer has closed the WebSocket with ${said}`,
    CloseCode.ABNORMAL,
  );
}

function withProtocol(lower: ChannelInfo): ChannelInfo {
  return { ...lower, protocols: [...lower.protocols, 'websocket'] };
}
