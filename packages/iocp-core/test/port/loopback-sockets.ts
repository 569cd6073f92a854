/** Sockets that reach each other in memory: the kernel behind the loop-back device. */

import type { HandleRef } from '../../src/port/binding.js';
import { CompleteFlag, Operation } from '../../src/protocol.gen.js';

const ebadf = -9;
const econnrefused = -111;
const ecanceled = -125;

/** An operation in flight. */
export interface Pending {
  readonly operation: Operation;
  readonly token: number;
  readonly generation: number;
}

interface Handle extends HandleRef {
  readonly index: number;
  generation: number;
  open: boolean;
  listeningPort: number;
  remotePort: number;
  peer: Handle | null;
  inbox: Uint8Array[];
  peerEnded: boolean;
  accept: Pending | null;
  recv: Pending | null;
}

/** The slots that receives are given. */
export interface SlotSource {
  takeSlot(): number;
  /** Writes into a slot. */
  fill(slot: number, bytes: Uint8Array): void;
  readonly slotBytes: number;
}

export class LoopbackSockets {
  /** Receives that found no slot in the last `flow`. */
  parked = 0;
  /** Completions in the layout of their records. */
  readonly completions: number[][] = [];
  readonly #slots: SlotSource;
  readonly #handles: Handle[] = [];
  readonly #inFlight = new Map<number, Pending>();
  #nextPort = 1;

  constructor(slots: SlotSource) {
    this.#slots = slots;
  }

  get operationsInFlight(): number {
    return this.#inFlight.size;
  }

  get handlesOpen(): number {
    return this.#handles.filter((handle) => handle.open).length;
  }

  listen(port: number): HandleRef {
    const handle = this.#open();
    handle.listeningPort = port === 0 ? this.#nextPort++ : port;
    return { index: handle.index, generation: handle.generation };
  }

  open(remotePort: number): HandleRef {
    const handle = this.#open();
    handle.remotePort = remotePort;
    return { index: handle.index, generation: handle.generation };
  }

  find(index: number, generation: number): Handle | null {
    const handle = this.#handles[index];
    return handle?.open === true && handle.generation === generation ? handle : null;
  }

  inFlight(token: number): Pending | undefined {
    return this.#inFlight.get(token);
  }

  /** An operation begins; `bytes` is what a SEND sends, `value` what a POST carries. */
  start(pending: Pending, index: number, generation: number, value: number, bytes: Uint8Array): void {
    this.#inFlight.set(pending.token, pending);
    const handle = this.find(index, generation);
    if (pending.operation === Operation.POST) this.end(pending, value);
    else if (handle === null) this.end(pending, ebadf);
    else this.#startOn(handle, pending, bytes);
  }

  /** Delivers what lies in inboxes to receives that have a slot. */
  flow(): void {
    this.parked = 0;
    for (const handle of this.#handles) {
      while (handle.recv !== null && handle.inbox.length > 0) {
        const slot = this.#slots.takeSlot();
        if (slot < 0) {
          this.parked++;
          break;
        }
        this.#receive(handle, handle.recv, slot);
      }
      if (handle.recv !== null && handle.inbox.length === 0 && handle.peerEnded) this.end(handle.recv, 0);
    }
  }

  end(pending: Pending, result: number): void {
    this.#inFlight.delete(pending.token);
    for (const handle of this.#handles) {
      if (handle.accept === pending) handle.accept = null;
      if (handle.recv === pending) handle.recv = null;
    }
    this.complete(pending, result);
  }

  complete(
    { operation, token, generation }: Pending,
    result: number,
    flags = 0,
    value = -1,
    extra = 0,
  ): void {
    this.completions.push([operation | (flags << 8), token, generation, result, value, extra]);
  }

  /** The port closes. */
  cancelAll(): void {
    for (const pending of this.#inFlight.values()) this.end(pending, ecanceled);
    for (const handle of this.#handles) handle.open = false;
  }

  #open(): Handle {
    const fresh = {
      open: true,
      listeningPort: 0,
      remotePort: 0,
      peer: null,
      inbox: [],
      peerEnded: false,
      accept: null,
      recv: null,
    };
    const free = this.#handles.find((handle) => !handle.open);
    if (free !== undefined) return Object.assign(free, fresh, { generation: free.generation + 1 });
    const handle: Handle = { index: this.#handles.length, generation: 1, ...fresh };
    this.#handles.push(handle);
    return handle;
  }

  #startOn(handle: Handle, pending: Pending, bytes: Uint8Array): void {
    switch (pending.operation) {
      case Operation.ACCEPT:
        handle.accept = pending;
        break;
      case Operation.RECV:
        handle.recv = pending;
        break;
      case Operation.CONNECT:
        this.#connect(handle, pending);
        break;
      case Operation.SEND:
        handle.peer?.inbox.push(bytes);
        this.end(pending, bytes.length);
        break;
      case Operation.SHUTDOWN:
        if (handle.peer !== null) handle.peer.peerEnded = true;
        this.end(pending, 0);
        break;
      default:
        this.#close(handle, pending);
    }
  }

  #connect(handle: Handle, pending: Pending): void {
    const listener = this.#handles.find((each) => each.open && each.listeningPort === handle.remotePort);
    if (listener === undefined || listener.accept === null) {
      this.end(pending, econnrefused);
      return;
    }
    const accepted = this.#open();
    accepted.peer = handle;
    handle.peer = accepted;
    const flags = CompleteFlag.MORE | CompleteFlag.HANDLE;
    this.complete(listener.accept, 0, flags, accepted.index, accepted.generation);
    this.end(pending, 0);
  }

  #receive(handle: Handle, recv: Pending, slot: number): void {
    const bytes = handle.inbox.shift() ?? new Uint8Array();
    const part = bytes.subarray(0, this.#slots.slotBytes);
    if (part.length < bytes.length) handle.inbox.unshift(bytes.subarray(part.length));
    this.#slots.fill(slot, part);
    this.complete(recv, part.length, CompleteFlag.MORE | CompleteFlag.SLOT, slot);
  }

  #close(handle: Handle, pending: Pending): void {
    if (handle.accept !== null) this.end(handle.accept, ecanceled);
    if (handle.recv !== null) this.end(handle.recv, ecanceled);
    if (handle.peer !== null) handle.peer.peerEnded = true;
    handle.open = false;
    this.end(pending, 0);
  }
}
