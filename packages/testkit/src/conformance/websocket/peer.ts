/** The suite's end of a WebSocket connection: sends whatever a test wants, and tells what comes. */

import assert from 'node:assert/strict';
import type { Channel, Receiver, Role } from '@iocp/core/layer';
import { concatenate } from '../../chunkings.js';
import { ConditionWaits } from '../../condition-waits.js';
import { describeError, Transcript } from '../../transcript.js';
import { nextTurn } from '../../turns.js';
import type { MessageCodec } from './compression.js';
import { encodeFrame, type Frame, FrameReader, type FrameToSend, opcodes } from './frame.js';

/** What a test sees of the peer. */
export type PeerEvent =
  | {
      readonly type: 'message';
      readonly binary: boolean;
      readonly payload: Uint8Array;
      readonly compressed: boolean;
    }
  | { readonly type: 'ping' | 'pong'; readonly payload: Uint8Array }
  | { readonly type: 'close'; readonly code: number | null; readonly reason: string }
  | { readonly type: 'end' };

/** A frame, or bytes as they are. */
export type Outgoing = FrameToSend | Uint8Array;

/** How bytes are cut into writes: all in one, one for each frame, or that many bytes at a time. */
export type Cut = 'whole' | 'frames' | number;

const headBytesMax = 64 * 1024;

export class WebSocketPeer implements Receiver {
  readonly role: Role;
  readonly transcript = new Transcript();
  /** Compresses and inflates messages once that was agreed on. */
  codec: MessageCodec | null = null;
  /** Frames that the messages of the peer came in, so far. */
  dataFrames = 0;
  /** Why the channel closed; undefined until then. */
  closeError: Error | null | undefined;

  readonly #channel: Channel;
  readonly #waits: ConditionWaits;
  readonly #reader: FrameReader;
  readonly #fragments: Frame[] = [];
  #head: Uint8Array[] | null = [];
  #keys = 0;
  #ended = false;
  #drained = true;

  /** @param deadlineMs longest wait for anything. Default 10 s */
  constructor(channel: Channel, role: Role, deadlineMs?: number) {
    this.role = role;
    this.#channel = channel;
    this.#reader = new FrameReader(role === 'server');
    this.#waits = new ConditionWaits(deadlineMs, (what, ms) => `still waiting for ${what} after ${ms} ms`);
    channel.attach(this);
  }

  // Commands

  /** Resolves when all of it was handed over. */
  async send(items: readonly Outgoing[], cut: Cut = 'whole'): Promise<void> {
    const encoded = items.map((item) => {
      this.transcript.add(
        `sends ${item instanceof Uint8Array ? `${item.byteLength} bytes` : describeFrame(item)}`,
      );
      return item instanceof Uint8Array
        ? item
        : encodeFrame(item, this.role === 'client' ? this.#nextKey() : null);
    });
    for (const part of cutInto(encoded, cut)) {
      if (this.#channel.closed) return;
      this.#drained = this.#channel.write(part);
      if (cut !== 'whole') await nextTurn();
      if (!this.#drained) await this.#waits.until('the drain', () => this.#drained || this.#channel.closed);
    }
  }

  /** The channel ends in this direction. */
  end(): void {
    this.transcript.add('ends the stream');
    this.#channel.end();
  }

  /** The channel goes away without a word. */
  abort(): void {
    this.#channel.abort();
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  // What comes

  /** The head of an HTTP message, up to the empty line. What follows are frames, unless `skip` asks for another head. */
  async readHead(skip = false): Promise<string> {
    const parts = this.#head;
    assert.ok(parts !== null, 'the head was read before');
    const lengthOf = () => Buffer.from(concatenate(parts)).indexOf('\r\n\r\n');
    const complete = () => lengthOf() >= 0;
    await this.#waits.until('the head of an HTTP message', () => complete() || this.#over || tooLong(parts));
    const bytes = Buffer.from(concatenate(parts));
    assert.ok(complete(), `no head of an HTTP message but ${JSON.stringify(bytes.toString('latin1'))}`);
    const end = lengthOf() + 4;
    this.#head = skip ? [bytes.subarray(end)] : null;
    if (!skip && end < bytes.byteLength) this.#reader.push(bytes.subarray(end));
    const head = bytes.toString('latin1', 0, end - 4);
    this.transcript.add(`receives ${JSON.stringify(head)}`);
    return head;
  }

  /** The next message, control frame, or end. */
  async next(): Promise<PeerEvent> {
    for (;;) {
      const frame = await this.#nextFrame();
      if (frame === null) return { type: 'end' };
      this.transcript.add(`receives ${describeFrame(frame)}`);
      const event = await this.#eventOf(frame);
      if (event !== null) return event;
    }
  }

  /** Resolves when the peer has ended the stream, or the channel has closed. */
  untilEnded(): Promise<void> {
    return this.#waits.until('the end of the stream', () => this.#over);
  }

  /** Resolves with why the channel closed; null when both sides ended in order. */
  async untilClosed(): Promise<Error | null> {
    await this.#waits.until('the close of the channel', () => this.closeError !== undefined);
    return this.closeError ?? null;
  }

  /** Whether the peer has ended the stream. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the channel has closed. */
  get closed(): boolean {
    return this.closeError !== undefined;
  }

  // Events

  onData(data: Uint8Array): void {
    const own = Buffer.from(data);
    if (this.#head !== null) this.#head.push(own);
    else this.#reader.push(own);
    this.#waits.check();
  }

  onEnd(): void {
    this.transcript.add('receives the end of the stream');
    this.#ended = true;
    this.#waits.check();
  }

  onDrain(): void {
    this.#drained = true;
    this.#waits.check();
  }

  onClose(error: Error | null): void {
    this.transcript.add(`the channel closed: ${describeError(error)}`);
    this.closeError = error;
    this.#waits.check();
  }

  get #over(): boolean {
    return this.#ended || this.closed;
  }

  #nextKey(): Uint8Array {
    // Also the key that changes nothing, and no two alike in a row.
    const number = this.#keys++ * 0x9e3779b1;
    return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  }

  /** The next frame; null at the end. */
  async #nextFrame(): Promise<Frame | null> {
    let frame = this.#reader.next();
    if (frame !== null) return frame;
    let failure: unknown;
    await this.#waits.until('a frame', () => {
      try {
        frame = this.#reader.next();
      } catch (error) {
        failure = error;
      }
      return frame !== null || failure !== undefined || this.#over;
    });
    if (failure !== undefined) throw failure;
    return frame;
  }

