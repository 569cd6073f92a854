import type { AsyncResource } from 'node:async_hooks';
import {
  CompleteFlag,
  type CompletionHandler,
  ioError,
  Operation,
  type SegmentList,
  ShutdownDirection,
  type SlotHolder,
  type Socket,
  type SocketOptionName,
  type SocketOptions,
  type Token,
  type TurnTask,
} from '@iocp/core';
import {
  BaseChannel,
  type ChannelInfo,
  type ChannelLimits,
  type IoError,
  type WriteMemory,
} from '@iocp/core/layer';

// Copied out of their objects: constants of the module are folded into the compiled code.
const recvOperation = Operation.RECV;
const sendOperation = Operation.SEND;
const shutdownOperation = Operation.SHUTDOWN;
const moreFlag = CompleteFlag.MORE;
/** ENOTCONN, ECONNRESET, ECANCELED. */
const errorNotConnected = -107;
const errorReset = -104;
const errorCanceled = -125;

const noToken = 0 as Token;
const tcpProtocols: readonly string[] = ['tcp'];
const unixProtocols: readonly string[] = ['unix'];

/** What is told when a channel has released its descriptor. */
export interface TcpChannelOwner {
  channelClosed(channel: TcpChannel): void;
}

/** What channels of one listener share. */
export interface TcpChannelSettings {
  readonly limits: ChannelLimits;
  readonly slotsMax: number;
  /** A Unix socket: there are no TCP options. */
  readonly unix: boolean;
}

/**
 * A connected stream socket, TCP or Unix, as a channel.
 *
 * The hot path. Per message: one completion dispatched, the slot lent upwards and kept by what is written, one flush at
 * the end of the turn, one send for all that was written, one completion of that. Nothing is allocated on the way.
 */
export class TcpChannel extends BaseChannel implements CompletionHandler, TurnTask, SlotHolder {
  readonly asyncResource: AsyncResource | null;
  readonly socket: Socket;
  turnPending = false;
  /** A Unix socket, not TCP. */
  readonly unix: boolean;
  readonly #slotsMax: number;
  #owner: TcpChannelOwner | null = null;
  #info: ChannelInfo | null = null;
  /** The multishot receive under way. */
  #receive: Token = noToken;
  #receiveCanceled = false;
  #wantsData = false;
  /** Slots that hold data of this connection after it was handed on. */
  #slotsHeld = 0;
  /** At the quota: reads on when half of it is free again. */
  #throttled = false;
  #queued: SegmentList | null = null;
  #inFlight: SegmentList | null = null;
  #holdsLoop = true;

  /** Takes over a connected socket. `asyncResource` is the context in which all events run. */
  constructor(socket: Socket, settings: TcpChannelSettings, asyncResource: AsyncResource | null) {
    super(settings.limits);
    this.socket = socket;
    this.asyncResource = asyncResource;
    this.unix = settings.unix;
    this.#slotsMax = settings.slotsMax;
    socket.port.ref();
  }

  /** Addresses are asked of the system once, when first needed. */
  get info(): ChannelInfo {
    this.#info ??= this.closed ? { protocols: this.#protocols } : this.#describe();
    return this.#info;
  }

  get writeMemory(): WriteMemory {
    return this.socket.port.writeMemory;
  }

  /** Is told once, when the descriptor is released. */
  setOwner(owner: TcpChannelOwner): void {
    this.#owner = owner;
  }

