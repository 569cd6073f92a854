/**
 * The native side of the rings in JavaScript. It drains the real submission ring and fills the real completion block, but
 * only when a test calls `turn()`, so that tests are deterministic. What JavaScript does wrong by the rules of the rings is
 * collected in `violations`.
 */

import type {
  HandleRef,
  NativeAddress,
  NativeBinding,
  NativeListenOptions,
  NativeOpenOptions,
  NativePort,
  NativePortInfo,
  NativePortOptions,
  NativeStats,
} from '../../src/port/binding.js';
import {
  CompleteFlag,
  CompletionHeader,
  CompletionWord,
  HEADER_WORDS,
  Limit,
  Operation,
  RECORD_WORDS,
  SegmentWord,
  SubmissionHeader,
  SubmissionWord,
} from '../../src/protocol.gen.js';
import { LoopbackSockets, type Pending, type SlotSource } from './loopback-sockets.js';

const poolBase = 64;
const ecanceled = -125;

/** A native error as drivers throw it. */
export function nativeError(errno: number, syscall: string): Error {
  return Object.assign(new Error('native'), { errno, syscall });
}

export class LoopbackDevice implements NativePort, SlotSource {
  readonly info: NativePortInfo;
  readonly options: NativePortOptions;
  readonly violations: string[] = [];
  readonly discarded: number[] = [];
  flushes = 0;
  referenced = false;
  /** Number of segments of every SEND, in order. */
  readonly sends: number[] = [];
  readonly #sockets = new LoopbackSockets(this);
  readonly #pins = new Map<number, Uint8Array>();
  readonly #mailboxes = new Map<number, Pending>();
  readonly #provided: number[] = [];
  #toldParked = 0;
  #nextPin = 0;
  #nextMailbox = 1;
  #closed = false;

  constructor(options: NativePortOptions) {
    this.options = options;
    const entries = options.entries;
    this.info = { backend: 'loopback', kernel: 'none', features: [], rejected: [], poolBase, entries };
  }

  /** One turn of the event loop: drains the ring, lets bytes flow, delivers a batch. Returns how many completions. */
  turn(): number {
    this.flush();
    this.#sockets.flow();
    return this.#deliver();
  }

  /** Turns until nothing happens any more. */
  settle(): void {
    for (let idle = 0; idle < 2; ) idle = this.turn() === 0 ? idle + 1 : 0;
  }

  /** A completion made up by a test. */
  forge(code: number, token: number, generation: number, result: number, value = -1, extra = 0): void {
    this.#sockets.completions.push([code, token, generation, result, value, extra]);
  }

  get slotBytes(): number {
    return this.options.slotBytes;
  }

  get kernelSlots(): readonly number[] {
    return this.#provided;
  }

  takeSlot(): number {
    return this.#provided.shift() ?? -1;
  }

  fill(slot: number, bytes: Uint8Array): void {
    this.options.pool.set(bytes, poolBase + slot * this.slotBytes);
  }

  flush(): void {
    if (this.#closed) this.violations.push('flush after close');
    this.flushes++;
    const block = this.options.submission;
    const count = block[SubmissionHeader.COUNT] ?? 0;
    for (let record = 0; record < count; ) {
      record += this.#take(block.subarray(HEADER_WORDS + record * RECORD_WORDS), count - record);
    }
    // Whoever reads a record that was not written must notice.
    block.fill(-1, HEADER_WORDS);
    block[SubmissionHeader.COUNT] = 0;
  }

  listen(options: NativeListenOptions): HandleRef {
    return this.#sockets.listen(options.port ?? 0);
  }

  open(options: NativeOpenOptions): HandleRef {
    return this.#sockets.open('port' in options.remote ? options.remote.port : 0);
  }

  /** There are no datagrams here. */
  openDatagram(): HandleRef {
    throw nativeError(93, 'socket');
  }

  connectDatagram(): void {
    throw nativeError(95, 'connect');
  }

  changeMembership(): void {
    throw nativeError(95, 'setsockopt');
  }

  takeDatagramError(): null {
    throw nativeError(95, 'recvmsg');
  }

  droppedDatagrams(): number {
    return -1;
  }

  associate(_fd: number): HandleRef {
    throw nativeError(88, 'associate');
  }

  address(index: number, generation: number, peer: boolean): NativeAddress | null {
    const handle = this.#sockets.find(index, generation);
    if (handle === null) throw nativeError(9, 'getsockname');
    return peer ? null : { family: 'IPv4', address: '127.0.0.1', port: handle.listeningPort };
  }

  getOption(_index: number, _generation: number, name: string): number | string {
    return name === 'congestion' ? 'reno' : 1;
  }

  setOption(): void {
    throw nativeError(92, 'setsockopt');
  }

  tcpInfo(): Readonly<Record<string, number>> {
    return {};
  }

  descriptor(): number {
    return -1;
  }

  pin(bytes: Uint8Array): number {
    this.#pins.set(this.#nextPin, bytes);
    return this.#nextPin++;
  }

  ref(): void {
    if (this.referenced) this.violations.push('ref twice');
    this.referenced = true;
  }

  unref(): void {
    if (!this.referenced) this.violations.push('unref without ref');
    this.referenced = false;
  }

  stats(): NativeStats {
    const { operationsInFlight, handlesOpen, parked } = this.#sockets;
    return { operationsInFlight, handlesOpen, parked, pins: this.#pins.size, systemCalls: 0, overflows: 0 };
  }

  mailbox(token: number, generation: number): number {
    this.#mailboxes.set(this.#nextMailbox, { operation: Operation.POST, token, generation });
    return this.#nextMailbox++;
  }

  closeMailbox(id: number): void {
    this.#mailboxes.delete(id);
  }

  postTo(id: number, value: number): boolean {
    const mailbox = this.#mailboxes.get(id);
    if (mailbox === undefined) return false;
    this.#sockets.complete(mailbox, value, CompleteFlag.MORE);
    return true;
  }

  close(): void {
    this.#sockets.cancelAll();
    while (this.#sockets.completions.length > 0) this.#deliver();
    this.#closed = true;
  }

  /** Takes one submission with its segments. Returns how many records it had. */
  #take(record: Int32Array, available: number): number {
    const code = record[SubmissionWord.CODE] ?? 0;
    const operation = (code & 0xff) as Operation;
    const segments = code >>> 16;
    const records = operation === Operation.SEND && segments > 1 ? 1 + Math.ceil(segments / 2) : 1;
    if (records > available) this.violations.push('a SEND was split by the end of the ring');
    const argument = record[SubmissionWord.A] ?? 0;
    if (operation === Operation.PROVIDE) this.#provide(argument);
    else if (operation === Operation.DISCARD) this.#discard(argument);
    else if (operation === Operation.UNPIN) this.#unpin(argument);
    else if (operation === Operation.CANCEL) this.#cancel(record);
    else this.#start(operation, record, segments);
    return records;
  }

  #provide(slot: number): void {
    const bad = slot < 0 || slot >= this.options.slots || this.#provided.includes(slot);
    if (bad) this.violations.push(`slot ${slot} was provided`);
    this.#provided.push(slot);
  }

  #discard(slot: number): void {
    if (this.#provided.includes(slot)) this.violations.push(`slot ${slot} was discarded while provided`);
    this.discarded.push(slot);
  }

  #unpin(pin: number): void {
    if (!this.#pins.delete(pin)) this.violations.push(`pin ${pin} was forgotten twice`);
  }

  #cancel(record: Int32Array): void {
    const pending = this.#sockets.inFlight(record[SubmissionWord.TOKEN] ?? -1);
    if (pending?.generation !== record[SubmissionWord.TOKEN_GENERATION]) return;
    if (pending !== undefined) this.#sockets.end(pending, ecanceled);
  }

