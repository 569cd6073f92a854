import { asError, ownCopy, throwLater, type WriteMemory } from '@iocp/core/layer';
import { disconnectedEarly, TlsError, truncated } from '../../errors.js';
import type { CreateEngine, EngineEvents, EngineOptions, TlsEngine } from '../engine.js';
import { loadAddon, words } from './addon.js';
import { type NativeSession, Status, Word } from './binding.js';
import { type Answered, answerHello, asBuffer, refuseHello } from './hello-answer.js';
import { NativeFacts } from './native-facts.js';
import { openScratch, takeFrom } from './plain-scratch.js';
import { nativeSessionOptions } from './session-options.js';

/** Memory of our own for records: four of full size, or what a shorter text needs. */
const ownBlockBytesMax = 66_560;
/** More than a record is longer than the text in it. */
const recordOverheadBytes = 128;

const noBytes = new Uint8Array(0);

// The state, one bit each.
const HANDSHAKEN = 1 << 0;
const PEER_ENDED = 1 << 1;
/** The loop of `#take` is on the stack: what comes meanwhile is held. */
const RECEIVING = 1 << 2;
/** The application has not answered the ClientHello yet. */
const WAITING = 1 << 3;
/** Records are being made: what is sent meanwhile comes behind. */
const SENDING = 1 << 4;
const ENDING = 1 << 5;
/** The stream from the peer has ended while input was held. */
const INPUT_ENDED = 1 << 6;

interface Unsent {
  readonly plain: Uint8Array;
  offset: number;
  readonly done: () => void;
}

/** TLS by OpenSSL's SSL object, which reads from the memory that records arrive in, and writes to the one they are sent from. */
class NativeEngine implements TlsEngine {
  readonly name = 'native';
  readonly facts: NativeFacts;
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #memory: WriteMemory | null;
  /** Null once it was freed. */
  #session: NativeSession | null;
  #state = 0;
  /** Input that waits for the application, or for an event to return. */
  #held: Uint8Array | null = null;
  /** What waits behind other records, or for the end of a message of the handshake. */
  #unsent: Unsent[] | null = null;
  #endDone: (() => void) | null = null;
  /** Why the application has refused the ClientHello. */
  #refusal: Error | null = null;

