/** The half of a connection that writes to the channel below: messages and control frames become bytes. */

import { type Channel, flushSoon, leaseOwnerOf, ownCopy } from '@iocp/core/layer';
import { headerLength, maskKey, writeHeader } from '../codec/encoder.js';
import { FIN, headerBytesMax, Opcode, RSV1 } from '../codec/frame.js';
import { takeHeadroom } from '../codec/headroom.js';
import { applyMask } from '../codec/mask.js';
import { Deflater } from '../deflate/deflater.js';
import type { DeflateAgreement } from '../deflate/negotiation.js';
import type { PreparedMessage } from '../prepared.js';
import { type AreaOwner, areaBytes, frameArea } from './frame-area.js';
import { Outbox } from './outbox.js';
import type { SlowConsumerPolicy } from './settings.js';

/**
 * What came of a message: `'sent'`, taken; `'full'`, taken, but wait for `drain` before the next; `'refused'`, not taken, because the
 * connection closes, or because of the policy for slow consumers.
 */
export type SendStatus = 'sent' | 'full' | 'refused';

export interface SenderSettings {
  readonly bufferedBytesMax: number;
  readonly slowConsumer: SlowConsumerPolicy;
}

/** What a sender has to say to the rest of the connection. */
export interface SenderOwner {
  /** More is waiting than should: until `senderDrained`. */
  senderFull(): void;
  senderDrained(): void;
  /** The cap is reached, and the policy is to close. */
  consumerTooSlow(waitingBytes: number): void;
  /** Compression failed: zlib is out of memory. */
  senderFailed(error: Error): void;
}

// The state, one bit each.
/** The channel below has said to wait. */
const LOWER_FULL = 1 << 0;
/** Too much waits for its turn. */
const OUTBOX_FULL = 1 << 1;
const FLUSH_SCHEDULED = 1 << 2;
/** Whoever calls will flush. */
const FLUSH_PROMISED = 1 << 3;
/** Nothing is sent any more. */
const STOPPED = 1 << 4;
/** The close frame was sent, and nothing may come behind it. */
const CLOSED = 1 << 5;
const FULL = LOWER_FULL | OUTBOX_FULL;

const outboxHighBytes = 64 * 1024;
const outboxLowBytes = outboxHighBytes / 4;
const empty = new Uint8Array(0);

/** Frames messages in order. Nothing waits here but what is being compressed, and what has to come behind it. */
export class Sender implements AreaOwner {
  readonly #lower: Channel;
  readonly #owner: SenderOwner;
  readonly #settings: SenderSettings;
  /** Clients mask what they send (RFC 6455 section 5.3). */
  readonly #masked: boolean;
  readonly #deflate: DeflateAgreement | null;
  #deflater: Deflater | null = null;
  #outbox: Outbox | null = null;
  /** Messages in the making that have the floor or wait for it. */
  #writers = 0;
  #state = 0;

  constructor(
    lower: Channel,
    owner: SenderOwner,
    settings: SenderSettings,
    masked: boolean,
    deflate: DeflateAgreement | null,
  ) {
    this.#lower = lower;
    this.#owner = owner;
    this.#settings = settings;
    this.#masked = masked;
    this.#deflate = deflate;
  }

  get bufferedAmount(): number {
    return this.#lower.bufferedAmount + frameArea.pendingOf(this) + (this.#outbox?.bytes ?? 0);
  }

