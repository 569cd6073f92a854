import { describe, expect, it } from 'vitest';
import type { ChannelError, WriteCallback } from '../../src/layer/index.js';
import { pipePair } from './pipe-channel.js';
import { bytes, Recorder, record, text, turns, uncaughtDuring } from './recorder.js';

const codeOf = (error: Error | null): string | null => (error === null ? null : (error as ChannelError).code);

describe('writing', () => {
  it('calls back in the order of the writes, after the medium has taken them, empty writes included', async () => {
    const [left, right] = pipePair();
    const log: string[] = [];
    left.write(bytes('one'), () => log.push('one'));
    left.write([], () => log.push('empty'));
    left.write([bytes('two'), bytes('three')], () => log.push('two'));
    await turns();
    expect(log).toEqual([]);
    const peer = record(right);
    await peer.until(() => peer.received === 'onetwothree');
    await turns();
    expect(log).toEqual(['one', 'empty', 'two']);
    expect(left.bytesWritten).toBe(11);
    expect(right.bytesRead).toBe(11);
  });

  it('never calls back inside write, not even for an empty write', () => {
    const [left] = pipePair();
    let called = false;
    left.write(new Uint8Array(0), () => {
      called = true;
    });
    expect(called).toBe(false);
  });

  it('calls back for an empty write when nothing else is queued', async () => {
    const [left] = pipePair();
    const error = await new Promise<Error | null>((resolve) => left.write([], resolve));
    expect(error).toBeNull();
    expect(left.sends).toBe(0);
  });

  it('gathers the writes of one turn, and those made while a send is in flight', async () => {
    const [left, right] = pipePair();
    left.stalled = true;
    left.write(bytes('a'));
    left.write(bytes('b'));
    await turns();
    expect(left.sends).toBe(1);
    left.write(bytes('c'));
    left.write(bytes('d'));
    await turns();
    expect(left.sends).toBe(1);
    left.unstall();
    const peer = record(right);
    await peer.until(() => peer.received === 'abcd');
    expect(left.sends).toBe(2);
  });

  it('returns false at the high-water mark and drains exactly once per spell', async () => {
    const [left, right] = pipePair({ highWaterMark: 8, lowWaterMark: 2 });
    const own = record(left);
    left.stalled = true;
    expect(left.write(bytes('1234567'))).toBe(true);
    expect(left.write(bytes('8'))).toBe(false);
    expect(left.write(bytes('9'))).toBe(false);
    expect(left.bufferedAmount).toBe(9);
    record(right);
    await turns();
    expect(own.events).toEqual([]);
    left.unstall();
    await own.seen('drain');
    await turns();
    expect(own.events).toEqual(['drain']);
    expect(left.bufferedAmount).toBe(0);
    left.write(bytes('x'.repeat(8)));
    await turns();
    expect(own.events).toEqual(['drain', 'drain']);
  });

  it('gives the drain to a receiver that comes later', async () => {
    const [left, right] = pipePair({ highWaterMark: 4 });
    left.write(bytes('12345'));
    record(right);
    await turns();
    const own = record(left);
    expect(own.events).toEqual([]);
    await own.seen('drain');
  });

  it('holds corked writes back, nested, and sends them as one', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    left.cork();
    left.cork();
    left.write(bytes('a'));
    left.uncork();
    await turns();
    expect(left.sends).toBe(0);
    left.write(bytes('b'));
    left.uncork();
    await peer.until(() => peer.received === 'ab');
    expect(left.sends).toBe(1);
  });

  it('lifts corks at the end', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    left.cork();
    left.write(bytes('a'));
    left.end();
    await peer.seen('end');
    expect(peer.received).toBe('a');
  });

  it('refuses writes after end and after close, in order with the other callbacks', async () => {
    const [left, right] = pipePair();
    record(right);
    const log: (string | null)[] = [];
    const note: WriteCallback = (error) => log.push(codeOf(error));
    left.write(bytes('a'), note);
    left.end();
    expect(left.write(bytes('b'), note)).toBe(false);
    await turns();
    expect(log).toEqual([null, 'ERR_CHANNEL_ENDED']);
    left.abort();
    expect(left.write(bytes('c'), note)).toBe(false);
    await turns();
    expect(left.write(bytes('d'), note)).toBe(false);
    await turns();
    expect(log).toEqual([null, 'ERR_CHANNEL_ENDED', 'ERR_CHANNEL_CLOSED', 'ERR_CHANNEL_CLOSED']);
  });

  it('aborts at the hard cap by default', async () => {
    const [left] = pipePair({ highWaterMark: 4, bufferedBytesMax: 8 });
    const own = record(left);
    const log: (string | null)[] = [];
    left.write(bytes('12345678'), (error) => log.push(codeOf(error)));
    expect(left.closed).toBe(false);
    expect(left.write(bytes('9'), (error) => log.push(codeOf(error)))).toBe(false);
    expect(left.closed).toBe(true);
    await own.seen('close');
    expect(codeOf(own.error ?? null)).toBe('ERR_CHANNEL_OVERFLOW');
    expect(log).toEqual(['ERR_CHANNEL_OVERFLOW', 'ERR_CHANNEL_OVERFLOW']);
  });

  it('takes one write of any size when nothing waits: only what piles up is capped', async () => {
    const [left, right] = pipePair({ highWaterMark: 4, bufferedBytesMax: 8, overflow: 'reject' });
    const peer = record(right);
    const log: (string | null)[] = [];
    expect(left.write(bytes('123456789abc'), (error) => log.push(codeOf(error)))).toBe(false);
    left.write(bytes('!'), (error) => log.push(codeOf(error)));
    left.end();
    await peer.seen('end');
    expect(peer.received).toBe('123456789abc');
    expect(log).toEqual([null, 'ERR_CHANNEL_OVERFLOW']);
  });

  it('can refuse just the write at the hard cap, and still drains', async () => {
    const [left, right] = pipePair({ highWaterMark: 8, bufferedBytesMax: 8, overflow: 'reject' });
    const own = record(left);
    const peer = record(right);
    const log: (string | null)[] = [];
    left.write(bytes('1'), (error) => log.push(codeOf(error)));
    expect(left.write(bytes('123456789'), (error) => log.push(codeOf(error)))).toBe(false);
    await own.seen('drain');
    expect(log).toEqual([null, 'ERR_CHANNEL_OVERFLOW']);
    left.end();
    await peer.seen('end');
    expect(peer.received).toBe('1');
  });

  it('goes on when a callback throws', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    const log: string[] = [];
    const uncaught = await uncaughtDuring(async () => {
      left.write(bytes('a'), () => {
        throw new Error('from the callback');
      });
      left.write(bytes('b'), () => log.push('b'));
      await peer.until(() => peer.received === 'ab');
    });
    expect(uncaught.map(String)).toEqual(['Error: from the callback']);
    expect(log).toEqual(['b']);
  });

  it('checks what it is given', () => {
    const [left] = pipePair();
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => left.write('text' as never)).toThrow(wrong);
    expect(() => left.write([bytes('a'), 1 as never])).toThrow(/chunks\[1\]/);
    expect(left.bufferedAmount).toBe(0);
  });
});

