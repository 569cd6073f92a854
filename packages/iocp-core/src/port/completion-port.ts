/** The completion port: submits operations, hands out completions, owns the memory between. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  invalidArgumentValue,
  validateFunction,
  validateInteger,
  validateObject,
} from '../layer/validate.js';
import type { WriteMemory } from '../layer/write-memory.js';
import { Operation, type ShutdownDirection, SubmitFlag } from '../protocol.gen.js';
import type { HandleRef, NativeBinding, NativeError, NativePort, NativePortOptions } from './binding.js';
import { BufferPool } from './buffer-pool.js';
import type { CompletionHandler, TurnTask } from './completion-handler.js';
import type { DatagramList } from './datagram-list.js';
import { announceExhaustion, announcePort, debug } from './diagnostics.js';
import { Dispatcher } from './dispatcher.js';
import { canceledResult, type ErrorTarget, fromNativeError, portClosedError } from './io-error.js';
import { openDriver } from './open-driver.js';
import { requireNetworkPermission } from './permission.js';
import { type PortInfo, type PortStats, portInfo } from './port-info.js';
import { type PortOptions, type PortSettings, portSettings } from './port-options.js';
import { type PortPoster, validateInt32 } from './poster.js';
import type { SegmentList, SegmentMemory } from './segment-list.js';
import { SegmentStock } from './segment-stock.js';
import { SlotMemory } from './slot-memory.js';
import { Socket } from './socket.js';
import {
  type DatagramSocketOptions,
  nativeDatagramOptions,
  nativeListenOptions,
  nativeOpenOptions,
  type SocketListenOptions,
  type SocketOpenOptions,
} from './socket-addresses.js';
import { SubmissionRing } from './submission-ring.js';
import { type Token, TokenTable } from './token-table.js';
import { TurnQueue } from './turn-queue.js';
import { WriteArena } from './write-arena.js';

const acceptCode = Operation.ACCEPT;
const connectCode = Operation.CONNECT;
const recvCode = Operation.RECV;
const sendCode = Operation.SEND;
const recvFromCode = Operation.RECV_FROM;
const sendToCode = Operation.SEND_TO;
const shutdownCode = Operation.SHUTDOWN;
const closeCode = Operation.CLOSE;
const postCode = Operation.POST;
const unpinCode = Operation.UNPIN;
const abortiveFlag = SubmitFlag.ABORT << 8;
/** How often handlers may submit anew while the port closes before they are left alone. */
const settleRoundsMax = 16;

/**
 * Completion-based input and output for one thread. Operations are submitted with a handler and settle exactly once; their
 * memory belongs to the kernel until then. Nothing that is submitted keeps the event loop alive: see `ref`.
 */
export class CompletionPort implements SegmentMemory {
  /** What runs, and why. */
  readonly info: PortInfo;
  readonly pool: BufferPool;
  /** Where small writes are copied. */
  readonly arena: WriteArena;
  /** Send queues for channels, while they have something to send. */
  readonly segmentStock: SegmentStock;
  /** The pool's slots, for layers that fill what they write. */
  readonly writeMemory: WriteMemory;
  readonly #ring = new SubmissionRing();
  readonly #tokens = new TokenTable();
  readonly #turns = new TurnQueue();
  readonly #dispatcher: Dispatcher;
  readonly #driver: NativePort;
  #refs = 0;
  #exhausted = false;
  /** The driver must not be called any more. */
  #driverClosed = false;
  /** Everything has settled: nothing can be submitted. */
  #ended = false;
  #closing: Promise<void> | undefined;