  constructor(options: EngineOptions) {
    const { role, context, settings, memory, events } = options;
    this.#options = options;
    this.#events = events;
    this.#memory = memory;
    this.#session = loadAddon().createSession(context.forNative(), nativeSessionOptions(role, settings));
    this.facts = new NativeFacts(this.#session);
  }

  start(): void {
    if (this.#session === null || this.#options.role === 'server') return;
    this.#session.start();
    const now = status();
    this.#note(now);
    if ((now & Status.FAILED) !== 0) this.#failNatively();
  }

  receive(records: Uint8Array): void {
    if (this.#session === null || (this.#state & PEER_ENDED) !== 0) return;
    if ((this.#state & (RECEIVING | WAITING)) !== 0) this.#hold(records);
    else this.#receive(records);
  }

  receiveEnd(): void {
    if (this.#session === null || (this.#state & PEER_ENDED) !== 0) return;
    if ((this.#state & RECEIVING) !== 0) this.#state |= INPUT_ENDED;
    else this.#inputEnded();
  }

  send(plain: Uint8Array, done: () => void): void {
    if (this.#session === null) return;
    if ((this.#state & SENDING) !== 0 || this.#unsent !== null) {
      this.#unsent ??= [];
      this.#unsent.push({ plain, offset: 0, done });
      return;
    }
    const offset = this.#encrypt(plain, 0);
    if (this.#session === null) return;
    if (offset < plain.byteLength) {
      // Before what an event has sent meanwhile.
      this.#unsent = [{ plain, offset, done }, ...(this.#unsent ?? [])];
      return;
    }
    done();
    if (this.#unsent !== null || this.#endDone !== null) this.#sendWaiting();
  }

  end(done: () => void): void {
    if (this.#session === null || (this.#state & ENDING) !== 0) return;
    this.#state |= ENDING;
    this.#endDone = done;
    if ((this.#state & SENDING) === 0) this.#sendWaiting();
  }

  destroy(): void {
    const session = this.#session;
    if (session === null) return;
    this.facts.closed();
    this.#session = null;
    this.#held = null;
    this.#unsent = null;
    this.#endDone = null;
    session.free();
  }

  // Receiving

  #receive(input: Uint8Array): void {
    this.#state |= RECEIVING;
    for (let next: Uint8Array | null = input; next !== null; next = this.#takeHeld()) this.#take(next);
    this.#state &= ~RECEIVING;
    if ((this.#state & (INPUT_ENDED | WAITING)) === INPUT_ENDED && this.#session !== null) this.#inputEnded();
  }

  #take(input: Uint8Array): void {
    const memory = this.#memory;
    let offset = 0;
    for (let session = this.#session; session !== null; session = this.#session) {
      const block = memory === null ? -1 : memory.take();
      const room = block < 0 ? openScratch() : (memory as WriteMemory).bytesOf(block);
      session.receive(input, offset, room);
      const now = status();
      const bytes = words[Word.PLAIN] as number;
      offset += words[Word.CONSUMED] as number;
      const quiet = (now & ~Status.MORE) === Status.HANDSHAKEN && words[Word.SPILLED] === 0;
      if (!quiet || (this.#state & HANDSHAKEN) === 0) this.#note(now);
      this.#deliver(block, room, bytes);
      if (this.#unsent !== null || this.#endDone !== null) this.#sendWaiting();
      if ((now & Status.MORE) !== 0) continue;
      if ((now & (Status.HELLO | Status.PEER_ENDED | Status.FAILED)) === 0) return;
      if ((now & Status.HELLO) !== 0) this.#hold(input.subarray(offset));
      this.#stop(now);
      return;
    }
  }

  #deliver(block: number, room: Uint8Array, bytes: number): void {
    if (block < 0) {
      const plain = takeFrom(room as Buffer, bytes);
      if (bytes > 0 && this.#session !== null) this.#events.onData(plain);
      return;
    }
    const memory = this.#memory as WriteMemory;
    if (bytes > 0 && this.#session !== null) this.#events.onData(memory.lend(block, 0, bytes));
    memory.release(block);
  }

  /** What a call of the session has brought besides data, in the order in which it must be told. */
  #note(now: number): void {
    const spilled = words[Word.SPILLED] as number;
    if ((now & Status.KEYLOG) !== 0) {
      for (const line of this.#session?.takeKeylog() ?? []) {
        if (this.#session !== null) this.#events.onKeylog(asBuffer(line));
      }
    }
    if (spilled > 0) this.#putOut(spilled);
    if ((now & Status.HANDSHAKEN) !== 0 && (this.#state & HANDSHAKEN) === 0) this.#handshaken();
    if ((now & Status.SESSIONS) !== 0) {
      for (const session of this.#session?.takeSessions() ?? []) {
        if (this.#session !== null) this.#events.onSession(asBuffer(session));
      }
    }
  }

  #handshaken(): void {
    if (this.#session === null) return;
    const { role, settings } = this.#options;
    this.#state |= HANDSHAKEN;
    this.facts.handshaken(role, settings);
    const error = this.facts.authorizationError;
    if (error !== null && settings.rejectUnauthorized) this.#fail(error);
    // The check of names is the application's, and may have ended all.
    else if (this.#session !== null) this.#events.onHandshake();
  }

  /** Nothing more is read from what there is, for one reason or another. */
  #stop(now: number): void {
    if (this.#session === null) return;
    if ((now & Status.FAILED) !== 0) {
      this.#failNatively();
    } else if ((now & Status.HELLO) !== 0) {
      this.#answerHello(this.#session);
    } else if ((this.#state & HANDSHAKEN) === 0) {
      this.#inputEnded();
    } else {
      this.#state |= PEER_ENDED;
      this.#events.onEnd();
    }
  }

  #inputEnded(): void {
    const { role, settings } = this.#options;
    if ((this.#state & HANDSHAKEN) === 0) {
      this.#fail(disconnectedEarly(role));
    } else if (settings.truncation === 'error') {
      this.#fail(truncated());
    } else {
      this.#state |= PEER_ENDED;
      this.#events.onEnd();
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#held = this.#held === null ? ownCopy(bytes) : Buffer.concat([this.#held, bytes]);
  }

  #takeHeld(): Uint8Array | null {
    if ((this.#state & WAITING) !== 0) return null;
    const held = this.#held;
    this.#held = null;
    return held;
  }

  // The ClientHello

  #answerHello(session: NativeSession): void {
    const { settings, context } = this.#options;
    this.#state |= WAITING;
    let answered: Answered | Promise<Answered>;
    try {
      answered = answerHello(session.clientHello(), settings, context);
    } catch (error) {
      answered = refuseHello(asError(error));
    }
    if (this.#session === null) return;
    if (!(answered instanceof Promise)) {
      this.#goOn(answered);
      return;
    }
    this.#events.onBusy(true);
    answered
      .catch((error: unknown) => refuseHello(asError(error)))
      .then((late) => {
        if (this.#session === null) return;
        this.#events.onBusy(false);
        this.#goOn(late);
        this.#receive(this.#takeHeld() ?? noBytes);
      })
      .catch(throwLater);
  }

  /** What was held comes next. */
  #goOn({ answer, refusal }: Answered): void {
    this.#state &= ~WAITING;
    this.#refusal = refusal;
    this.#session?.continueHello(answer);
  }

  // Sending

  /** @returns where it has stopped: at the end, or earlier when it has to wait for input or was freed */
  #encrypt(plain: Uint8Array, start: number): number {
    const memory = this.#memory;
    const length = plain.byteLength;
    let offset = start;
    let spilled = 0;
    let blocked = false;
    this.#state |= SENDING;
    for (let session = this.#session; session !== null && !blocked; session = this.#session) {
      if (offset === length && spilled === 0) break;
      const block = memory === null ? -1 : memory.take();
      const room = block < 0 ? ownBlock(length - offset + spilled) : (memory as WriteMemory).bytesOf(block);
      let end = 0;
      if (spilled > 0) {
        session.takeOutput(room, 0);
        end = words[Word.OUTPUT] as number;
        spilled = words[Word.SPILLED] as number;
      }
      if (spilled === 0 && offset < length) {
        session.send(plain, offset, room, end);
        const consumed = words[Word.CONSUMED] as number;
        offset += consumed;
        blocked = consumed === 0;
        end = words[Word.OUTPUT] as number;
        spilled = words[Word.SPILLED] as number;
      }
      const failed = (status() & Status.FAILED) !== 0;
      this.#emit(block, room, end);
      if (failed) this.#failNatively();
    }
    this.#state &= ~SENDING;
    return offset;
  }

  #putOut(spilled: number): void {
    const memory = this.#memory;
    let left = spilled;
    for (let session = this.#session; session !== null && left > 0; session = this.#session) {
      const block = memory === null ? -1 : memory.take();
      const room = block < 0 ? ownBlock(left) : (memory as WriteMemory).bytesOf(block);
      session.takeOutput(room, 0);
      left = words[Word.SPILLED] as number;
      this.#emit(block, room, words[Word.OUTPUT] as number);
    }
  }

  #emit(block: number, room: Uint8Array, end: number): void {
    if (block < 0) {
      if (end > 0) this.#events.onOutput(room.subarray(0, end));
      return;
    }
    const memory = this.#memory as WriteMemory;
    if (end > 0) this.#events.onOutput(memory.lend(block, 0, end));
    memory.release(block);
  }

  /** What was sent meanwhile, and what had to wait for input. */
  #sendWaiting(): void {
    while (this.#unsent !== null && this.#session !== null && (this.#state & SENDING) === 0) {
      const first = this.#unsent[0] as Unsent;
      first.offset = this.#encrypt(first.plain, first.offset);
      if (this.#session === null || first.offset < first.plain.byteLength) return;
      this.#unsent.shift();
      if (this.#unsent.length === 0) this.#unsent = null;
      first.done();
    }
    if (this.#unsent === null && (this.#state & SENDING) === 0) this.#sayEnd();
  }

  #sayEnd(): void {
    const done = this.#endDone;
    if (done === null || this.#session === null) return;
    this.#session.end();
    const spilled = words[Word.SPILLED] as number;
    if ((status() & Status.FAILED) !== 0) this.#failNatively();
    // Otherwise after some more input.
    else if (spilled > 0) {
      this.#endDone = null;
      this.#putOut(spilled);
      if (this.#session !== null) done();
    }
  }

  // Failing

  #failNatively(): void {
    if (this.#session === null) return;
    const { code, message, library, reason } = this.#session.takeError();
    this.#fail(this.#refusal ?? new TlsError(code, message, { library, reason }));
  }

  #fail(error: Error): void {
    if (this.#session === null) return;
    this.destroy();
    this.#events.onError(error);
  }
}

function status(): number {
  return words[Word.STATUS] as number;
}

/** Fresh each time: whoever gets records may keep them. */
function ownBlock(bytes: number): Buffer {
  return Buffer.allocUnsafe(Math.min(ownBlockBytesMax, bytes + recordOverheadBytes));
}

export const createNativeEngine: CreateEngine = (options) => new NativeEngine(options);
