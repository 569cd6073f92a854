import type { AsyncResource } from 'node:async_hooks';
import {
  CompleteFlag,
  type CompletionHandler,
  ioError,
  Operation,
  type Socket,
  type Token,
} from '@iocp/core';
import type { IoError } from '@iocp/core/layer';

/** Why a listener does not accept at present: its own bounds, or the system has no descriptors or memory left. */
export type AcceptPause = 'connections-max' | 'accept-queue' | 'handshakes-max' | 'exhausted';

/** Whom accepted sockets are given to. */
export interface AcceptOwner {
  accepted(socket: Socket): void;
  /** Accepting stopped or went on. */
  pausesChanged(pauses: readonly AcceptPause[]): void;
  /** The listening socket does not work any more: nothing is accepted again. */
  acceptFailed(error: IoError): void;
}

const noToken = 0 as Token;
const retryMsMin = 50;
const retryMsMax = 1000;

/** Nothing is wrong with the socket, and trying again at once would only spin. */
const exhaustedCodes: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
/** Trying again cannot help. Every other error is about the one connection that was to be accepted, see accept(2). */
const fatalCodes: ReadonlySet<string> = new Set(['EBADF', 'EFAULT', 'EINVAL', 'ENOTSOCK', 'EOPNOTSUPP']);

/**
 * Keeps one multishot accept under way on a listening socket while there is no reason to pause. What was accepted while a
 * pause was on its way is still handed out.
 */
export class AcceptLoop implements CompletionHandler {
  readonly asyncResource: AsyncResource | null;
  readonly #socket: Socket;
  readonly #owner: AcceptOwner;
  readonly #pauses = new Set<AcceptPause>();
  #token: Token = noToken;
  #canceled = false;
  #retryMs = retryMsMin;
  #retryTimer: NodeJS.Timeout | undefined;
  #errors = 0;
  #closing = false;
  #closed: (() => void) | undefined;

  constructor(socket: Socket, owner: AcceptOwner, asyncResource: AsyncResource | null) {
    this.#socket = socket;
    this.#owner = owner;
    this.asyncResource = asyncResource;
  }

  get pauses(): readonly AcceptPause[] {
    return [...this.#pauses];
  }

  /** Accepts that failed, for whatever reason. */
  get errors(): number {
    return this.#errors;
  }

  start(): void {
    if (this.#closing || this.#pauses.size > 0 || this.#token !== noToken) return;
    this.#token = this.#socket.port.submitAccept(this.#socket, this);
  }

  /** Leaves new connections in the system's backlog until every reason is resumed. Idempotent. */
  pause(reason: AcceptPause): void {
    if (this.#pauses.has(reason)) return;
    this.#pauses.add(reason);
    if (this.#token !== noToken && !this.#canceled) {
      this.#canceled = true;
      this.#socket.port.cancel(this.#token);
    }
    this.#owner.pausesChanged(this.pauses);
  }

  /** Idempotent. */
  resume(reason: AcceptPause): void {
    if (!this.#pauses.delete(reason) || this.#closing) return;
    this.#owner.pausesChanged(this.pauses);
    this.start();
  }

  /** A descriptor was freed: no need to wait for the timer. */
  retry(): void {
    clearTimeout(this.#retryTimer);
    this.resume('exhausted');
  }

  /** Closes the listening socket. Resolves when it is closed. */
  close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#retryTimer);
    return new Promise((resolve) => {
      this.#closed = resolve;
      try {
        this.#socket.port.submitClose(this.#socket, this);
      } catch {
        // The port has closed, and the socket with it.
        resolve();
      }
    });
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number, extra: number): void {
    if (operation === Operation.CLOSE) {
      this.#closed?.();
      return;
    }
    if ((flags & CompleteFlag.MORE) === 0) {
      this.#token = noToken;
      this.#canceled = false;
    }
    if ((flags & CompleteFlag.HANDLE) !== 0) this.#onAccepted(value, extra);
    else if (result < 0) this.#onError(result);
    this.start();
  }

  #onAccepted(index: number, generation: number): void {
    // Not taken when closing: the port closes what nobody takes.
    if (this.#closing) return;
    this.#retryMs = retryMsMin;
    this.#owner.accepted(this.#socket.port.socket(index, generation));
  }

  #onError(result: number): void {
    if (this.#closing) return;
    const error = ioError(result, 'accept');
    const portClosed = this.#socket.port.closed;
    if (error.code === 'ECANCELED' && !portClosed) return;
    this.#errors++;
    if (portClosed || fatalCodes.has(error.code)) {
      this.#closing = true;
      this.#owner.acceptFailed(error);
    } else if (exhaustedCodes.has(error.code)) {
      this.#waitForDescriptors();
    }
  }

  #waitForDescriptors(): void {
    this.pause('exhausted');
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.resume('exhausted'), this.#retryMs);
    this.#retryTimer.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
  }
}
