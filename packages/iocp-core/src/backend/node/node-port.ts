/** The driver on `node:net` and `node:dgram`: for platforms without a binary, and hosts that refuse native code. */

import { release } from 'node:os';
import type {
  HandleRef,
  NativeAddress,
  NativeDatagramOptions,
  NativeListenOptions,
  NativeMembership,
  NativeOpenOptions,
  NativePort,
  NativePortInfo,
  NativePortOptions,
  NativeStats,
  RejectedBackend,
} from '../../port/binding.js';
import { CompletionHeader, Limit } from '../../protocol.gen.js';
import { Connection } from './connection.js';
import { DatagramSocket } from './datagram-socket.js';
import { Engine } from './engine.js';
import { nativeError } from './errors.js';
import type { Handle } from './handle.js';
import { Listener } from './listener.js';
import { LoopTurns } from './loop-turns.js';
import { closeMailbox, openMailbox } from './mailboxes.js';

/** Rounds of delivery in one turn of the loop: timers and other sockets want their share. */
const roundsPerTurn = 16;
/** Completions that may wait before posts are refused, as in native mailboxes. */
const mailMax = 65536;

/**
 * A driver of the rings in JavaScript. Same rules, results and order of completions as the addon's; what Node.js cannot do
 * is told at `Connection`, `Listener`, `DatagramSocket`, their options, and `postToNode`. A connect or a write under way keeps the process
 * alive until it is done, whatever `unref` says: libuv's requests do.
 */
export class NodePort implements NativePort {
  readonly info: NativePortInfo;
  readonly #options: NativePortOptions;
  readonly #engine: Engine;
  readonly #turns: LoopTurns;
  readonly #mailboxes = new Set<number>();
  #delivering = false;
  #closed = false;

  /** @param rejected what was tried before. @throws ENOSYS when faults are asked for */
  constructor(options: NativePortOptions, rejected: readonly RejectedBackend[] = []) {
    if (options.faults !== undefined) throw nativeError('ENOSYS', 'faults');
    const { pool, slots, slotBytes } = options;
    this.#options = options;
    this.info = { backend: 'node', kernel: release(), features: [], rejected, poolBase: 0, entries: 0 };
    this.#turns = new LoopTurns(this);
    this.#engine = new Engine(pool.subarray(0, slots * slotBytes), slots, slotBytes, () =>
      this.#turns.requestDelivery(),
    );
  }

  /** Somebody has written the first record since the last drain; what is written in a batch is drained at its end. */
  submitted(): void {
    if (!this.#delivering) this.#turns.requestDrain();
  }

  flush(): void {
    this.drain();
  }

  /** For the turns of the loop. */
  drain(): void {
    if (!this.#closed) this.#engine.drain(this.#options.submission);
  }

  /** For the turns of the loop. */
  deliver(): void {
    for (let round = 0; round < roundsPerTurn; round++) {
      if (!this.#deliverBatch()) return;
      this.drain();
      this.#engine.slots.nextTurn();
    }
    this.#turns.requestDelivery();
  }

  async listen(options: NativeListenOptions): Promise<HandleRef> {
    this.#requireOpen();
    return Listener.opened(this.#engine, options, () => this.#closed);
  }

  open(options: NativeOpenOptions): HandleRef {
    this.#requireOpen();
    return this.#engine.adopt(Connection.opened(this.#engine, options));
  }

  async openDatagram(options: NativeDatagramOptions): Promise<HandleRef> {
    this.#requireOpen();
    return DatagramSocket.opened(this.#engine, options, () => this.#closed);
  }

  async connectDatagram(
    index: number,
    generation: number,
    remote: NativeDatagramOptions['local'] | null,
  ): Promise<void> {
    await this.#findDatagram(index, generation, 'connect').connectTo(remote);
  }

  changeMembership(index: number, generation: number, membership: NativeMembership): void {
    this.#findDatagram(index, generation, 'setsockopt').changeMembership(membership);
  }

  /** `node:dgram` does not ask for answers of the network. */
  takeDatagramError(index: number, generation: number): null {
    this.#findDatagram(index, generation, 'recvmsg');
    return null;
  }

  /** Only those that waited here: `node:dgram` does not tell what the system drops. */
  droppedDatagrams(index: number, generation: number): number {
    return this.#findDatagram(index, generation, 'getsockopt').dropped;
  }

  associate(fd: number): HandleRef {
    this.#requireOpen();
    return this.#engine.adopt(Connection.associated(this.#engine, fd));
  }

  address(index: number, generation: number, peer: boolean): NativeAddress | null {
    return this.#find(index, generation).address(peer);
  }

  getOption(index: number, generation: number, name: string): number | string {
    return this.#find(index, generation).getOption(name);
  }

  setOption(index: number, generation: number, name: string, value: number | string): void {
    this.#find(index, generation).setOption(name, value);
  }

  /** `node:net` does not ask the kernel. */
  tcpInfo(index: number, generation: number): never {
    this.#find(index, generation);
    throw nativeError('EOPNOTSUPP', 'getsockopt');
  }

  /** `node:net` does not tell it. */
  descriptor(index: number, generation: number): number {
    this.#find(index, generation);
    return -1;
  }

  pin(bytes: Uint8Array): number {
    return this.#engine.pins.add(bytes);
  }

  ref(): void {
    this.#turns.ref();
  }

  unref(): void {
    this.#turns.unref();
  }

  stats(): NativeStats {
    const { slots, pins, handles, submissions, rejected, operationsInFlight } = this.#engine;
    return {
      operationsInFlight,
      handlesOpen: handles.count,
      parked: slots.parked,
      pins: pins.count,
      kernelSlots: slots.count,
      submissions,
      rejected,
      parkings: slots.parkings,
      systemCalls: 0,
      overflows: 0,
    };
  }

  mailbox(tokenIndex: number, tokenGeneration: number): number {
    const { completions } = this.#engine;
    const id = openMailbox((value) => {
      if (completions.length >= mailMax) return false;
      this.#engine.mail(tokenIndex, tokenGeneration, value);
      return true;
    });
    this.#mailboxes.add(id);
    return id;
  }

  closeMailbox(id: number): void {
    if (this.#mailboxes.delete(id)) closeMailbox(id);
  }

  close(): void {
    for (const id of this.#mailboxes) closeMailbox(id);
    this.#mailboxes.clear();
    this.#closed = true;
    this.#engine.close();
    while (this.#deliverBatch());
    this.#turns.close();
  }

  /** False when there is nothing to deliver. */
  #deliverBatch(): boolean {
    const { completions, slots } = this.#engine;
    const { completion, onBatch } = this.#options;
    const count = completions.moveTo(completion, Limit.COMPLETION_RECORDS);
    const starved = slots.takeStarved();
    if (count === 0 && !starved) return false;
    completion[CompletionHeader.PARKED] = slots.parked;
    completion[CompletionHeader.KERNEL_SLOTS] = slots.count;
    this.#delivering = true;
    onBatch(count);
    this.#delivering = false;
    return true;
  }

  #find(index: number, generation: number): Handle {
    this.#requireOpen();
    const handle = this.#engine.handles.find(index, generation);
    if (handle === null) throw nativeError('EBADF', 'handle');
    return handle;
  }

  #findDatagram(index: number, generation: number, syscall: string): DatagramSocket {
    const handle = this.#find(index, generation);
    if (handle instanceof DatagramSocket) return handle;
    throw nativeError('EOPNOTSUPP', syscall);
  }

  #requireOpen(): void {
    if (this.#closed) throw nativeError('ECANCELED', 'port');
  }
}
