/** What an open socket of the port is, and what it asks of the port. */

import type { HandleRef, NativeAddress } from '../../port/binding.js';
import { Operation } from '../../protocol.gen.js';
import { Failed } from './errors.js';
import type { OutgoingDatagram } from './outgoing-datagram.js';
import type { Pending } from './pending.js';
import type { SlotStock } from './slot-stock.js';

/** The port as handles see it. */
export interface HandleHost {
  readonly slots: SlotStock;
  /** The last completion of an operation. */
  settle(pending: Pending, result: number): void;
  /** A completion of an operation that goes on. `flags` without MORE. */
  more(pending: Pending, result: number, flags?: number, value?: number, extra?: number): void;
  /** A handle of its own for an accepted socket. */
  adopt(handle: Handle): HandleRef;
  /** The handle has closed: it names nothing from now on. */
  release(handle: Handle): void;
}

/**
 * One handle. Of each operation but SHUTDOWN there is at most one in flight; the port makes sure that nothing is submitted
 * once the handle is closing. What a kind of socket does not have ends with EOPNOTSUPP.
 */
export abstract class Handle {
  index = -1;
  generation = 0;
  /** The CLOSE under way. */
  closing: Pending | null = null;
  protected readonly host: HandleHost;
  readonly #inFlight = new Set<Pending>();
  #released = false;

  constructor(host: HandleHost) {
    this.host = host;
  }

  /** True when an operation of this kind is in flight. */
  busyWith(operation: Operation): boolean {
    for (const pending of this.#inFlight) if (pending.operation === operation) return true;
    return false;
  }

  /** Starts an operation: CLOSE excepted, and SEND and SEND_TO, which have their own methods. */
  start(pending: Pending, argument: number): void {
    this.#inFlight.add(pending);
    switch (pending.operation) {
      case Operation.ACCEPT:
        this.accept(pending);
        break;
      case Operation.CONNECT:
        this.connect(pending);
        break;
      case Operation.RECV:
        this.recv(pending);
        break;
      case Operation.RECV_FROM:
        this.recvFrom(pending);
        break;
      default:
        this.shutdown(pending, argument);
    }
  }

  startSend(pending: Pending, segments: readonly Uint8Array[]): void {
    this.#inFlight.add(pending);
    this.send(pending, segments);
  }

  startSendTo(pending: Pending, datagrams: readonly OutgoingDatagram[]): void {
    this.#inFlight.add(pending);
    this.sendTo(pending, datagrams);
  }

  /** Settles what is in flight, then closes, and settles the CLOSE when that is done. */
  startClose(pending: Pending, abortive: boolean): void {
    this.closing = pending;
    this.#cancelAll();
    this.close(abortive);
  }

  /** The port closes: everything at once. */
  dispose(): void {
    this.#cancelAll();
    if (this.closing === null) this.close(false);
    this.closed();
  }

  cancel(pending: Pending): void {
    if (this.#inFlight.has(pending)) this.stop(pending);
  }

  abstract address(peer: boolean): NativeAddress | null;
  abstract getOption(name: string): number | string;
  abstract setOption(name: string, value: number | string): void;

  /** Ends an operation early, or leaves it to its own completion when it is done. */
  protected abstract stop(pending: Pending): void;
  /** Gives the socket up; nothing is in flight. Calls `closed()` then. */
  protected abstract close(abortive: boolean): void;

  protected accept(pending: Pending): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  protected connect(pending: Pending): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  protected recv(pending: Pending): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  protected send(pending: Pending, _segments: readonly Uint8Array[]): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  protected recvFrom(pending: Pending): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  /** The datagrams are valid until this returns, the bytes they name until the operation settles. */
  protected sendTo(pending: Pending, _datagrams: readonly OutgoingDatagram[]): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  protected shutdown(pending: Pending, _direction: number): void {
    this.settle(pending, Failed.NOT_SUPPORTED);
  }

  /** The result of what the closing handle does not wait for. */
  protected canceledResult(_pending: Pending): number {
    return Failed.CANCELED;
  }

  protected settle(pending: Pending, result: number): void {
    this.#inFlight.delete(pending);
    this.host.settle(pending, result);
  }

  /** The socket is gone. Idempotent. */
  protected closed(): void {
    if (this.#released) return;
    this.#released = true;
    const { closing } = this;
    this.host.release(this);
    if (closing !== null) this.host.settle(closing, 0);
  }

  #cancelAll(): void {
    for (const pending of this.#inFlight) this.stop(pending);
    for (const pending of this.#inFlight) this.settle(pending, this.canceledResult(pending));
  }
}