  /** What the frame completes; null when it is a part. */
  async #eventOf(frame: Frame): Promise<PeerEvent | null> {
    switch (frame.opcode) {
      case opcodes.close:
        return closeEvent(frame);
      case opcodes.ping:
      case opcodes.pong:
        assert.equal(frame.rsv, 0, 'a control frame with a reserved bit');
        return { type: frame.opcode === opcodes.ping ? 'ping' : 'pong', payload: frame.payload };
      default:
        return this.#messageOf(frame);
    }
  }

  async #messageOf(frame: Frame): Promise<PeerEvent | null> {
    const parts = this.#fragments;
    this.dataFrames++;
    const continues = frame.opcode === opcodes.continuation;
    assert.equal(continues, parts.length > 0, 'a fragment that is out of place');
    parts.push(frame);
    const allowed = this.codec !== null && !continues ? 4 : 0;
    assert.equal(frame.rsv & ~allowed, 0, `a data frame with the reserved bits ${frame.rsv}`);
    if (!frame.fin) return null;
    const frames = parts.splice(0);
    const first = frames[0] as Frame;
    const payload = frames.length === 1 ? first.payload : concatenate(frames.map((part) => part.payload));
    const compressed = first.rsv === 4;
    return {
      type: 'message',
      binary: first.opcode === opcodes.binary,
      payload: compressed && this.codec !== null ? await this.codec.inflate(payload) : payload,
      compressed,
    };
  }
}

function tooLong(parts: readonly Uint8Array[]): boolean {
  return parts.reduce((sum, part) => sum + part.byteLength, 0) > headBytesMax;
}

function closeEvent(frame: Frame): PeerEvent {
  const { payload } = frame;
  assert.equal(frame.rsv, 0, 'a close frame with a reserved bit');
  assert.notEqual(payload.byteLength, 1, 'a close frame with one byte');
  if (payload.byteLength === 0) return { type: 'close', code: null, reason: '' };
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  const reason = new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(2));
  return { type: 'close', code, reason };
}

function* cutInto(encoded: readonly Uint8Array[], cut: Cut): Generator<Uint8Array> {
  if (cut === 'frames') return yield* encoded;
  const whole = concatenate(encoded);
  const step = cut === 'whole' ? Math.max(1, whole.byteLength) : cut;
  for (let start = 0; start < whole.byteLength; start += step) yield whole.subarray(start, start + step);
}

const names = new Map<number, string>(Object.entries(opcodes).map(([name, opcode]) => [opcode, name]));

function describeFrame({ opcode, payload, fin, rsv }: Frame): string {
  const start = Buffer.from(payload.subarray(0, 24));
  const shown = opcode === opcodes.text ? JSON.stringify(start.toString()) : start.toString('hex');
  const marks = `${fin ? '' : ', not the last'}${rsv === 0 ? '' : `, RSV ${rsv}`}`;
  return `${names.get(opcode) ?? `opcode ${opcode}`}, ${payload.byteLength} bytes${marks}: ${shown}`;
}
