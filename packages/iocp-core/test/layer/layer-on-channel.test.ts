import { describe, expect, it } from 'vitest';
import type { Channel, Receiver } from '../../src/layer/index.js';
import { BaseChannel, type ChannelOptions, flushSoon } from '../../src/layer/index.js';
import { pipePair } from './pipe-channel.js';
import { bytes, record, turns } from './recorder.js';

/** The smallest layer there is: turns every byte over, on the way down and on the way up. */
class InvertingChannel extends BaseChannel implements Receiver {
  readonly info;
  private readonly lower: Channel;
  private kept: Uint8Array[] = [];
  private lowerClosed = false;

  constructor(lower: Channel, options?: ChannelOptions) {
    super(options);
    this.lower = lower;
    this.info = { protocols: [...lower.info.protocols, 'inverting'] };
    lower.pause();
    lower.attach(this);
  }

  onData(data: Uint8Array): void {
    this.received(data.map((byte) => byte ^ 0xff));
  }

  onEnd(): void {
    this.ended();
  }

  onDrain(): void {}

  onClose(error: Error | null): void {
    this.lowerClosed = true;
    if (!this.closed) this.failed(error ?? new Error('The channel below was aborted'));
    else this.closeDone();
  }

  protected keepChunk(chunk: Uint8Array): void {
    this.kept.push(chunk.map((byte) => byte ^ 0xff));
  }

  protected dropKept(): void {
    this.kept = [];
  }

  protected scheduleFlush(): void {
    flushSoon(this);
  }

  protected startSend(): void {
    const { kept } = this;
    this.kept = [];
    this.lower.write(kept, (error) => this.sent(error));
  }

  protected startShutdown(): void {
    this.lower.end();
    this.shutdownDone(null);
  }

  protected startRead(): void {
    this.lower.resume();
  }

  protected stopRead(): void {
    this.lower.pause();
  }

  protected startClose(abortive: boolean): void {
    if (this.lowerClosed) this.closeDone();
    else if (abortive) this.lower.abort();
  }
}

describe('a layer made of BaseChannel', () => {
  it('keeps the contract over another channel', async () => {
    const [left, right] = pipePair();
    const [upper, other] = [new InvertingChannel(left, { highWaterMark: 4 }), new InvertingChannel(right)];
    const [own, peer] = [record(upper), record(other)];
    expect(upper.info.protocols).toEqual(['pipe', 'inverting']);
    left.stalled = true;
    expect(upper.write(bytes('hello'), () => own.note('done'))).toBe(false);
    upper.end();
    await turns();
    expect(own.events).toEqual([]);
    expect(upper.bufferedAmount).toBe(5);
    left.unstall();
    await peer.seen('end');
    expect(peer.received).toBe('hello');
    other.end();
    await Promise.all([own.seen('close'), peer.seen('close')]);
    expect(own.events).toEqual(['done', 'drain', 'end', 'close']);
    expect([own.error, peer.error]).toEqual([null, null]);
  });

  it('passes aborts down and errors up', async () => {
    const [left, right] = pipePair();
    const [upper, other] = [new InvertingChannel(left), new InvertingChannel(right)];
    const [own, peer] = [record(upper), record(other)];
    left.stalled = true;
    const reason = new Error('enough');
    upper.write(bytes('lost'), (error) => own.note(`done ${error?.message}`));
    await turns();
    upper.abort(reason);
    await Promise.all([own.seen('close'), peer.seen('close')]);
    expect(own.events).toEqual(['done enough', 'close']);
    expect(own.error).toBe(reason);
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect([left.closed, right.closed]).toEqual([true, true]);
  });
});