  get full(): boolean {
    return (this.#state & FULL) !== 0;
  }

  /** What is sent until `keepPromise` goes down then. */
  promiseFlush(): void {
    this.#state |= FLUSH_PROMISED;
  }

  keepPromise(): void {
    this.#state &= ~FLUSH_PROMISED;
    frameArea.flushOf(this);
  }

  /** What was framed goes down now. */
  passPending(): void {
    frameArea.flushOf(this);
  }

  /** For the turn scheduler. */
  flush(): void {
    this.#state &= ~FLUSH_SCHEDULED;
    frameArea.flushOf(this);
  }

  text(text: string, binary: boolean, compress: boolean | undefined): SendStatus {
    const length = Buffer.byteLength(text);
    const total = headerLength(length, this.#masked) + length;
    if (total > areaBytes || this.#deflate !== null || this.#outbox !== null) {
      return this.bytes(Buffer.from(text), binary, compress);
    }
    if (!this.#admits(total)) return 'refused';
    const at = frameArea.reserve(this, total);
    const key = this.#masked ? maskKey() : 0;
    const first = FIN | (binary ? Opcode.BINARY : Opcode.TEXT);
    const start = writeHeader(frameArea.bytes, at, first, length, key, this.#masked);
    frameArea.bytes.write(text, start, length);
    this.#finishFrame(start, start + length, key);
    return this.#status();
  }

  bytes(payload: Uint8Array, binary: boolean, compress: boolean | undefined): SendStatus {
    if (!this.#admits(payload.byteLength + headerBytesMax)) return 'refused';
    const opcode = binary ? Opcode.BINARY : Opcode.TEXT;
    const deflate = this.#deflate;
    if (deflate !== null && (compress ?? payload.byteLength >= deflate.threshold)) {
      this.#compressLater(opcode, payload, deflate);
    } else if (this.#outbox !== null) {
      this.#frameLater(opcode, payload);
    } else {
      this.#frame(FIN | opcode, payload);
    }
    return this.#status();
  }

  prepared(message: PreparedMessage): SendStatus {
    const deflate = this.#deflate;
    const { payload, binary } = message;
    if (this.#masked || this.#outbox !== null) return this.bytes(payload, binary, message.compress);
    let frame = message.frame;
    if (deflate !== null && (message.compress ?? payload.byteLength >= deflate.threshold)) {
      if (deflate.contextTakeover) return this.bytes(payload, binary, true);
      frame = message.compressedFrame(deflate);
    }
    if (!this.#admits(frame.byteLength)) return 'refused';
    frameArea.flushOf(this);
    this.passDown(frame);
    return this.#status();
  }

  /** One frame of a message in parts, which has the floor. */
  part(first: number, payload: Uint8Array): SendStatus {
    if (!this.#admits(payload.byteLength + headerBytesMax)) return 'refused';
    this.#frame(first, payload);
    return this.#status();
  }

  /** Goes at once, between the frames of a message if need be; a close goes behind all that was sent. */
  control(opcode: number, payload: Uint8Array): void {
    if ((this.#state & (STOPPED | CLOSED)) !== 0) return;
    this.#frame(FIN | opcode, payload);
  }

  /**
   * Sends a close frame behind everything, and then says so.
   * @param isAnswer the peer has closed: does not wait for messages in the making, which perhaps nobody will end
   */
  close(payload: Uint8Array, isAnswer: boolean, done: () => void): void {
    if (this.#outbox === null || (isAnswer && this.#writers > 0)) {
      this.#sendClose(payload);
      done();
      return;
    }
    this.#outbox.add(0, (next, canceled) => {
      if (canceled !== null) return;
      this.#sendClose(payload);
      next();
      done();
    });
  }

  #sendClose(payload: Uint8Array): void {
    this.control(Opcode.CLOSE, payload);
    this.#state |= CLOSED;
    this.passPending();
  }

  /** Calls back when all that was sent until now was handed to the medium, or with the reason why it never will be. */
  whenFlushed(done: (error: Error | null) => void): void {
    if (this.#outbox === null) {
      frameArea.flushOf(this);
      this.#lower.write([], done);
      return;
    }
    this.#outbox.add(0, (next, canceled) => {
      if (canceled !== null) {
        done(canceled);
        return;
      }
      frameArea.flushOf(this);
      this.#lower.write([], done);
      next();
    });
  }

  /** `run` gets the floor once all that was sent has gone down; the rest waits until it gives the floor back. */
  takeFloor(run: (giveBack: () => void, canceled: Error | null) => void): void {
    this.#writers++;
    this.#open().add(0, (next, canceled) =>
      run(() => {
        this.#writers--;
        next();
      }, canceled),
    );
  }

  /** Bytes that wait for the floor. */
  waiting(bytes: number): void {
    this.#outbox?.count(bytes);
  }

  /** The channel below has room again. */
  lowerDrained(): void {
    this.#relax(LOWER_FULL);
  }

  /** Nothing is sent any more; what waits is given up. */
  stop(reason: Error): void {
    if ((this.#state & STOPPED) !== 0) return;
    this.#state |= STOPPED;
    frameArea.dropOf(this);
    this.#deflater?.close();
    this.#deflater = null;
    const outbox = this.#outbox;
    this.#outbox = null;
    outbox?.cancel(reason);
  }

  /** Strict: counts what this message would make it. */
  #admits(bytes: number): boolean {
    if ((this.#state & (STOPPED | CLOSED)) !== 0) return false;
    const waiting = this.bufferedAmount;
    if (waiting === 0 || waiting + bytes <= this.#settings.bufferedBytesMax) return true;
    if (this.#settings.slowConsumer === 'close') this.#owner.consumerTooSlow(waiting + bytes);
    else this.#awaitRoom();
    return false;
  }

  /** The channel below may have marks above our cap, and say nothing. */
  #awaitRoom(): void {
    if ((this.#state & FULL) !== 0) return;
    this.#tighten(LOWER_FULL);
    frameArea.flushOf(this);
    this.#lower.write([], () => this.#relax(LOWER_FULL));
  }

  #status(): SendStatus {
    return (this.#state & FULL) === 0 ? 'sent' : 'full';
  }

  #frame(first: number, payload: Uint8Array): void {
    if ((this.#state & CLOSED) !== 0) return;
    const length = payload.byteLength;
    const masked = this.#masked;
    const header = headerLength(length, masked);
    if (header + length <= areaBytes) {
      const at = frameArea.reserve(this, header + length);
      const key = masked ? maskKey() : 0;
      const start = writeHeader(frameArea.bytes, at, first, length, key, masked);
      frameArea.bytes.set(payload, start);
      this.#finishFrame(start, start + length, key);
    } else if (masked) {
      const key = maskKey();
      const frame = Buffer.allocUnsafeSlow(header + length);
      const start = writeHeader(frame, 0, first, length, key, true);
      frame.set(payload, start);
      applyMask(frame, start, start + length, key, 0);
      frameArea.flushOf(this);
      this.passDown(frame);
    } else if (!this.#frameInPlace(first, payload, header)) {
      const at = frameArea.reserve(this, header);
      frameArea.advance(writeHeader(frameArea.bytes, at, first, length, 0, false));
      this.passDown([frameArea.takeOf(this) ?? empty, payload]);
    }
  }

  /** An echo. @returns whether there is room for a header before the payload */
  #frameInPlace(first: number, payload: Uint8Array, header: number): boolean {
    const frame = takeHeadroom(payload, header);
    if (frame === null) return false;
    writeHeader(frame, 0, first, payload.length, 0, false);
    const before = frameArea.takeOf(this);
    this.passDown(before === null ? frame : [before, frame]);
    return true;
  }

  #finishFrame(start: number, end: number, key: number): void {
    if (this.#masked) applyMask(frameArea.bytes, start, end, key, 0);
    frameArea.advance(end);
    if ((this.#state & (FLUSH_PROMISED | FLUSH_SCHEDULED)) !== 0) return;
    this.#state |= FLUSH_SCHEDULED;
    flushSoon(this);
  }

  /** For the area, too. */
  passDown(frames: Uint8Array | readonly Uint8Array[]): void {
    if (!this.#lower.write(frames)) this.#tighten(LOWER_FULL);
  }

  #open(): Outbox {
    this.#outbox ??= new Outbox({
      bytesChanged: (bytes) => this.#outboxChanged(bytes),
      emptied: () => {
        this.#outbox = null;
      },
    });
    return this.#outbox;
  }

  #outboxChanged(bytes: number): void {
    if (bytes >= outboxHighBytes) this.#tighten(OUTBOX_FULL);
    else if (bytes <= outboxLowBytes) this.#relax(OUTBOX_FULL);
  }

  #compressLater(opcode: number, payload: Uint8Array, agreement: DeflateAgreement): void {
    const kept = keep(payload);
    this.#open().add(kept.byteLength, (next, canceled) => {
      if (canceled !== null) return;
      this.#deflater ??= new Deflater(agreement);
      this.#deflater.compress(kept, (error, compressed) => {
        if (error !== null) {
          this.#owner.senderFailed(error);
          return;
        }
        this.#frame(FIN | RSV1 | opcode, compressed as Buffer);
        next();
      });
    });
  }

  #frameLater(opcode: number, payload: Uint8Array): void {
    const kept = keep(payload);
    this.#open().add(kept.byteLength, (next, canceled) => {
      if (canceled !== null) return;
      this.#frame(FIN | opcode, kept);
      next();
    });
  }

  #tighten(reason: number): void {
    const wasFull = (this.#state & FULL) !== 0;
    this.#state |= reason;
    if (!wasFull) this.#owner.senderFull();
  }

  #relax(reason: number): void {
    if ((this.#state & FULL) === 0) return;
    this.#state &= ~reason;
    if ((this.#state & FULL) === 0) this.#owner.senderDrained();
  }
}

/** Small and lent bytes may change as soon as `send` has returned; others must not until they are flushed. */
export function keep(payload: Uint8Array): Uint8Array {
  return payload.byteLength <= areaBytes || leaseOwnerOf(payload) !== undefined ? ownCopy(payload) : payload;
}
