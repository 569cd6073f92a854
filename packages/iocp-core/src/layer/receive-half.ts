import type { Receiver } from './channel.js';
import * as flag from './channel-flags.js';
import { ChannelError } from './errors.js';
import { leaseOwnerOf, ownCopy } from './lease.js';

/** The half of `BaseChannel` that faces up: receiver, exact pause, and what was not delivered yet. */
export abstract class ReceiveHalf {
  /** Bits of `channel-flags.ts`. */
  protected flags = flag.HOLDING;
  protected receiver: Receiver | null = null;
  protected closeReason: Error | null = null;
  /** Bytes of their own, in order: what is not consumed must not keep pooled memory from others. */
  private undelivered: Uint8Array[] | null = null;
  private receivedBytes = 0;

  /** Reads until `stopRead()`. Data must not be reported before this has returned. */
  protected abstract startRead(): void;
  /** Reads no more than what is on its way already. */
  protected abstract stopRead(): void;
  protected abstract closeWhenBothEnded(): void;
  protected abstract drainWhenLow(): void;

  attach(receiver: Receiver): void {
    if (this.receiver !== null) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'This channel has a receiver: detach() it first');
    }
    this.receiver = receiver;
    this.proceed();
    if ((this.flags & flag.NEEDS_DRAIN) !== 0) this.scheduleDelivery();
  }

  /** Also ends a pause: pausing is the receiver's business, and the next one starts unpaused. */
  detach(): Uint8Array[] {
    this.receiver = null;
    this.flags = (this.flags | flag.HOLDING) & ~flag.PAUSED;
    this.suspendReading();
    const taken = this.takeUndelivered();
    this.closeWhenBothEnded();
    return taken;
  }

  pause(): void {
    if ((this.flags & flag.PAUSED) !== 0) return;
    this.flags |= flag.PAUSED | flag.HOLDING;
    this.suspendReading();
  }

  resume(): void {
    if ((this.flags & flag.PAUSED) === 0) return;
    this.flags &= ~flag.PAUSED;
    this.proceed();
  }

  /** Bytes received from the medium, delivered or not. */
  get bytesRead(): number {
    return this.receivedBytes;
  }

  /** For the medium: `data` has arrived. It is lent: valid until this returns. What a receiver throws comes out here. */
  protected received(data: Uint8Array): void {
    this.receivedBytes += data.byteLength;
    if ((this.flags & (flag.HOLDING | flag.CLOSING)) === 0) this.receiver?.onData(data);
    else if ((this.flags & flag.CLOSING) === 0) this.hold(data);
  }

  /** For the medium: the peer will send no more. */
  protected ended(): void {
    if ((this.flags & (flag.PEER_ENDED | flag.CLOSING)) !== 0) return;
    this.flags = (this.flags | flag.PEER_ENDED) & ~flag.READING;
    if ((this.flags & flag.HOLDING) === 0) this.deliverEnd();
    else this.closeWhenBothEnded();
  }

  /** Delivers, in order, whatever the receiver has missed. */
  protected deliver(): void {
    try {
      this.deliverIncoming();
    } finally {
      if ((this.flags & flag.NEEDS_DRAIN) !== 0) this.drainWhenLow();
    }
  }

  protected dropUndelivered(): void {
    this.undelivered = null;
  }

  private hold(data: Uint8Array): void {
    const held = leaseOwnerOf(data) === undefined ? data : ownCopy(data);
    if (this.undelivered === null) this.undelivered = [held];
    else this.undelivered.push(held);
  }

  private takeUndelivered(): Uint8Array[] {
    const taken = this.undelivered ?? [];
    this.undelivered = null;
    return taken;
  }

  private suspendReading(): void {
    if ((this.flags & flag.READING) === 0) return;
    this.flags &= ~flag.READING;
    this.stopRead();
  }

  /** A receiver has come or resumed: it gets what it missed, or else new data flows. */
  private proceed(): void {
    const missed = this.undelivered !== null || (this.flags & (flag.PEER_ENDED | flag.CLOSED)) !== 0;
    if (missed) this.scheduleDelivery();
    else this.openFlow();
  }

  private openFlow(): void {
    if (this.receiver === null || (this.flags & flag.PAUSED) !== 0) return;
    this.flags &= ~flag.HOLDING;
    if ((this.flags & (flag.READING | flag.PEER_ENDED | flag.CLOSING)) !== 0) return;
    this.flags |= flag.READING;
    this.startRead();
  }

  private scheduleDelivery(): void {
    if ((this.flags & flag.DELIVERY_SCHEDULED) !== 0) return;
    this.flags |= flag.DELIVERY_SCHEDULED;
    queueMicrotask(() => {
      this.flags &= ~flag.DELIVERY_SCHEDULED;
      this.deliver();
    });
  }

  private deliverIncoming(): void {
    while (this.undelivered !== null && this.receiver !== null && (this.flags & flag.PAUSED) === 0) {
      this.deliverOldest(this.undelivered, this.receiver);
    }
    if (this.receiver === null || this.undelivered !== null) return;
    if ((this.flags & (flag.PEER_ENDED | flag.END_DELIVERED)) === flag.PEER_ENDED) {
      if ((this.flags & flag.PAUSED) !== 0) return;
      this.deliverEnd();
    }
    this.openFlow();
    if ((this.flags & flag.CLOSED) !== 0) this.deliverClose();
  }

  private deliverOldest(held: Uint8Array[], receiver: Receiver): void {
    const oldest = held.shift() as Uint8Array;
    if (held.length === 0) this.undelivered = null;
    try {
      receiver.onData(oldest);
    } catch (error) {
      this.scheduleDelivery();
      throw error;
    }
  }

  private deliverEnd(): void {
    this.flags |= flag.END_DELIVERED;
    try {
      this.receiver?.onEnd();
    } finally {
      this.closeWhenBothEnded();
    }
  }

  private deliverClose(): void {
    const receiver = this.receiver;
    this.receiver = null;
    receiver?.onClose(this.closeReason);
  }
}
