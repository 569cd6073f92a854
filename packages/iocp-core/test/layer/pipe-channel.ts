import { BaseChannel } from '../../src/layer/base-channel.js';
import type { ChannelOptions } from '../../src/layer/channel-limits.js';
import { IoError, type LeaseOwner, registerLeaseOwner } from '../../src/layer/index.js';
import { flushSoon } from '../../src/layer/turn.js';

const slotBytes = 1024;
const slotCount = 64;

/** Receive buffers that are lent and counted, and overwritten as soon as nobody holds them. */
export class LentSlots implements LeaseOwner {
  private readonly memory = new Uint8Array(slotBytes * slotCount);
  private readonly holders = new Array<number>(slotCount).fill(0);

  constructor() {
    registerLeaseOwner(this.memory.buffer, this);
  }

  get held(): number {
    return this.holders.filter((count) => count > 0).length;
  }

  /** Lends a copy of at most one slot of `bytes` while `use` runs. */
  lend(bytes: Uint8Array, use: (lent: Uint8Array) => void): void {
    const slot = this.holders.indexOf(0);
    if (slot < 0) throw new Error('The test pipe has run out of slots: something leaks');
    const start = slot * slotBytes;
    this.memory.set(bytes, start);
    this.retain(start);
    try {
      use(this.memory.subarray(start, start + bytes.byteLength));
    } finally {
      this.release(start);
    }
  }

  retain(byteOffset: number): void {
    this.count(byteOffset, 1);
  }

  release(byteOffset: number): void {
    const slot = Math.floor(byteOffset / slotBytes);
    const count = this.count(byteOffset, -1);
    if (count < 0) throw new Error('A slot was released twice');
    if (count === 0) this.memory.fill(0xdb, slot * slotBytes, (slot + 1) * slotBytes);
  }

  private count(byteOffset: number, change: number): number {
    const slot = Math.floor(byteOffset / slotBytes);
    const count = (this.holders[slot] ?? 0) + change;
    this.holders[slot] = count;
    return count;
  }
}

/** One end of a pipe in memory that behaves as a socket does: asynchronous, bounded, half-closing, resetting. */
export class PipeChannel extends BaseChannel {
  readonly info = { protocols: ['pipe'] };
  readonly slots = new LentSlots();
  peer!: PipeChannel;
  /** While true the medium takes nothing: sends stay in flight. */
  stalled = false;
  /** What the medium says to the next send, or to the half-close. */
  failure: Error | undefined;
  /** How many sends the medium was given: gathering makes this small. */
  sends = 0;
  closedAbortively: boolean | undefined;
  private kept: Uint8Array[] = [];
  private wire: Uint8Array[] = [];
  private sending = false;
  private finSent = false;
  private reading = false;
  private closing = false;

  protected keepChunk(chunk: Uint8Array): void {
    this.kept.push(chunk.slice());
  }

  protected dropKept(): void {
    this.kept = [];
  }

  protected scheduleFlush(): void {
    flushSoon(this);
  }

  protected startSend(): void {
    this.sends += 1;
    if (this.failure !== undefined) {
      this.sent(this.failure);
      return;
    }
    this.wire.push(...this.kept);
    this.kept = [];
    this.sending = true;
    this.pumpSoon();
  }

  protected startShutdown(): void {
    this.finSent = true;
    setImmediate(() => this.shutdownDone(this.failure ?? null));
    this.pumpSoon();
  }

  protected startRead(): void {
    this.reading = true;
    this.peer.pumpSoon();
  }

  protected stopRead(): void {
    this.reading = false;
  }

  protected startClose(abortive: boolean): void {
    this.closing = true;
    this.closedAbortively = abortive;
    if (abortive) setImmediate(() => this.peer.resetByPeer());
    setImmediate(() => {
      if (this.sending) this.sent(new IoError('cancelled', { code: 'ECANCELED' }));
      this.closeDone();
    });
  }

  /** As if the network had failed. */
  break(error: Error): void {
    this.failed(error);
  }

  /** Data that was on its way when reading stopped. */
  arrive(bytes: Uint8Array): void {
    this.slots.lend(bytes, (lent) => this.received(lent));
  }

  unstall(): void {
    this.stalled = false;
    this.pumpSoon();
  }

  private resetByPeer(): void {
    if (!this.closing) this.failed(new IoError('read ECONNRESET', { code: 'ECONNRESET', syscall: 'read' }));
  }

  private pumpSoon(): void {
    setImmediate(() => this.pump());
  }

  private pump(): void {
    if (this.stalled || this.closedAbortively === true) return;
    while (this.wire.length > 0 && this.peer.reading) {
      const chunk = this.wire.shift() as Uint8Array;
      if (chunk.byteLength > slotBytes) this.wire.unshift(chunk.subarray(slotBytes));
      this.peer.arrive(chunk.subarray(0, slotBytes));
    }
    if (this.wire.length > 0) return;
    if (this.sending) {
      this.sending = false;
      this.sent(null);
    }
    if (this.finSent && !this.sending && !this.peer.closing) this.peer.ended();
  }
}

export function pipePair(options?: ChannelOptions): [PipeChannel, PipeChannel] {
  const left = new PipeChannel(options);
  const right = new PipeChannel(options);
  left.peer = right;
  right.peer = left;
  return [left, right];
}
