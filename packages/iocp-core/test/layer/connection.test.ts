import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { Connection, type ConnectionOptions, type Handlers } from '../../src/layer/index.js';
import { type PipeChannel, pipePair } from './pipe-channel.js';
import { bytes, record, text, turns, uncaughtDuring } from './recorder.js';

function connected(options?: ConnectionOptions): {
  own: Connection<PipeChannel>;
  peer: Connection<PipeChannel>;
  left: PipeChannel;
  right: PipeChannel;
} {
  const [left, right] = pipePair({ highWaterMark: 1000 });
  return { own: new Connection(left, options), peer: new Connection(right, options), left, right };
}

const code = (expected: string) => expect.objectContaining({ code: expected });
const listenerCount = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('handlers', () => {
  it('are shared, get their connection, and see open, data, end and close in order', async () => {
    const log: [Connection, string][] = [];
    const handlers: Handlers = {
      open: (connection) => log.push([connection, 'open']),
      data: (connection, chunk) => log.push([connection, text(chunk)]),
      end: (connection) => log.push([connection, 'end']),
      close: (connection, error) => log.push([connection, `close ${error}`]),
    };
    const { own, peer } = connected();
    own.handle(handlers);
    peer.handle(handlers);
    expect(log).toEqual([
      [own, 'open'],
      [peer, 'open'],
    ]);
    own.write('hello');
    own.end();
    await Promise.all([own.whenClosed(), peer.whenClosed()]);
    const of = (connection: Connection) =>
      log.filter((each) => each[0] === connection).map((each) => each[1]);
    expect(of(peer)).toEqual(['open', 'hello', 'end', 'close null']);
    expect(of(own)).toEqual(['open', 'end', 'close null']);
  });

  it('get bytes that may be kept, and with lend the receive buffer itself', async () => {
    const { own, peer, right } = connected();
    const kept: Uint8Array[] = [];
    peer.handle({ data: (_connection, chunk) => kept.push(chunk) });
    for (const each of ['first', 'second']) {
      own.write(each);
      await turns();
    }
    expect(kept.map((each) => text(each))).toEqual(['first', 'second']);
    expect(right.slots.held).toBe(0);

    const lending = connected({ lend: true });
    const lent: Uint8Array[] = [];
    lending.peer.handle({ data: (_connection, chunk) => lent.push(chunk) });
    lending.own.write('gone');
    await turns();
    expect(lent[0]?.[0]).toBe(0xdb);
  });

  it('keep the connection half open only when asked to', async () => {
    const { own, peer, right } = connected({ allowHalfOpen: true });
    own.handle({});
    peer.handle({});
    own.end();
    await turns();
    expect(right.closed).toBe(false);
    peer.end();
    expect(await own.whenClosed()).toBeNull();
  });

  it('may write a last word in end', async () => {
    const { own, peer } = connected();
    peer.handle({ end: (connection) => connection.write('bye') });
    const received: string[] = [];
    own.handle({ data: (_connection, chunk) => received.push(text(chunk)) });
    own.end('question');
    await own.whenClosed();
    expect(received).toEqual(['bye']);
  });

  it('that throw reach the error handler, and the connection is aborted', async () => {
    const { own, peer, right } = connected();
    const log: string[] = [];
    const failure = new Error('in data');
    peer.handle({
      data() {
        throw failure;
      },
      error: (_connection, error) => log.push(`error ${error.message}`),
      close: (_connection, error) => log.push(`close ${error?.message}`),
    });
    own.write('x');
    expect(await peer.whenClosed()).toBe(failure);
    expect(log).toEqual(['error in data', 'close in data']);
    expect(right.closedAbortively).toBe(true);
  });

  it('that throw without an error handler come out as uncaught, and the connection lives on', async () => {
    const { peer, right } = connected();
    const received: string[] = [];
    peer.handle({
      data(_connection, chunk) {
        received.push(text(chunk));
        if (received.length === 1) throw new Error('in data');
      },
    });
    expect(() => right.arrive(bytes('a'))).toThrow('in data');
    right.arrive(bytes('b'));
    expect(received).toEqual(['a', 'b']);
    expect(peer.closed).toBe(false);
  });

  it('hear of an error just before close', async () => {
    const { own, left } = connected();
    const log: string[] = [];
    own.handle({
      error: (_connection, error) => log.push(`error ${error.message}`),
      close: (_connection, error) => log.push(`close ${error?.message}`),
    });
    left.break(new Error('cable cut'));
    await own.whenClosed();
    expect(log).toEqual(['error cable cut', 'close cable cut']);
  });

  it('may throw anywhere, and anything', async () => {
    for (const name of ['open', 'end', 'drain', 'close'] as const) {
      const { own, peer, right } = connected();
      own.handle({});
      const errors: Error[] = [];
      peer.handle({
        [name]() {
          throw name;
        },
        error: (_connection, error) => errors.push(error),
      });
      own.end();
      peer.write('x'.repeat(2000));
      await peer.whenClosed();
      expect(errors.map((each) => each.cause)).toEqual([name]);
      expect(right.closedAbortively).toBe(name !== 'close');
    }
  });

  it('are checked', () => {
    const { own } = connected();
    expect(() => own.handle({ data: 'x' as never })).toThrow(/handlers\.data/);
    expect(() => own.handle(null as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  });

  it('know the type of their connection', () => {
    class Special extends Connection<PipeChannel> {
      readonly special = true;
    }
    const [left] = pipePair();
    new Special(left).handle({ open: (connection) => expectTypeOf(connection).toEqualTypeOf<Special>() });
    expectTypeOf(new Special(left).channel).toEqualTypeOf<PipeChannel>();
  });
});

describe('reading', () => {
  it('gives chunks in order, then null, to reads made before and after', async () => {
    const { own, peer } = connected();
    const early = [peer.read(), peer.read()];
    own.write('a');
    await turns();
    own.end('b');
    expect(await Promise.all(early)).toEqual([Buffer.from('a'), Buffer.from('b')]);
    expect(await peer.read()).toBeNull();
    expect(await peer.read()).toBeNull();
  });

  it('pauses the channel above the mark and goes on below it', async () => {
    const { own, peer, left, right } = connected({ readableHighWaterMark: 10 });
    expect((await Promise.all([peer.read(), own.send('x')]))[0]).toEqual(Buffer.from('x'));
    for (let count = 0; count < 10; count++) {
      left.write(bytes('12345'));
      await turns();
    }
    expect(right.bytesRead).toBe(11);
    own.end();
    let received = '';
    for await (const chunk of peer) received += text(chunk);
    expect(received).toBe('12345'.repeat(10));
  });

  it('loses nothing when a read is cancelled, and leaves no listener behind', async () => {
    const { own, peer } = connected();
    const { signal, abort } = controller();
    const canceled = peer.read({ signal });
    const next = peer.read();
    expect(listenerCount(signal)).toBe(1);
    abort();
    await expect(canceled).rejects.toBe(signal.reason);
    own.write('kept');
    expect(text((await next) as Uint8Array)).toBe('kept');
    expect(listenerCount(signal)).toBe(0);
    await expect(peer.read({ signal })).rejects.toBe(signal.reason);
  });

  it('removes the listener of a signal that did not fire', async () => {
    const { own, peer } = connected();
    const { signal } = controller();
    const read = peer.read({ signal });
    own.write('x');
    await read;
    expect(listenerCount(signal)).toBe(0);
    const last = peer.read({ signal });
    own.end();
    expect(await last).toBeNull();
    expect(listenerCount(signal)).toBe(0);
  });

  it('rejects with the error of the connection, after what came before it', async () => {
    const { own, peer, right } = connected();
    const first = peer.read();
    own.write('a');
    await first;
    right.arrive(bytes('b'));
    right.break(new Error('cable cut'));
    await turns();
    expect(await peer.read()).toEqual(Buffer.from('b'));
    await expect(peer.read()).rejects.toThrow('cable cut');
    await expect(peer.read()).rejects.toThrow('cable cut');
  });

  it('never takes an abort for the end', async () => {
    const { peer } = connected();
    const read = peer.read();
    peer.abort();
    await expect(read).rejects.toThrow(code('ERR_CHANNEL_ABORTED'));
  });

  it('can leave a loop and go on', async () => {
    const { own, peer } = connected();
    own.write('a');
    for await (const chunk of peer) {
      expect(text(chunk)).toBe('a');
      break;
    }
    own.end('b');
    let rest = '';
    for await (const chunk of peer) rest += text(chunk);
    expect(rest).toBe('b');
  });

  it('gives batches of all that is there', async () => {
    const { own, peer, right } = connected();
    const iterator = peer.batches();
    const first = iterator.next();
    right.arrive(bytes('a'));
    right.arrive(bytes('b'));
    expect((await first).value).toEqual([Buffer.from('a'), Buffer.from('b')]);
    own.end();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('refuses a second loop at the same time, and answers a loop that is called off', async () => {
    const { peer, own } = connected();
    const [first, second] = [peer.chunks(), peer.chunks()];
    const waiting = first.next();
    await expect(second.next()).rejects.toThrow(code('ERR_CHANNEL_CONSUMER'));
    await first.return?.();
    expect((await waiting).done).toBe(true);
    own.write('kept');
    expect(text((await peer.read()) as Uint8Array)).toBe('kept');
  });

  it('ends a loop with the reason of its signal', async () => {
    const { peer } = connected();
    const { signal, abort } = controller();
    const next = peer.chunks({ signal }).next();
    abort();
    await expect(next).rejects.toBe(signal.reason);
    expect(listenerCount(signal)).toBe(0);
  });
});

describe('one consumer', () => {
  it('excludes every other, and unclaimed connections read nothing', async () => {
    const claims: ((connection: Connection) => unknown)[] = [
      (connection) => connection.handle({}),
      (connection) => connection.chunks(),
      (connection) => connection.toDuplex(),
      (connection) => connection.toWeb(),
    ];
    for (const [index, first] of claims.entries()) {
      for (const [other, second] of claims.entries()) {
        const { own } = connected();
        first(own);
        const readsTwice = index === 1 && other === 1;
        if (!readsTwice) expect(() => second(own)).toThrow(code('ERR_CHANNEL_CONSUMER'));
      }
    }
    const { own, peer, right } = connected();
    own.write('x');
    void peer.whenClosed();
    await turns();
    expect(right.bytesRead).toBe(0);
    expect(text((await peer.read()) as Uint8Array)).toBe('x');
  });

  it('excludes another receiver of the channel', () => {
    const { own, left } = connected();
    record(left);
    expect(() => own.handle({})).toThrow(code('ERR_CHANNEL_CONSUMER'));
  });

  it('can be detached with what it has not consumed', async () => {
    const { own, peer, right } = connected({ readableHighWaterMark: 1 });
    const first = peer.read();
    own.write('a');
    await first;
    right.arrive(bytes('b'));
    right.arrive(bytes('c'));
    const waiting = connected();
    const read = waiting.peer.read();
    waiting.peer.detach();
    await expect(read).rejects.toThrow(code('ERR_CHANNEL_CONSUMER'));
    expect(text(peer.detach())).toBe('bc');
    const next = record(right);
    own.write('d');
    await next.until(() => next.received === 'd');
  });
});

describe('pausing', () => {
  it('works before there is a consumer and while there is one', async () => {
    const { own, peer } = connected();
    const received: string[] = [];
    peer.pause();
    peer.handle({ data: (_connection, chunk) => received.push(text(chunk)) });
    own.write('a');
    await turns();
    expect(received).toEqual([]);
    peer.resume();
    await turns();
    expect(received).toEqual(['a']);
  });
});

describe('writing', () => {
  it('takes text, bytes and several chunks, and checks', async () => {
    const { own, peer } = connected();
    own.write('é');
    own.write([bytes('b'), bytes('c')]);
    own.end(bytes('d'));
    let received = '';
    for await (const chunk of peer) received += Buffer.from(chunk).toString();
    expect(received).toBe('ébcd');
    const wrong = code('ERR_INVALID_ARG_TYPE');
    expect(() => own.write(1 as never)).toThrow(wrong);
    expect(() => own.write([1 as never])).toThrow(wrong);
    expect(() => own.write('x', 1 as never)).toThrow(wrong);
    await expect(own.send(1 as never)).rejects.toThrow(wrong);
    await expect(own.send('x', { signal: 1 as never })).rejects.toThrow(wrong);
  });

  it('send resolves when the medium has taken it, and rejects when it never will', async () => {
    const { own, peer, left } = connected();
    peer.handle({});
    await own.send('x');
    expect(own.bytesWritten).toBe(1);
    left.stalled = true;
    const lost = own.send('y');
    own.abort(new Error('enough'));
    await expect(lost).rejects.toThrow('enough');
    await expect(own.send('z')).rejects.toThrow(code('ERR_CHANNEL_CLOSED'));
  });

  it('a cancelled send aborts the connection; one that was cancelled before changes nothing', async () => {
    const { own, left } = connected();
    const before = AbortSignal.abort(new Error('too early'));
    await expect(own.send('x', { signal: before })).rejects.toThrow('too early');
    expect(own.bufferedAmount).toBe(0);
    left.stalled = true;
    const { signal, abort } = controller();
    const closed = own.whenClosed();
    const canceled = own.send('x', { signal });
    abort();
    await expect(canceled).rejects.toBe(signal.reason);
    expect(await closed).toMatchObject({ code: 'ERR_CHANNEL_WRITE_CANCELED', cause: signal.reason });
    expect(listenerCount(signal)).toBe(0);
  });

  it('a send that succeeded leaves no listener', async () => {
    const { own, peer } = connected();
    peer.handle({});
    const { signal } = controller();
    await own.send('x', { signal });
    expect(listenerCount(signal)).toBe(0);
  });

  it('drained waits for room, with and without a consumer', async () => {
    const { own, peer, left } = connected();
    await own.drained();
    left.stalled = true;
    expect(own.write('x'.repeat(2000))).toBe(false);
    let room = false;
    const drained = own.drained().then(() => {
      room = true;
    });
    peer.handle({});
    await turns();
    expect(room).toBe(false);
    left.unstall();
    await drained;

    left.stalled = true;
    own.handle({});
    own.write('x'.repeat(2000));
    const { signal, abort } = controller();
    const canceled = own.drained({ signal });
    abort();
    await expect(canceled).rejects.toBe(signal.reason);
    const lost = own.drained();
    own.abort();
    await expect(lost).rejects.toThrow(code('ERR_CHANNEL_CLOSED'));
    await expect(own.drained()).rejects.toThrow(code('ERR_CHANNEL_CLOSED'));
    expect(listenerCount(signal)).toBe(0);
  });

  it('corks', async () => {
    const { own, peer, left } = connected();
    peer.handle({});
    own.cork();
    own.write('a');
    await turns();
    expect(left.sends).toBe(0);
    own.uncork();
    await own.send('b');
    expect(left.sends).toBe(1);
    expect(peer.bytesRead).toBe(2);
    expect(own.info.protocols).toEqual(['pipe']);
  });

  it('tells the drain handler', async () => {
    const { own, peer } = connected();
    peer.handle({});
    await new Promise<void>((resolve) => {
      own.handle({ drain: () => resolve() });
      own.write('x'.repeat(2000));
    });
  });
});

describe('closing', () => {
  it('waits for both directions, with any consumer or none', async () => {
    const { own, peer, right } = connected({ allowHalfOpen: true });
    right.write(bytes('x'.repeat(100_000)));
    const closed = own.close();
    peer.handle({});
    await turns();
    expect(own.closed).toBe(false);
    peer.end();
    await closed;
    await own.close();
    await own[Symbol.asyncDispose]();
    expect(await own.whenClosed()).toBeNull();
  });

  it('throws away what nobody reads any more, but not what a loop still wants', async () => {
    const { own, peer } = connected({ readableHighWaterMark: 10 });
    const first = own.read();
    peer.write('a');
    await first;
    peer.write('x'.repeat(5000));
    peer.end();
    await own.close();

    const looping = connected({ readableHighWaterMark: 10 });
    let received = 0;
    const loop = (async () => {
      for await (const chunk of looping.own) {
        received += chunk.byteLength;
        await turns(2);
      }
    })();
    looping.peer.write('x'.repeat(5000));
    await turns();
    const closed = looping.own.close();
    looping.peer.end();
    await Promise.all([loop, closed]);
    expect(received).toBe(5000);
  });

  it('aborts when its signal fires first, and rejects with an error that comes meanwhile', async () => {
    const { own, left } = connected();
    const { signal, abort } = controller();
    const closed = own.close({ signal });
    abort();
    await expect(closed).rejects.toBe(signal.reason);
    await own.whenClosed();
    expect(left.closedAbortively).toBe(true);
    expect(listenerCount(signal)).toBe(0);

    const other = connected();
    const { signal: unused } = controller();
    const failing = other.own.close({ signal: unused });
    other.left.break(new Error('cable cut'));
    await expect(failing).rejects.toThrow('cable cut');
    expect(listenerCount(unused)).toBe(0);

    const late = connected();
    await expect(late.own.close({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(late.own.closed).toBe(true);
  });

  it('tells a consumer that comes after it', async () => {
    const { own } = connected();
    own.abort(new Error('gone'));
    expect((await own.whenClosed())?.message).toBe('gone');
    const error = await new Promise((resolve) =>
      own.handle({ close: (_connection, reason) => resolve(reason) }),
    );
    expect(error).toMatchObject({ message: 'gone' });
  });
});

describe('async context', () => {
  it('is kept in write callbacks and promises', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { own, peer } = connected();
    const seen: (string | undefined)[] = [];
    const read = storage.run('reader', async () => {
      await peer.read();
      seen.push(storage.getStore());
    });
    await storage.run('writer', async () => {
      const done = new Promise<void>((resolve) => {
        own.write('a', () => {
          seen.push(storage.getStore());
          resolve();
        });
      });
      await Promise.all([read, done]);
      await own.send('b');
      seen.push(storage.getStore());
    });
    expect(seen.sort()).toEqual(['reader', 'writer', 'writer']);
  });

  it('a write callback that throws is uncaught and disturbs nothing', async () => {
    const { own, peer } = connected();
    peer.handle({});
    const uncaught = await uncaughtDuring(async () => {
      own.write('a', () => {
        throw new Error('in done');
      });
      await own.send('b');
    });
    expect(uncaught.map(String)).toEqual(['Error: in done']);
  });
});

function controller(): { signal: AbortSignal; abort: () => void } {
  const { signal, abort } = ((each) => ({ signal: each.signal, abort: () => each.abort() }))(
    new AbortController(),
  );
  return { signal, abort };
}
