/** The one file that touches the channel below: pumps bytes through the engine. */

import {
  BaseChannel,
  type Channel,
  ChannelError,
  type ChannelInfo,
  type ChannelLimits,
  flushSoon,
  type Receiver,
  throwLater,
  type WriteMemory,
} from '@iocp/core/layer';
import type { EngineEvents, TlsEngine } from './engine/engine.js';
import { PlainQueue } from './plain-queue.js';
import { tlsStreamMembers } from './stream-members.js';
import { tlsInfo } from './tls-info.js';

/** What channels of one layer share. */
export interface TlsChannelSettings {
  readonly limits: ChannelLimits;
  /** So much is encrypted before the channel below has taken it. */
  readonly stepBytesMax: number;
  /** Longest wait for the peer to close what is below, once there is nothing more to say. */
  readonly closeTimeoutMs: number;
  readonly onSession: ((session: Buffer, info: ChannelInfo) => void) | undefined;
  readonly onKeylog: ((line: Buffer, info: ChannelInfo) => void) | undefined;
}

/** Makes the engine of one channel. */
export type MakeEngine = (memory: WriteMemory | null, events: EngineEvents) => TlsEngine;

/** Called once: with null when the handshake is done, or with the reason when the channel below is released without one. */
export type WhenReady = (error: Error | null) => void;

/** What `net.Socket` can do to its medium, passed on when the channel below can. */
interface SocketControls {
  setNoDelay?(enable?: boolean): void;
  setKeepAlive?(enable?: boolean, idleMs?: number): void;
  ref?(): void;
  unref?(): void;
}

const nothing: readonly Uint8Array[] = [];

// The state, one bit each.
const HANDSHAKEN = 1 << 0;
/** The engine waits for the application and wants no input. */
const BUSY = 1 << 1;
/** The receiver above wants data. */
const READING = 1 << 2;
/** Inside `onData` of the channel below: what handlers write is sent when it ends. */
const RECEIVING = 1 << 3;
const FLUSH_DUE = 1 << 4;
/** A unit is being encrypted, or the channel below has not taken the last of it: `sent()` is owed. */
const SENDING = 1 << 5;
/** Records that come out belong to that unit. */
const ENCRYPTING = 1 << 6;
/** The loop of `#encrypt` is on the stack. */
const LOOPING = 1 << 7;
/** The engine has not said yet that it is done with a piece. */
const PIECE_PENDING = 1 << 8;
/** Our close_notify was asked for. */
const END_STARTED = 1 << 9;
/** The peer's close_notify has come. */
const PEER_ENDED = 1 << 10;
/** The stream below has ended. */
const LOWER_ENDED = 1 << 11;
const LOWER_CLOSED = 1 << 12;
const CLOSING = 1 << 13;
/** The engine has failed, and the peer should get to see its alert. */
const ALERTED = 1 << 14;

/**
 * Bytes over TLS. Its lower side receives records and puts records out, its upper side is done by `BaseChannel`, and between the
 * two an engine turns the ones into the others.
 */
export class TlsChannel extends BaseChannel implements Receiver {
  /** Of the channel below: also for plain text, and for layers above. */
  readonly writeMemory: WriteMemory | undefined;
  readonly #lower: Channel & SocketControls;
  readonly #settings: TlsChannelSettings;
  readonly #engine: TlsEngine;
  #state = 0;
  #info: ChannelInfo | null = null;
  #whenReady: WhenReady | null = null;
  /** Written and not yet part of a unit. */
  #queued: PlainQueue | null = null;
  /** The unit that is being encrypted. */
  #unit: PlainQueue | null = null;
  /** Plain bytes that the current step has encrypted. */
  #stepBytes = 0;
  #closeTimer: NodeJS.Timeout | undefined;
  readonly #pieceDone = (): void => this.#onPieceDone();
  readonly #stepTaken = (error: Error | null): void => this.#onStepTaken(error);

  constructor(lower: Channel, settings: TlsChannelSettings, makeEngine: MakeEngine) {
    super(settings.limits);
    this.writeMemory = lower.writeMemory;
    this.#lower = lower;
    this.#settings = settings;
    this.#engine = makeEngine(lower.writeMemory ?? null, new EngineSide(this));
  }

  /**
   * Begins the handshake. Once, first.
   * @param head what came from the peer already
   */
  begin(head: Uint8Array | undefined, whenReady: WhenReady): void {
    this.#lower.attach(this);
    this.#whenReady = whenReady;
    this.#lower.resume();
    this.#engine.start();
    if (head !== undefined && head.byteLength > 0) this.onData(head);
  }

  /** Complete once the handshake is done. Made when first asked for: addresses cost system calls. */
  get info(): ChannelInfo {
    this.#info ??= tlsInfo(this.#lower.info, this.#engine.facts);
    return this.#info;
  }

