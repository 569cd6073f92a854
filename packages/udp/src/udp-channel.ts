import type { AsyncResource } from 'node:async_hooks';
import {
  CompleteFlag,
  type CompletionHandler,
  type ErrorTarget,
  type IpEndpoint,
  ioError,
  type MembershipChange,
  Operation,
  type Socket,
  type Token,
  type TurnTask,
} from '@iocp/core';
import {
  ChannelError,
  type DatagramAddress,
  type DatagramChannel,
  type DatagramInfo,
  type DatagramReceiver,
  type DatagramSendOptions,
  type DatagramStats,
  type IoError,
  throwLater,
} from '@iocp/core/layer';
import type { QueueLimits } from './queue-limits.js';
import { batchDatagrams, ReceivedBatch } from './received-batch.js';
import { ReceivedDatagram, type ReplySender } from './received-datagram.js';
import { checkDestination, checkedLength, checkSendOptions, type DatagramData } from './send-arguments.js';
import type { Done } from './send-batch.js';
import { SendQueue, type SendQueueOwner } from './send-queue.js';
import { canceledResult, closedError, isExhausted, isFatal, mayBeAnswer } from './system-errors.js';

// Copied out of their objects: constants of the module are folded into the compiled code.
const receiveOperation = Operation.RECV_FROM;
const sendOperation = Operation.SEND_TO;
const moreFlag = CompleteFlag.MORE;
const slotFlag = CompleteFlag.SLOT;

const noToken = 0 as Token;
const protocols: readonly string[] = ['udp'];
/** What the 16 bits for the length leave, in IPv4 together with its own header: RFC 768, RFC 791, RFC 8200. */
const payloadBytesMaxIpv4 = 65_507;
const payloadBytesMaxIpv6 = 65_527;
/** How long to wait when the system has no memory to receive. */
const retryMs = 50;

/** How a channel treats its socket. */
export interface UdpChannelSettings {
  readonly queue: QueueLimits;
  /** Runs of equal datagrams to one peer leave as one that the system cuts (GSO). */
  readonly offload: boolean;
  /** Datagrams may arrive joined (GRO); the socket has been told so. */
  readonly receiveOffload: boolean;
  /** The socket keeps what the network answers (`receiveErrors` on Linux). */
  readonly keepsAnswers: boolean;
}

/**
 * A datagram socket as a channel.
 *
 * The hot path. Per datagram received: one completion, which notes slot and length. Per turn: one batch delivered, one
 * SEND_TO for all that was sent meanwhile, one completion of that. Nothing is allocated on the way.
 */
export class UdpChannel implements DatagramChannel, CompletionHandler, TurnTask, ReplySender, SendQueueOwner {
  readonly asyncResource: AsyncResource | null;
  readonly socket: Socket;
  turnPending = false;
  readonly payloadBytesMax: number;
  readonly #settings: UdpChannelSettings;
  readonly #batch: ReceivedBatch;
  readonly #queue: SendQueue;
  #info: DatagramInfo;
  #connected: boolean;
  #receiver: DatagramReceiver | null = null;
  /** The multishot receive under way. */
  #receive: Token = noToken;
  #receiveCanceled = false;
  #paused = false;
  #delivering = false;
  /** The end of the turn is being worked on: what is sent now leaves with it. */
  #inTurn = false;
  /** `close()` was called. */
  #ending = false;
  /** CLOSE was submitted. */
  #closing = false;
  #closed = false;
  #closeReason: Error | null = null;
  #retryTimer: NodeJS.Timeout | undefined;
  #received = 0;
  #receivedBytes = 0;
  #truncated = 0;
  #droppedBySystem: number | undefined;
  #holdsLoop = true;