describe('receiving', () => {
  it('reads nothing before there is a receiver', async () => {
    const [left, right] = pipePair();
    left.write(bytes('early'));
    await turns();
    expect(right.bytesRead).toBe(0);
    const peer = record(right);
    await peer.until(() => peer.received === 'early');
  });

  it('delivers nothing after pause, whatever was on its way, and everything in order after resume', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    peer.onBytes = () => right.pause();
    left.write(bytes('a'));
    await peer.until(() => peer.received === 'a');
    right.arrive(bytes('b'));
    right.arrive(bytes('c'));
    left.write(bytes('d'));
    await turns();
    expect(peer.received).toBe('a');
    // What waits is copied: a paused reader keeps no pooled memory from others.
    expect(right.slots.held).toBe(0);
    peer.onBytes = undefined;
    right.resume();
    expect(peer.received).toBe('a');
    await peer.until(() => peer.received === 'abcd');
    expect(right.slots.held).toBe(0);
  });

  it('can be paused again while held data is delivered', async () => {
    const [, right] = pipePair();
    const peer = record(right);
    right.pause();
    right.arrive(bytes('a'));
    right.arrive(bytes('b'));
    peer.onBytes = () => right.pause();
    right.resume();
    await turns();
    expect(peer.received).toBe('a');
    right.resume();
    await turns();
    expect(peer.received).toBe('ab');
  });

  it('keeps the end behind held data', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    right.pause();
    right.arrive(bytes('last'));
    left.end();
    await turns();
    expect(peer.events).toEqual([]);
    right.resume();
    await peer.seen('end');
    expect(peer.events).toEqual(['data', 'end']);
  });

  it('returns what was not delivered on detach, as bytes of their own, and lets the next receiver go on', async () => {
    const [left, right] = pipePair();
    record(right);
    right.pause();
    right.arrive(bytes('one'));
    right.arrive(bytes('two'));
    const leftovers = right.detach();
    expect(right.slots.held).toBe(0);
    expect(leftovers.map((each) => text(each))).toEqual(['one', 'two']);
    left.write(bytes('three'));
    await turns();
    expect(right.bytesRead).toBe(6);
    const next = record(right);
    await next.until(() => next.received === 'three');
  });

  it('lets a receiver detach in the middle of held data', async () => {
    const [, right] = pipePair();
    const peer = record(right);
    right.pause();
    for (const each of ['a', 'b', 'c']) right.arrive(bytes(each));
    let leftovers: Uint8Array[] = [];
    const next = new Recorder();
    peer.onBytes = () => {
      leftovers = right.detach();
      right.attach(next);
    };
    right.resume();
    await turns();
    expect(peer.received).toBe('a');
    expect(text(leftovers)).toBe('bc');
    right.arrive(bytes('d'));
    expect(next.received).toBe('d');
  });

  it('has one receiver at a time', () => {
    const [left] = pipePair();
    record(left);
    expect(() => record(left)).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }));
  });

  it('passes on what a receiver throws, and goes on', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    peer.onBytes = () => {
      peer.onBytes = undefined;
      throw new Error('from the receiver');
    };
    expect(() => right.arrive(bytes('a'))).toThrow('from the receiver');
    left.write(bytes('b'));
    await peer.until(() => peer.received === 'ab');
    expect(right.slots.held).toBe(0);
  });

  it('goes on with held data when a receiver throws', async () => {
    const [, right] = pipePair();
    const peer = record(right);
    right.pause();
    for (const each of ['a', 'b']) right.arrive(bytes(each));
    peer.onBytes = () => {
      peer.onBytes = undefined;
      throw new Error('from the receiver');
    };
    const uncaught = await uncaughtDuring(() => right.resume());
    expect(uncaught.map(String)).toEqual(['Error: from the receiver']);
    expect(peer.received).toBe('ab');
    expect(right.slots.held).toBe(0);
  });
});