  get streamMembers(): PropertyDescriptorMap {
    return tlsStreamMembers;
  }

  /** As for every channel; also ends the wait for the peer to close what is below. */
  override abort(reason?: Error): void {
    super.abort(reason);
    if ((this.#state & LOWER_CLOSED) === 0) this.#lower.abort(reason);
  }

  /** Passed on to the channel below, as the next three, when it has it. */
  setNoDelay(enable?: boolean): void {
    this.#lower.setNoDelay?.(enable);
  }

  setKeepAlive(enable?: boolean, idleMs?: number): void {
    this.#lower.setKeepAlive?.(enable, idleMs);
  }

  ref(): void {
    this.#lower.ref?.();
  }

  unref(): void {
    this.#lower.unref?.();
  }

  // Events of the channel below.

  onData(records: Uint8Array): void {
    // Behind a close_notify, and when all is lost, what comes is of no interest (RFC 8446 section 6.1).
    if ((this.#state & (PEER_ENDED | CLOSING)) !== 0) return;
    this.#state |= RECEIVING;
    try {
      this.#engine.receive(records);
    } finally {
      const flushDue = (this.#state & FLUSH_DUE) !== 0;
      this.#state &= ~(RECEIVING | FLUSH_DUE);
      if (flushDue) this.flush();
    }
  }

  onEnd(): void {
    this.#state |= LOWER_ENDED;
    if ((this.#state & (PEER_ENDED | CLOSING)) === 0) this.#engine.receiveEnd();
  }

  onDrain(): void {
    this.lowerDrained();
  }

  onClose(error: Error | null): void {
    this.#state |= LOWER_CLOSED;
    if ((this.#state & CLOSING) !== 0) {
      this.#release();
    } else if (!this.#endIfOver()) {
      // An engine that takes its time has still to say what the end of the stream was.
      const undecided = (this.#state & (LOWER_ENDED | PEER_ENDED)) === LOWER_ENDED;
      if (error !== null || !undecided) this.failed(error ?? closedBelow());
    }
  }

  /** Once the channel below is gone, and all was said on both sides, the close only waits for the receiver above to see the end. */
  #endIfOver(): boolean {
    const over = LOWER_CLOSED | END_STARTED | PEER_ENDED;
    if ((this.#state & over) !== over) return false;
    this.shutdownDone(null);
    return true;
  }

  // Events of the engine.

  recordsOut(records: Uint8Array): void {
    const counted = (this.#state & (ENCRYPTING | HANDSHAKEN)) !== HANDSHAKEN;
    if (counted) this.#lower.write(records);
    // What the engine says by itself counts as buffered, too, and nothing else would tell of room.
    else this.#lower.write(records, (error) => void (error === null && this.lowerDrained()));
  }

  handshaken(): void {
    this.#state |= HANDSHAKEN;
    // Nothing more comes up before there is a receiver above.
    this.#letFlow();
    const whenReady = this.#whenReady;
    this.#whenReady = null;
    whenReady?.(null);
  }

  plainIn(plain: Uint8Array): void {
    try {
      this.received(plain);
    } catch (error) {
      // What a handler throws must not cost the records behind.
      throwLater(error);
    }
  }

  peerEnded(): void {
    this.#state |= PEER_ENDED;
    try {
      this.ended();
    } catch (error) {
      throwLater(error);
    }
    this.#endIfOver();
  }

  engineFailed(error: Error): void {
    if ((this.#state & LOWER_ENDED) === 0) this.#state |= ALERTED;
    this.failed(error);
  }

  engineBusy(busy: boolean): void {
    this.#state = busy ? this.#state | BUSY : this.#state & ~BUSY;
    this.#letFlow();
  }

  sessionIn(session: Buffer): void {
    this.#tell(this.#settings.onSession, session);
  }

  keylogged(line: Buffer): void {
    this.#tell(this.#settings.onKeylog, line);
  }

  #tell(listener: ((data: Buffer, info: ChannelInfo) => void) | undefined, data: Buffer): void {
    try {
      listener?.(data, this.info);
    } catch (error) {
      throwLater(error);
    }
  }

  // Reading

  protected override startRead(): void {
    this.#state |= READING;
    this.#letFlow();
  }

  protected override stopRead(): void {
    this.#state &= ~READING;
    this.#letFlow();
  }

  #letFlow(): void {
    const idle = (this.#state & (HANDSHAKEN | READING | CLOSING)) === HANDSHAKEN;
    if (idle || (this.#state & BUSY) !== 0) this.#lower.pause();
    else this.#lower.resume();
  }

  // Sending: a unit is taken from the queue in pieces, and goes out in steps.

  protected override keepChunk(chunk: Uint8Array): void {
    this.#queued ??= new PlainQueue(this.writeMemory ?? null);
    this.#queued.add(chunk);
  }

  protected override dropKept(): void {
    this.#queued?.clear();
  }

  protected override scheduleFlush(): void {
    if ((this.#state & RECEIVING) !== 0) this.#state |= FLUSH_DUE;
    else flushSoon(this);
  }

  protected override startSend(): void {
    this.#unit = this.#queued;
    this.#queued = null;
    this.#state |= SENDING;
    this.#encrypt();
  }

  /** Encrypts until the step is full, the unit is through, or the engine takes its time. */
  #encrypt(): void {
    const unit = this.#unit as PlainQueue;
    const { stepBytesMax } = this.#settings;
    this.#state |= ENCRYPTING | LOOPING;
    while (this.#stepBytes < stepBytesMax) {
      const piece = unit.take(stepBytesMax - this.#stepBytes);
      if (piece === null) {
        this.#unit = null;
        this.#queued ??= unit;
        break;
      }
      this.#stepBytes += piece.byteLength;
      this.#state |= PIECE_PENDING;
      this.#engine.send(piece, this.#pieceDone);
      if ((this.#state & (PIECE_PENDING | CLOSING)) !== 0) {
        this.#state &= ~LOOPING;
        return;
      }
    }
    this.#stepBytes = 0;
    this.#state &= ~(ENCRYPTING | LOOPING);
    this.#lower.write(nothing, this.#stepTaken);
  }

  #onPieceDone(): void {
    this.#state &= ~PIECE_PENDING;
    if ((this.#state & (LOOPING | CLOSING)) === 0) this.#encrypt();
  }

  #onStepTaken(error: Error | null): void {
    const whole = this.#unit === null;
    if ((this.#state & CLOSING) !== 0) {
      if (whole) this.#unitSent(error);
    } else if (error !== null) {
      this.#writeFailed(error);
    } else if (whole) {
      this.#unitSent(null);
    } else {
      this.#encrypt();
    }
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
    return Math.max(0, this.#lower.bufferedAmount - this.inFlightBytes);
  }

  // Ending and closing

  protected override startShutdown(): void {
    this.#state |= END_STARTED;
    this.#engine.end(() => {
      if ((this.#state & CLOSING) !== 0) return;
      this.#lower.write(nothing, (error) => this.#onEndTaken(error));
      this.#lower.end();
    });
  }

  #onEndTaken(error: Error | null): void {
    if ((this.#state & CLOSING) !== 0) return;
    // A peer that has ended may be gone before it hears that we have, too.
    if (error === null || (this.#state & PEER_ENDED) !== 0) this.shutdownDone(null);
    else this.#writeFailed(error);
  }

  protected override startClose(abortive: boolean): void {
    this.#state |= CLOSING;
    this.#engine.destroy();
    this.#unit?.clear();
    if ((this.#state & LOWER_CLOSED) !== 0) this.#release();
    else if (abortive && (this.#state & ALERTED) === 0) this.#lower.abort(this.closeReason ?? undefined);
    else this.#awaitClose();
  }

  /** A reset could overtake our last words, so the peer gets time to close what is below. */
  #awaitClose(): void {
    this.#lower.end();
    this.#lower.resume();
    this.#closeTimer = setTimeout(abortLower, this.#settings.closeTimeoutMs, this.#lower);
    this.#closeTimer.unref();
  }

  #release(): void {
    clearTimeout(this.#closeTimer);
    const whenReady = this.#whenReady;
    const sending = (this.#state & SENDING) !== 0;
    // An error costs more than all of an orderly close.
    const reason = sending || whenReady !== null ? (this.closeReason ?? closedBelow()) : null;
    if (sending) this.#unitSent(reason);
    this.closeDone();
    this.#whenReady = null;
    whenReady?.(reason);
  }
}

function closedBelow(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'The channel below was closed');
}

function abortLower(lower: Channel): void {
  lower.abort();
}

/** The channel as its engine sees it: names of events are those of the channel below, too. */
class EngineSide implements EngineEvents {
  readonly #channel: TlsChannel;

  constructor(channel: TlsChannel) {
    this.#channel = channel;
  }

  onOutput(records: Uint8Array): void {
    this.#channel.recordsOut(records);
  }

  onHandshake(): void {
    this.#channel.handshaken();
  }

  onData(plain: Uint8Array): void {
    this.#channel.plainIn(plain);
  }

  onEnd(): void {
    this.#channel.peerEnded();
  }

  onError(error: Error): void {
    this.#channel.engineFailed(error);
  }

  onBusy(busy: boolean): void {
    this.#channel.engineBusy(busy);
  }

  onSession(session: Buffer): void {
    this.#channel.sessionIn(session);
  }

  onKeylog(line: Buffer): void {
    this.#channel.keylogged(line);
  }
}