  /** Takes over a bound socket. `asyncResource` is the context in which all events run. */
  constructor(socket: Socket, settings: UdpChannelSettings, asyncResource: AsyncResource | null) {
    const { port } = socket;
    this.socket = socket;
    this.asyncResource = asyncResource;
    this.#settings = settings;
    this.#batch = new ReceivedBatch(
      port.pool,
      new ReceivedDatagram(port.pool, this),
      settings.receiveOffload,
    );
    this.#queue = new SendQueue(port, settings.queue, settings.offload, this);
    this.#info = this.#describe();
    this.#connected = this.#info.remotePort !== undefined;
    this.payloadBytesMax = this.#info.family === 'IPv4' ? payloadBytesMaxIpv4 : payloadBytesMaxIpv6;
    port.ref();
  }

  get info(): DatagramInfo {
    return this.#info;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get closed(): boolean {
    return this.#closing;
  }

  /** Whether runs of datagrams are handed over as one; false for good once the system has refused one. */
  get offload(): boolean {
    return this.#queue.offload;
  }

  /** Whether the system joins datagrams that arrive. */
  get receiveOffload(): boolean {
    return this.#settings.receiveOffload;
  }

  get stats(): DatagramStats {
    const queue = this.#queue;
    this.#sampleDrops();
    return {
      sent: queue.sent,
      sentBytes: queue.sentBytes,
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      truncated: this.#truncated,
      droppedQueueFull: queue.droppedQueueFull,
      droppedClosed: queue.droppedClosed,
      sendErrors: queue.sendErrors,
      droppedBySystem: this.#droppedBySystem,
      queued: queue.queued,
      queuedBytes: queue.queuedBytes,
    };
  }

  get connectedTo(): ErrorTarget {
    return { address: this.#info.remoteAddress, port: this.#info.remotePort };
  }

  attach(receiver: DatagramReceiver): void {
    if (this.#receiver !== null) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'The channel has a receiver already');
    }
    this.#receiver = receiver;
    if (this.#closed) queueMicrotask(() => receiver.onClose(this.#closeReason));
    else this.#receiveIfWanted();
  }

  /** The receive stays until something arrives: a pause that is over before that costs nothing. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#receiveIfWanted();
    if (this.#batch.count > 0) this.#workLater();
  }

  send(data: DatagramData, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
    const bytes = checkedLength(data);
    checkDestination(to, this.#connected);
    if (options !== undefined) checkSendOptions(options);
    if (!this.#admits(bytes, options)) return false;
    this.#queue.add(data, to ?? null, options);
    this.#workLater();
    return true;
  }

  /** For the datagrams of a batch: to who has sent what lies in `slot`. */
  sendReply(data: Uint8Array, slot: number, options: DatagramSendOptions | undefined): boolean {
    const bytes = checkedLength(data);
    if (options !== undefined) checkSendOptions(options);
    if (!this.#admits(bytes, options)) return false;
    if (this.#connected) this.#queue.add(data, null, options);
    else this.#queue.addReply(data, slot, options);
    this.#workLater();
    return true;
  }

  close(): void {
    if (this.#ending || this.#closing) return;
    this.#ending = true;
    this.#dropHeld();
    this.#closeWhenSent();
  }

  abort(reason?: Error): void {
    if (this.#closing) return;
    this.#closeReason = reason ?? null;
    this.#startClose();
  }

  /**
   * Connects to one peer, anew when it is connected; null takes the connection back. What was queued before goes where it
   * was meant to go as far as the system lets it.
   * Rejects with the system's error, and with `ERR_CHANNEL_CLOSED`.
   */
  async connectTo(remote: IpEndpoint | null): Promise<void> {
    this.requireOpen();
    await this.socket.connectTo(remote);
    if (this.#closing) return;
    this.#info = this.#describe();
    this.#connected = this.#info.remotePort !== undefined;
  }

  /** Joins or leaves a multicast group. @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`. */
  changeMembership(membership: MembershipChange): void {
    this.requireOpen();
    this.socket.changeMembership(membership);
  }

  /** Throws `ERR_CHANNEL_CLOSED` when the socket is gone. */
  requireOpen(): void {
    if (this.#closing) {
      throw new ChannelError('ERR_CHANNEL_CLOSED', 'The socket has closed');
    }
  }

  /** The socket keeps the process alive (the default). Idempotent. */
  ref(): void {
    if (this.#holdsLoop || this.#closed) return;
    this.#holdsLoop = true;
    this.socket.port.ref();
  }

  /** The process may end while the socket is open. Idempotent. */
  unref(): void {
    if (!this.#holdsLoop) return;
    this.#holdsLoop = false;
    this.socket.port.unref();
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number): void {
    if (operation === receiveOperation) this.#onReceive(result, flags, value);
    else if (operation === sendOperation) this.#onSend(result, flags, value);
    else this.#finishClose();
  }

  onTurnEnd(): void {
    if (this.#closed) return;
    this.#inTurn = true;
    try {
      if (this.#hasEvents) this.#inContext(this.#tellEvents);
    } finally {
      this.#inTurn = false;
      this.#flush();
    }
  }

  /** For the send queue. */
  sendFailed(error: Error): void {
    this.#report(error);
  }

  /** For the send queue. */
  answered(result: number): void {
    this.#reportAnswer(result, 'send');
  }

  /** False for what is not queued; who wants to know is told at the end of the turn. */
  #admits(bytes: number, options: DatagramSendOptions | undefined): boolean {
    if (this.#ending || this.#closing) {
      if (options?.done !== undefined) this.#refuseLate(options.done);
      return false;
    }
    if (this.#queue.makeRoom(bytes, options)) return true;
    if (this.#queue.hasOutcomes) this.#workLater();
    return false;
  }

  #refuseLate(done: Done): void {
    if (this.#closed) {
      queueMicrotask(() => done(closedError()));
      return;
    }
    this.#queue.tellLater(done, closedError());
    if (!this.#closing) this.#workLater();
  }

  #workLater(): void {
    if (!this.#inTurn) this.socket.port.atTurnEnd(this);
  }

  get #hasEvents(): boolean {
    return this.#queue.hasOutcomes || (this.#batch.count > 0 && !this.#paused);
  }

  #inContext(work: () => void): void {
    if (this.asyncResource === null) work.call(this);
    else this.asyncResource.runInAsyncScope(work, this);
  }

  #tellEvents(): void {
    try {
      if (!this.#paused) this.#deliver();
    } finally {
      this.#queue.tellOutcomes();
    }
  }

  #deliver(): void {
    const batch = this.#batch;
    const receiver = this.#receiver;
    if (batch.count === 0 || receiver === null || this.#delivering) return;
    batch.prepare();
    this.#received += batch.length;
    this.#receivedBytes += batch.byteLength;
    this.#truncated += batch.truncated;
    this.#delivering = true;
    try {
      receiver.onDatagrams(batch);
    } finally {
      this.#delivering = false;
      batch.clear();
    }
  }

  #flush(): void {
    if (this.#closing) return;
    const list = this.#queue.takeNext();
    if (list !== null) {
      try {
        this.socket.port.submitSendTo(this.socket, list, this);
      } catch (error) {
        // The port has closed. It has said so to every operation in flight, but there may have been none.
        this.#fail(error as IoError);
        this.#queue.settled(canceledResult, this.#closeReason);
      }
    }
    this.#closeWhenSent();
  }

  #receiveIfWanted(): void {
    if (this.#receiver === null || this.#paused || this.#ending || this.#closing) return;
    if (this.#receive !== noToken || this.#retryTimer !== undefined) return;
    try {
      this.#receive = this.socket.port.submitRecvFrom(this.socket, this);
    } catch (error) {
      this.#fail(error as IoError);
    }
  }

  #cancelReceive(): void {
    if (this.#receive === noToken || this.#receiveCanceled) return;
    this.#receiveCanceled = true;
    this.socket.port.cancel(this.#receive);
  }

  #onReceive(result: number, flags: number, slot: number): void {
    if ((flags & slotFlag) !== 0) this.#onDatagram(result, slot);
    if ((flags & moreFlag) !== 0) return;
    this.#receive = noToken;
    this.#receiveCanceled = false;
    if (result < 0) this.#onReceiveEnded(result);
    else this.#receiveIfWanted();
  }

  #onDatagram(length: number, slot: number): void {
    if (this.#ending || this.#closing) return;
    const batch = this.#batch;
    batch.add(slot, length);
    if (this.#paused) this.#cancelReceive();
    else if (batch.count >= batchDatagrams) this.#deliver();
    else if (batch.count === 1) this.#workLater();
  }

  #onReceiveEnded(result: number): void {
    if (this.#closing) return;
    const portClosed = this.socket.port.closed;
    if (result === canceledResult && !portClosed) {
      this.#receiveIfWanted();
    } else if (portClosed || isFatal(result)) {
      this.#fail(ioError(result, 'recv', this.connectedTo));
    } else {
      if (isExhausted(result)) this.#receiveLater();
      this.#receiveIfWanted();
      this.#reportAnswer(result, 'recv');
    }
  }

  #receiveLater(): void {
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#receiveIfWanted();
    }, retryMs);
    this.#retryTimer.unref();
  }

  #onSend(result: number, flags: number, entry: number): void {
    const queue = this.#queue;
    if ((flags & moreFlag) !== 0) {
      queue.refused(entry, result);
      return;
    }
    if (this.socket.port.closed && !this.#closing && result < 0) {
      this.#fail(ioError(result, 'send', this.connectedTo));
    }
    queue.settled(result, this.#closing ? this.#closeReason : undefined);
    // sendmmsg(2) swallows an answer that it meets after its first datagram; what the socket keeps is still there.
    if (this.#settings.keepsAnswers) this.#reportKeptAnswers();
    if (this.#closing) return;
    if (queue.drainOwed && queue.halfFree && !this.#ending) {
      queue.drainOwed = false;
      this.#call(() => this.#receiver?.onDrain());
    }
    if (!queue.idle || this.#ending) this.#workLater();
  }

  /** What the system says of an earlier datagram; where it keeps the answers, it knows what each is about. */
  #reportAnswer(result: number, syscall: string): void {
    if (this.#settings.keepsAnswers) {
      this.#reportKeptAnswers();
      if (mayBeAnswer(result)) return;
    }
    this.#report(ioError(result, syscall, this.connectedTo));
  }

  #reportKeptAnswers(): void {
    while (!this.#closing && !this.socket.port.closed) {
      const error = this.socket.takeDatagramError();
      if (error === null) return;
      this.#report(error);
    }
  }

  #report(error: Error): void {
    const receiver = this.#receiver;
    if (receiver !== null) this.#call(() => receiver.onError(error));
  }

  /** What a receiver throws must not disturb the channel. */
  #call(event: () => void): void {
    try {
      event();
    } catch (error) {
      throwLater(error);
    }
  }

  #closeWhenSent(): void {
    if (this.#ending && !this.#closing && this.#queue.idle && !this.#queue.hasOutcomes) this.#startClose();
  }

  /** The socket, or its port, does not work any more. */
  #fail(error: Error): void {
    if (this.#closing) return;
    this.#closeReason = error;
    this.#startClose();
  }

  #startClose(): void {
    this.#sampleDrops();
    this.#closing = true;
    clearTimeout(this.#retryTimer);
    this.#dropHeld();
    try {
      this.socket.port.submitClose(this.socket, this);
    } catch {
      // The port has closed, and the socket with it.
      queueMicrotask(() => this.#inContext(this.#finishClose));
    }
  }

  #finishClose(): void {
    if (this.#closed) return;
    // `done` of what is dropped may send again: its refusal, too, comes before `onClose`.
    this.#queue.dropAll(this.#closeReason);
    this.#queue.tellOutcomes();
    this.#closed = true;
    this.unref();
    this.#receiver?.onClose(this.#closeReason);
  }

  /** What was received and will not be delivered. */
  #dropHeld(): void {
    if (!this.#delivering) this.#batch.clear();
  }

  #sampleDrops(): void {
    if (this.#closing) return;
    try {
      this.#droppedBySystem = this.socket.droppedDatagrams();
    } catch {
      // The port has closed: the last value stays.
    }
  }

  #describe(): DatagramInfo {
    const local = this.socket.address();
    const remote = this.socket.peer();
    return {
      protocols,
      localAddress: local?.address,
      localPort: local?.port,
      remoteAddress: remote?.address,
      remotePort: remote?.port,
      family: local?.family === 'unix' ? undefined : local?.family,
    };
  }
}