  #start(operation: Operation, record: Int32Array, segments: number): void {
    const token = record[SubmissionWord.TOKEN] ?? -1;
    const generation = record[SubmissionWord.TOKEN_GENERATION] ?? -1;
    if (operation < Operation.ACCEPT || operation > Operation.POST)
      this.violations.push(`operation ${operation}`);
    if (this.#sockets.inFlight(token) !== undefined) this.violations.push(`token ${token} was used twice`);
    const handle = record[SubmissionWord.HANDLE] ?? -1;
    const handleGeneration = record[SubmissionWord.HANDLE_GENERATION] ?? -1;
    const value = record[SubmissionWord.A] ?? 0;
    const bytes = operation === Operation.SEND ? this.#gather(record, segments) : new Uint8Array();
    this.#sockets.start({ operation, token, generation }, handle, handleGeneration, value, bytes);
  }

  #gather(record: Int32Array, segments: number): Uint8Array {
    this.sends.push(segments);
    if (segments === 1) return this.#memory(record.subarray(SubmissionWord.A));
    const at = (segment: number) => record.subarray(RECORD_WORDS + segment * (RECORD_WORDS / 2));
    return Buffer.concat(Array.from({ length: segments }, (_, segment) => this.#memory(at(segment))));
  }

  #memory(words: Int32Array): Uint8Array {
    const pin = words[SegmentWord.PIN] ?? -1;
    const offset = words[SegmentWord.OFFSET] ?? -1;
    const memory = pin === -1 ? this.options.pool.subarray(poolBase) : this.#pins.get(pin);
    if (memory === undefined || offset < 0) this.violations.push(`segment of pin ${pin} at ${offset}`);
    return Uint8Array.from(memory?.subarray(offset, offset + (words[SegmentWord.LENGTH] ?? 0)) ?? []);
  }

  #deliver(): number {
    const block = this.options.completion;
    const batch = this.#sockets.completions.splice(0, Limit.COMPLETION_RECORDS);
    const { parked } = this.#sockets;
    const isNews = parked > this.#toldParked;
    this.#toldParked = parked;
    if (batch.length === 0 && !isNews) return 0;
    for (const [record, words] of batch.entries()) {
      block.set(words, HEADER_WORDS + record * RECORD_WORDS + CompletionWord.CODE);
    }
    block[CompletionHeader.PARKED] = parked;
    block[CompletionHeader.KERNEL_SLOTS] = this.#provided.length;
    this.options.onBatch(batch.length);
    return batch.length;
  }
}

/** A binding whose ports are of the given class. */
export function bindingOf(Port: NativeBinding['Port']): NativeBinding {
  return { Port, postTo: () => false, versions: {} };
}

/** A binding whose last port a test can reach. */
export function loopbackBinding(): NativeBinding & { readonly device: LoopbackDevice } {
  let device: LoopbackDevice | undefined;
  class Port extends LoopbackDevice {
    constructor(options: NativePortOptions) {
      super(options);
      device = this;
    }
  }
  return {
    ...bindingOf(Port),
    get device() {
      if (device === undefined) throw new Error('No port was opened.');
      return device;
    },
  };
}