  /**
   * @param options see `PortOptions`.
   * @param binding a driver of one's own, in place of those that `backend` chooses from.
   * @throws {IoError} `ERR_IOCP_NO_BACKEND` when the chosen backend does not work.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` and `ERR_OUT_OF_RANGE`, naming the option.
   */
  constructor(options: PortOptions = {}, binding?: NativeBinding) {
    const settings = portSettings(options);
    this.pool = new BufferPool(this.#ring, settings.pool);
    this.arena = new WriteArena(this.pool);
    this.segmentStock = new SegmentStock(this);
    this.writeMemory = new SlotMemory(this.pool);
    this.#dispatcher = new Dispatcher(this.#tokens, this.pool, this.#turns, {
      closeUnclaimed: (handle, generation) => this.#closeUnclaimed(handle, generation),
      batchDone: (parked) => this.#batchDone(parked),
    });
    this.#driver = openDriver(this.#driverOptions(settings), binding);
    this.info = portInfo(this.#driver.info, settings);
    this.#ring.connect(this.#driver);
    this.pool.start(this.#driver.info.poolBase);
    announcePort(this);
  }

  /** True from the call of `close()` on. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Counts at this moment. */
  get stats(): PortStats {
    const native = this.#driverClosed ? undefined : this.#driver.stats();
    const { slots } = this.pool;
    return {
      operationsInFlight: this.#tokens.live,
      handlesOpen: native?.handlesOpen ?? 0,
      parked: native?.parked ?? 0,
      // The slot that waits for the next small write is nobody's leak.
      slots: this.arena.idle ? { ...slots, javascript: slots.javascript - 1, free: slots.free + 1 } : slots,
      pins: native?.pins ?? 0,
      batches: this.#dispatcher.batches,
      completions: this.#dispatcher.completions,
      staleCompletions: this.#dispatcher.staleCompletions,
      submissions: this.#ring.submissions,
      overflows: native?.overflows ?? 0,
      systemCalls: native?.systemCalls ?? 0,
    };
  }

  /**
   * A listening socket. Without a host it takes IPv6 and IPv4, or IPv4 where there is no IPv6.
   * Rejects with an `IoError` with the system's error: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE, …
   */
  async listen(options: SocketListenOptions): Promise<Socket> {
    const native = nativeListenOptions(options);
    const listen = (host = native.host) =>
      this.#openLater((driver) => driver.listen(host === undefined ? native : { ...native, host }), {
        address: native.path ?? host,
        port: native.port,
      });
    const anyHost = options.host === undefined && native.path === undefined;
    return anyHost ? unlessWithoutIpv6(listen, () => listen('0.0.0.0')) : listen();
  }

  /**
   * A datagram socket, bound, and connected when there is a `remote`. RECV_FROM and SEND_TO are its operations.
   * Rejects with an `IoError` with the system's error: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE, …
   */
  async openDatagram(options: DatagramSocketOptions = {}): Promise<Socket> {
    const native = nativeDatagramOptions(options);
    const open = (family = native.family, local = native.local) =>
      this.#openLater(
        (driver) => driver.openDatagram({ ...native, family, local }),
        { address: local.host, port: local.port },
        native.remote && { address: native.remote.host, port: native.remote.port },
      );
    const anyHost = options.local?.host === undefined && native.remote === undefined && !native.ipv6Only;
    if (!anyHost) return open();
    return unlessWithoutIpv6(open, () => open('ipv4', { host: '0.0.0.0', port: native.local.port }));
  }

  /**
   * A socket for CONNECT.
   * @throws {IoError} with the system's error: EMFILE, EADDRINUSE or EADDRNOTAVAIL for the local address, …
   */
  open(options: SocketOpenOptions): Socket {
    const native = nativeOpenOptions(options);
    const { remote } = native;
    const target = 'path' in remote ? { address: remote.path } : { address: remote.host, port: remote.port };
    return this.#openHandle((driver) => driver.open(native), target);
  }

  /**
   * Takes over a descriptor: it becomes non-blocking and is closed by CLOSE. Do not use it otherwise any more.
   * @throws {IoError} EBADF, ENOTSOCK, …
   */
  associate(fd: number): Socket {
    validateInteger(fd, 'fd', 0, 0x7fffffff);
    return this.#openHandle((driver) => driver.associate(fd), {});
  }

  /** The accepted socket that a completion with HANDLE names. Only in the call of the handler: then it is closed. */
  socket(index: number, generation: number): Socket {
    this.#dispatcher.claim(index, generation);
    return new Socket(this, index, generation);
  }

  /** Accepts connections until cancelled: each is a completion with MORE and HANDLE. */
  submitAccept(socket: Socket, handler: CompletionHandler): Token {
    return this.#submit(acceptCode, acceptCode, socket, handler, 0);
  }

  /** Connects to the remote address the socket was opened for. Result 0 or the error. */
  submitConnect(socket: Socket, handler: CompletionHandler): Token {
    return this.#submit(connectCode, connectCode, socket, handler, 0);
  }

  /** Receives until the end of the stream (result 0), an error, or a cancel: each completion with MORE and SLOT has bytes. */
  submitRecv(socket: Socket, handler: CompletionHandler): Token {
    return this.#submit(recvCode, recvCode, socket, handler, 0);
  }

  /**
   * Sends all segments, in order, whole. One at a time per socket. The list stays as it is until the operation has
   * settled; then call its `releaseAll`. The result is the number of bytes or the error.
   */
  submitSend(socket: Socket, segments: SegmentList, handler: CompletionHandler): Token {
    if (segments.count === 0) throw invalidArgumentValue('segments', segments, 'must not be empty');
    const index = this.#begin(sendCode, socket, handler);
    const generation = this.#tokens.generationOf(index);
    this.#ring.send(index, generation, socket.index, socket.generation, segments.words, segments.count);
    return this.#tokens.tokenOf(index);
  }

  /**
   * Receives datagrams until an error or a cancel: each is a completion with MORE and SLOT. At the start of the slot is a
   * header (`IncomingWord` of `port.pool.words` from `port.pool.wordOf(slot)` on), and at `Limit.DATAGRAM_OFFSET` the
   * datagram, `result` bytes long. An answer of the network to an earlier datagram (ECONNREFUSED, …) also ends it: submit
   * it anew. One at a time per socket: EALREADY.
   */
  submitRecvFrom(socket: Socket, handler: CompletionHandler): Token {
    return this.#submit(recvFromCode, recvFromCode, socket, handler, 0);
  }

  /**
   * Sends datagrams, each of them whole or not at all. One at a time per socket: EALREADY. The list stays as it is until
   * the operation has settled; then call its `releaseAll`. Each entry that the system refuses is a completion with MORE,
   * its error as the result, and its number (from 0) as the value; the last result is the number of entries that the
   * system has taken, or the error when nothing was tried.
   */
  submitSendTo(socket: Socket, datagrams: DatagramList, handler: CompletionHandler): Token {
    if (datagrams.count === 0) throw invalidArgumentValue('datagrams', datagrams, 'must not be empty');
    const index = this.#begin(sendToCode, socket, handler);
    const generation = this.#tokens.generationOf(index);
    this.#ring.sendTo(index, generation, socket.index, socket.generation, datagrams.words, datagrams.count);
    return this.#tokens.tokenOf(index);
  }

  /** Half-closes. Result 0 or the error. */
  submitShutdown(socket: Socket, direction: ShutdownDirection, handler: CompletionHandler): Token {
    return this.#submit(shutdownCode, shutdownCode, socket, handler, direction);
  }

  /**
   * Closes: everything in flight on the socket is cancelled and settles first (ECANCELED), then this one.
   * @param abortive resets the peer. Default false: what was sent is delivered.
   */
  submitClose(socket: Socket, handler: CompletionHandler, abortive = false): Token {
    return this.#submit(closeCode, abortive ? closeCode | abortiveFlag : closeCode, socket, handler, 0);
  }

  /** Asks for an early end. The operation's own completion decides: ECANCELED, or what had happened before. */
  cancel(token: Token): void {
    if (!this.#driverClosed) this.#ring.cancel(TokenTable.indexOf(token), TokenTable.generationOf(token));
  }

  /** Completes with POST and `value`, a 32-bit integer, in a later turn. */
  post(handler: CompletionHandler, value: number): Token {
    validateHandler(handler);
    validateInt32(value, 'value');
    this.#requireOpen();
    const index = this.#tokens.acquire(postCode, handler);
    this.#ring.operation(postCode, index, this.#tokens.generationOf(index), 0, 0, value);
    return this.#tokens.tokenOf(index);
  }

  /** Lets other threads complete with POST: each `postTo(poster.handle, value)` calls the handler, with MORE. */
  poster(handler: CompletionHandler): PortPoster {
    validateHandler(handler);
    if (this.closed) throw portClosedError();
    const index = this.#tokens.acquire(postCode, handler);
    const token = this.#tokens.tokenOf(index);
    const mailbox = this.#driver.mailbox(index, this.#tokens.generationOf(index));
    return { handle: { mailbox }, close: () => this.#closePoster(mailbox, token) };
  }

  /** Runs the task once at the end of this turn, or in a microtask when no completions are being dispatched. */
  atTurnEnd(task: TurnTask): void {
    this.#turns.schedule(task);
  }

  /** Keeps the event loop alive until the matching `unref()`. Calls are counted. */
  ref(): void {
    if (this.#refs++ === 0 && !this.#driverClosed) this.#driver.ref();
  }

  unref(): void {
    if (this.#refs === 0) throw invalidArgumentValue('unref()', 0, 'has no matching ref()');
    if (--this.#refs === 0 && !this.#driverClosed) this.#driver.unref();
  }

  /** For `SegmentList`. */
  pin(bytes: Uint8Array): number {
    return this.#driverClosed ? 0 : this.#driver.pin(bytes);
  }

  /** For `SegmentList`. */
  unpin(pin: number): void {
    this.#ring.notice(unpinCode, pin);
  }

  /** For `Socket`. Throws `ERR_IOCP_PORT_CLOSED`. */
  requireDriver(): NativePort {
    if (this.#driverClosed) throw portClosedError();
    return this.#driver;
  }

  /**
   * Cancels everything, waits until it has settled, and closes all sockets. Handlers get their last completions
   * (ECANCELED; 0 for CLOSE) before the promise resolves. What is submitted meanwhile is settled so, too; afterwards
   * submitting throws `ERR_IOCP_PORT_CLOSED`. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeDriver();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(
    operation: Operation,
    code: number,
    socket: Socket,
    handler: CompletionHandler,
    argument: number,
  ): Token {
    const index = this.#begin(operation, socket, handler);
    const generation = this.#tokens.generationOf(index);
    this.#ring.operation(code, index, generation, socket.index, socket.generation, argument);
    return this.#tokens.tokenOf(index);
  }

  #begin(operation: Operation, socket: Socket, handler: CompletionHandler): number {
    this.#requireOpen();
    if (socket.port !== this) throw invalidArgumentValue('socket', socket, 'belongs to another port');
    return this.#tokens.acquire(operation, handler);
  }

  #requireOpen(): void {
    if (this.#ended) throw portClosedError();
  }

  #driverOptions(settings: PortSettings): NativePortOptions {
    return {
      backend: settings.backend,
      entries: settings.entries,
      submission: this.#ring.block,
      completion: this.#dispatcher.block,
      pool: this.pool.bytes,
      slotBytes: this.pool.slotBytes,
      slots: this.pool.maxSlots,
      onBatch: (count) => this.#dispatcher.run(count),
      ...(settings.faults === undefined ? {} : { faults: settings.faults }),
    };
  }

  /** @param remote whom a failed `connect` was about. */
  async #openLater(
    open: (driver: NativePort) => HandleRef | Promise<HandleRef>,
    target: ErrorTarget,
    remote: ErrorTarget = target,
  ): Promise<Socket> {
    this.#requireOpening(target);
    if (remote !== target) this.#requireOpening(remote);
    let handle: HandleRef;
    try {
      handle = await open(this.#driver);
    } catch (error) {
      if (this.closed) throw portClosedError();
      throw fromNativeError(error, (error as NativeError).syscall === 'connect' ? remote : target);
    }
    // Closed meanwhile, and the socket with it.
    if (this.closed) throw portClosedError();
    return new Socket(this, handle.index, handle.generation);
  }

  #openHandle(open: (driver: NativePort) => HandleRef, target: ErrorTarget): Socket {
    this.#requireOpening(target);
    try {
      const { index, generation } = open(this.#driver);
      return new Socket(this, index, generation);
    } catch (error) {
      throw fromNativeError(error, target);
    }
  }

  /** Sockets may be opened: the port is not closing, and the process has the permission. */
  #requireOpening({ address }: ErrorTarget): void {
    if (this.closed) throw portClosedError();
    requireNetworkPermission(address ?? '');
  }

  #closeUnclaimed(handle: number, generation: number): void {
    if (!this.#ended) this.submitClose(new Socket(this, handle, generation), ignoreCompletion, true);
  }

  #closePoster(mailbox: number, token: Token): void {
    const index = TokenTable.indexOf(token);
    if (this.#tokens.handlerOf(index, TokenTable.generationOf(token)) === null) return;
    this.#tokens.release(index);
    if (!this.#driverClosed) this.#driver.closeMailbox(mailbox);
  }

  #batchDone(parked: number): void {
    if (this.#driverClosed) {
      this.#ring.clear();
      return;
    }
    const exhausted = !this.pool.replenish(parked);
    if (exhausted && !this.#exhausted) announceExhaustion(this, parked);
    this.#exhausted = exhausted;
  }

  async #closeDriver(): Promise<void> {
    // Not inside the dispatch or the handler that asked for it.
    do await nextTurn();
    while (this.#dispatcher.active);
    this.#driver.flush();
    this.#driverClosed = true;
    this.#ring.connect(undefined);
    this.#driver.close();
    for (let round = 0; this.#tokens.live > 0 && round < settleRoundsMax; round++) {
      this.#settleAll();
      await nextTurn();
    }
    this.#ended = true;
    this.#settleAll();
    this.arena.release();
    this.pool.close();
    debug('port closed');
  }

  /** What the driver did not settle, or was submitted too late for it. */
  #settleAll(): void {
    this.#turns.hold();
    for (const index of this.#tokens.liveIndices()) {
      this.#dispatcher.settle(index, this.#tokens.operationOf(index) === closeCode ? 0 : canceledResult);
    }
    this.#turns.run();
  }
}

/** Opens for IPv6, and with `other` where the system has none. */
async function unlessWithoutIpv6(open: () => Promise<Socket>, other: () => Promise<Socket>): Promise<Socket> {
  try {
    return await open();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw error;
    return other();
  }
}

const ignoreCompletion: CompletionHandler = { asyncResource: null, onCompletion() {} };

function validateHandler(handler: unknown): asserts handler is CompletionHandler {
  validateObject(handler, 'handler');
  validateFunction((handler as Partial<CompletionHandler>).onCompletion, 'handler.onCompletion');
}