  /** The connection keeps the process alive (the default). Idempotent. */
  ref(): void {
    if (this.#holdsLoop || this.closed) return;
    this.#holdsLoop = true;
    this.socket.port.ref();
  }

  /** The process may end while the connection is open. Idempotent. */
  unref(): void {
    if (!this.#holdsLoop) return;
    this.#holdsLoop = false;
    this.socket.port.unref();
  }

  /** True while a send is in flight. */
  get sending(): boolean {
    return this.inFlightBytes > 0;
  }

  /** `TCP_NODELAY`. No effect on Unix sockets and after the close, as in `net.Socket`. */
  setNoDelay(enable = true): void {
    this.setOptions({ noDelay: enable });
  }

  /** `SO_KEEPALIVE`, with probes after `idleMs` of silence. No effect on Unix sockets and after the close. */
  setKeepAlive(enable = false, idleMs = 0): void {
    this.setOptions({
      keepAlive: enable,
      ...(enable && idleMs > 0 && { keepAliveIdle: Math.ceil(idleMs / 1000) }),
    });
  }

  /** Sets options of TCP. No effect on Unix sockets and after the close. @throws {IoError} the system's error. */
  setOptions(options: SocketOptions): void {
    if (this.closed || this.unix) return;
    for (const [name, value] of Object.entries(options))
      this.socket.setOption(name as SocketOptionName, value);
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number): void {
    if (operation === recvOperation) this.#onReceive(result, flags, value);
    else if (operation === sendOperation) this.#onSend(result);
    else if (operation === shutdownOperation) this.#onShutdown(result);
    else this.#onClose();
  }

  onTurnEnd(): void {
    this.flush();
  }

  /** A slot that was counted against the quota has gone back to the pool. */
  slotReturned(): void {
    this.#slotsHeld--;
    if (!this.#throttled || this.#slotsHeld > this.#slotsMax >> 1) return;
    this.#throttled = false;
    this.#receiveIfWanted();
  }

  protected keepChunk(chunk: Uint8Array): void {
    this.#queued ??= this.socket.port.segmentStock.take();
    this.#queued.add(chunk);
  }

  protected scheduleFlush(): void {
    this.socket.port.atTurnEnd(this);
  }

  protected startSend(): void {
    const segments = this.#queued as SegmentList;
    this.#queued = null;
    this.#inFlight = segments;
    try {
      this.socket.port.submitSend(this.socket, segments, this);
    } catch (error) {
      // The port has closed. It has said so to every operation in flight, but there may have been none.
      this.#giveBackInFlight();
      this.sent(error as IoError);
    }
  }

  protected startShutdown(): void {
    try {
      this.socket.port.submitShutdown(this.socket, ShutdownDirection.WRITE, this);
    } catch (error) {
      this.shutdownDone(error as IoError);
    }
  }

  protected startRead(): void {
    this.#wantsData = true;
    this.#receiveIfWanted();
  }

  /** The receive stays until something arrives: a pause that is over before that costs nothing. */
  protected stopRead(): void {
    this.#wantsData = false;
  }

  protected startClose(abortive: boolean): void {
    this.#wantsData = false;
    try {
      this.socket.port.submitClose(this.socket, this, abortive);
    } catch {
      // The port has closed, and the descriptor with it.
      this.#onClose();
    }
  }

  protected dropKept(): void {
    if (this.#queued === null) return;
    this.socket.port.segmentStock.give(this.#queued);
    this.#queued = null;
  }

  #receiveIfWanted(): void {
    if (!this.#wantsData || this.#throttled || this.#receive !== noToken) return;
    try {
      this.#receive = this.socket.port.submitRecv(this.socket, this);
    } catch (error) {
      this.failed(error as IoError);
    }
  }

  #cancelReceive(): void {
    if (this.#receive === noToken || this.#receiveCanceled) return;
    this.#receiveCanceled = true;
    this.socket.port.cancel(this.#receive);
  }

  #onReceive(result: number, flags: number, slot: number): void {
    if ((flags & moreFlag) === 0) {
      this.#receive = noToken;
      this.#receiveCanceled = false;
    }
    if (result > 0) this.#onData(result, slot);
    else if (result === 0) this.ended();
    else if (result !== errorCanceled || this.socket.port.closed) this.failed(this.#error(result, 'read'));
    else this.#receiveIfWanted();
  }

  #onData(length: number, slot: number): void {
    const pool = this.socket.port.pool;
    if (!this.#wantsData) this.#cancelReceive();
    this.received(pool.view(slot, length));
    if (pool.holdersOf(slot) > 1) this.#countHeld(slot);
  }

  #countHeld(slot: number): void {
    this.socket.port.pool.charge(slot, this);
    this.#slotsHeld++;
    if (this.#slotsHeld < this.#slotsMax) return;
    this.#throttled = true;
    this.#cancelReceive();
  }

  #onSend(result: number): void {
    this.#giveBackInFlight();
    this.sent(result < 0 ? this.#error(result, 'write') : null);
  }

  #giveBackInFlight(): void {
    if (this.#inFlight === null) return;
    this.socket.port.segmentStock.give(this.#inFlight);
    this.#inFlight = null;
  }

  #onShutdown(result: number): void {
    // A socket that was connected is not any more only because the peer has reset it.
    const cause = result === errorNotConnected ? errorReset : result;
    this.shutdownDone(cause < 0 ? this.#error(cause, 'shutdown') : null);
  }

  #onClose(): void {
    this.unref();
    this.#queued = null;
    this.#inFlight = null;
    this.closeDone();
    this.#owner?.channelClosed(this);
  }

  /** Names the peer when it is known already: after a reset the system does not know it any more. */
  #error(result: number, syscall: string): IoError {
    return ioError(result, syscall, { address: this.#info?.remoteAddress, port: this.#info?.remotePort });
  }

  get #protocols(): readonly string[] {
    return this.unix ? unixProtocols : tcpProtocols;
  }

  #describe(): ChannelInfo {
    const local = this.socket.address();
    const remote = this.socket.peer();
    return {
      protocols: this.#protocols,
      localAddress: local?.address,
      localPort: this.unix ? undefined : local?.port,
      remoteAddress: remote?.address,
      remotePort: this.unix ? undefined : remote?.port,
      family: (local ?? remote)?.family,
    };
  }
}