describe('ending and closing', () => {
  it('half-closes: the other direction goes on, and close follows when both have ended', async () => {
    const [left, right] = pipePair();
    const [own, peer] = [record(left), record(right)];
    left.write(bytes('question'));
    left.end();
    left.end();
    await peer.seen('end');
    expect(peer.received).toBe('question');
    expect(left.closed).toBe(false);
    right.write(bytes('answer'));
    right.end();
    await Promise.all([own.seen('close'), peer.seen('close')]);
    expect(own.events).toEqual(['data', 'end', 'close']);
    expect(peer.events).toEqual(['data', 'end', 'close']);
    expect([own.error, peer.error]).toEqual([null, null]);
    expect([left.closedAbortively, right.closedAbortively]).toEqual([false, false]);
  });

  it('does not close over data that a paused receiver has not had', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    right.pause();
    right.arrive(bytes('kept'));
    left.end();
    right.end();
    await turns();
    expect(right.closed).toBe(false);
    right.resume();
    await peer.seen('close');
    expect(peer.events).toEqual(['data', 'end', 'close']);
  });

  it('closes without a receiver, and tells the one that comes later everything', async () => {
    const [left, right] = pipePair();
    const first = record(right);
    right.pause();
    right.arrive(bytes('x'));
    expect(text(right.detach())).toBe('x');
    right.arrive(bytes('rest'));
    record(left);
    left.end();
    right.end();
    await turns();
    // The pipe does not say its end to someone who is not reading.
    const next = record(right);
    await next.seen('close');
    expect(first.events).toEqual([]);
    expect(next.events).toEqual(['data', 'end', 'close']);
    expect(next.received).toBe('rest');
  });

  it('abort calls back every write with the reason, never inside abort, and resets the peer', async () => {
    const [left, right] = pipePair();
    const [own, peer] = [record(left), record(right)];
    left.stalled = true;
    const reason = new Error('enough');
    const note = (name: string) => (error: Error | null) => own.note(`${name}: ${error?.message}`);
    left.write(bytes('in flight'), note('first'));
    await turns();
    left.write(bytes('queued'), note('second'));
    left.abort(reason);
    left.abort(new Error('again'));
    expect(own.events).toEqual([]);
    await Promise.all([own.seen('close'), peer.seen('close')]);
    expect(own.events).toEqual(['first: enough', 'second: enough', 'close']);
    expect(own.error).toBe(reason);
    expect(peer.events).toEqual(['close']);
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect(left.closedAbortively).toBe(true);
  });

  it('abort without a reason closes without an error, but writes learn that they were lost', async () => {
    const [left] = pipePair();
    const own = record(left);
    const lost = new Promise<Error | null>((resolve) => left.write(bytes('x'), resolve));
    left.abort();
    expect(await lost).toMatchObject({ code: 'ERR_CHANNEL_ABORTED' });
    await own.seen('close');
    expect(own.error).toBeNull();
  });

  it('abort inside onData stops everything', async () => {
    const [left, right] = pipePair();
    const peer = record(right);
    peer.onBytes = () => right.abort();
    left.write([bytes('a'), bytes('b')]);
    await peer.seen('close');
    right.arrive(bytes('late'));
    expect(peer.received).toBe('a');
    expect(peer.events).toEqual(['data', 'close']);
  });

  it('an error closes at once: held data is given back, callbacks get the error, close comes last', async () => {
    const [left] = pipePair();
    const own = record(left);
    left.pause();
    left.arrive(bytes('held'));
    left.stalled = true;
    left.write(bytes('x'), (error) => own.note(`done: ${error?.message}`));
    await turns();
    left.break(new Error('cable cut'));
    left.break(new Error('twice'));
    expect(left.slots.held).toBe(0);
    await own.seen('close');
    await turns();
    expect(own.events).toEqual(['done: cable cut', 'close']);
    expect(own.error?.message).toBe('cable cut');
  });

  it('a write from a callback at close is refused before onClose', async () => {
    const [left] = pipePair();
    const own = record(left);
    left.write(bytes('x'), () => {
      own.note('done');
      left.write(bytes('y'), (error) => own.note(`refused ${codeOf(error)}`));
    });
    left.abort();
    await own.seen('close');
    expect(own.events).toEqual(['done', 'refused ERR_CHANNEL_CLOSED', 'close']);
  });

  it.each(['write', 'end'] as const)(
    'a failing %s closes, even when the medium says so at once',
    async (verb) => {
      const [left] = pipePair();
      const own = record(left);
      left.failure = new Error('broken pipe');
      if (verb === 'write') left.write(bytes('x'), (error) => own.note(`done ${error?.message}`));
      else left.end();
      await own.seen('close');
      expect(own.error).toBe(left.failure);
      expect(own.events).toEqual(verb === 'write' ? ['done broken pipe', 'close'] : ['close']);
    },
  );

  it('tells a receiver that comes after the close', async () => {
    const [left] = pipePair();
    const reason = new Error('gone');
    left.abort(reason);
    await turns();
    const late = record(left);
    expect(late.events).toEqual([]);
    await late.seen('close');
    expect(late.error).toBe(reason);
  });
});
