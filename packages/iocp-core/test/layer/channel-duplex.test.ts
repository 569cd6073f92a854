import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ChannelDuplex, type ChannelInfo, Connection } from '../../src/layer/index.js';
import { PipeChannel, pipePair } from './pipe-channel.js';
import { bytes, record, text, turns } from './recorder.js';

describe('a stream that is there before its channel', () => {
  it('keeps what was asked of it, and does it then', async () => {
    const stream = new ChannelDuplex();
    expect(stream.info).toEqual({ protocols: [] });
    expect(stream.bytesRead + stream.bytesWritten).toBe(0);
    const [left, right] = pipePair();
    const asked: unknown[] = [];
    Object.assign(left, {
      setNoDelay: (enable: boolean) => asked.push(enable),
      unref: () => asked.push('unref'),
    });
    stream.setNoDelay(true).unref();
    const done = once(stream, 'finish');
    stream.write('early ');
    stream.end('bird');
    const peer = record(right);
    await turns();
    expect(asked).toEqual([]);
    new Connection(left).flowThrough(stream);
    await Promise.all([done, peer.seen('end')]);
    expect(asked).toEqual([true, 'unref']);
    expect(peer.received).toBe('early bird');
    expect(stream.info.protocols).toEqual(['pipe']);
  });

  it('delivers what has come, and goes on', async () => {
    const stream = new ChannelDuplex({ readableHighWaterMark: 10 });
    const received: Uint8Array[] = [];
    stream.on('data', (chunk: Uint8Array) => received.push(chunk));
    const [left, right] = pipePair();
    right.write(bytes('there already'));
    await turns();
    new Connection(left).flowThrough(stream);
    right.write(bytes(', and more'));
    right.end();
    record(right);
    await once(stream, 'end');
    expect(text(received)).toBe('there already, and more');
  });

  it('says to writes that no channel came', async () => {
    const stream = new ChannelDuplex();
    const outcome = new Promise<Error | null | undefined>((resolve) => stream.write('never sent', resolve));
    stream.setKeepAlive(true);
    stream.destroy();
    await once(stream, 'close');
    expect(await outcome).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
  });

  it('has one channel', () => {
    const stream = new ChannelDuplex();
    const [left] = pipePair();
    const connection = new Connection(left);
    connection.flowThrough(stream);
    expect(() => connection.flowThrough(new ChannelDuplex())).toThrow(
      expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }),
    );
  });
});

describe('the end of a stream', () => {
  it('is in order after the finish, whatever a layer has yet to say', async () => {
    /** As TLS, which counts its own records. */
    class Talkative extends PipeChannel {
      override get bufferedAmount(): number {
        return super.bufferedAmount + 31;
      }
    }
    const [left, right] = [new Talkative(), new PipeChannel()];
    left.peer = right;
    right.peer = left;
    const own = new Connection(left).toDuplex();
    const peer = new Connection(right).toDuplex();
    peer.resume();
    own.resume().end('bye');
    await once(own, 'close');
    expect(left.closedAbortively).toBe(false);
  });

  it('resetAndDestroy aborts', async () => {
    const [left, right] = pipePair();
    const stream = new Connection(left).toDuplex();
    const peer = record(right);
    stream.write('lost');
    expect(stream.resetAndDestroy()).toBe(stream);
    await Promise.all([once(stream, 'close'), peer.seen('close')]);
    expect(left.closedAbortively).toBe(true);
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('the channel taken back out', () => {
  it('goes on with everything that nobody has read, and the stream is gone', async () => {
    const [left, right] = pipePair();
    const connection = new Connection(left);
    const stream = connection.toDuplex({ readableHighWaterMark: 4 });
    right.write(bytes('GET / '));
    await once(stream, 'readable');
    expect(String(stream.read(4))).toBe('GET ');
    right.write(bytes('frames'));
    await turns();
    const closed = once(stream, 'close');
    const { channel, head, ended } = stream.releaseChannel();
    expect(channel).toBe(left);
    expect(ended).toBe(false);
    right.write(bytes(', more'));
    await closed;
    await turns();
    const receiver = record(channel);
    const peer = record(right);
    channel.write(bytes('hello'));
    await Promise.all([
      receiver.until(() => text(head) + receiver.received === '/ frames, more'),
      peer.seen('data'),
    ]);
    expect(peer.received).toBe('hello');
    expect(stream.destroyed).toBe(true);
    expect(stream.info.protocols).toEqual(['pipe']);
    channel.end();
    right.end();
    await Promise.all([receiver.seen('close'), peer.seen('close')]);
    expect([receiver.error, peer.error]).toEqual([null, null]);
  });

  it('can be had from inside of a data event', async () => {
    const [left, right] = pipePair();
    const stream = new Connection(left).toDuplex();
    const released = new Promise<ReturnType<ChannelDuplex['releaseChannel']>>((resolve) => {
      stream.once('data', () => resolve(stream.releaseChannel()));
    });
    right.write(bytes('upgrade'));
    const { channel, head } = await released;
    expect(head).toEqual([]);
    const receiver = record(channel);
    right.write(bytes('next'));
    await receiver.seen('data');
    expect(receiver.received).toBe('next');
    right.end();
    await receiver.seen('end');
  });

  it('says when the peer has ended, of which the next receiver hears nothing', async () => {
    const [left, right] = pipePair();
    const stream = new Connection(left).toDuplex({ allowHalfOpen: true });
    right.write(bytes('last words'));
    right.end();
    await turns();
    const { head, ended } = stream.releaseChannel();
    expect(text(head)).toBe('last words');
    expect(ended).toBe(true);
  });

  it('forgets the idle timeout of the stream', async () => {
    const [left] = pipePair();
    const stream = new Connection(left).toDuplex();
    const timeouts: string[] = [];
    stream.setTimeout(1, () => timeouts.push('timeout'));
    stream.releaseChannel();
    await once(stream, 'close');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(timeouts).toEqual([]);
    expect(left.closed).toBe(false);
  });

  it('is refused while something written is not sent, and can be had then', async () => {
    const [left, right] = pipePair();
    const stream = new Connection(left).toDuplex();
    const peer = record(right);
    left.stalled = true;
    const written = new Promise((resolve) => {
      stream.write('first');
      stream.write('second', resolve);
    });
    expect(() => stream.releaseChannel()).toThrow(
      expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER', message: expect.stringContaining('11 bytes') }),
    );
    left.unstall();
    await written;
    expect(stream.releaseChannel().channel).toBe(left);
    await peer.until(() => peer.received === 'firstsecond');
  });

  it('is not there before a channel is, after the release, and after the end', async () => {
    const gone = expect.objectContaining({ code: 'ERR_CHANNEL_CLOSED' });
    expect(() => new ChannelDuplex().releaseChannel()).toThrow(gone);
    const [left] = pipePair();
    const stream = new Connection(left).toDuplex();
    stream.releaseChannel();
    expect(() => stream.releaseChannel()).toThrow(gone);
    const [other] = pipePair();
    const closing = new Connection(other).toDuplex({ lingerMs: 1 });
    closing.destroy();
    expect(() => closing.releaseChannel()).toThrow(gone);
    await Promise.all([once(stream, 'close'), once(closing, 'close')]);
    const [broken] = pipePair();
    const failing = new Connection(broken).toDuplex();
    const failed = once(failing, 'error');
    broken.break(new Error('cable'));
    expect(() => failing.releaseChannel()).toThrow(gone);
    expect(await failed).toMatchObject([{ message: 'cable' }]);
  });
});

describe('members that a layer gives', () => {
  const streamMembers: PropertyDescriptorMap = {
    secret: {
      get(this: ChannelDuplex): unknown {
        return (this.info as ChannelInfo & { secret: string }).secret;
      },
    },
    reveal: {
      value(this: { secret: string }): string {
        return `it is ${this.secret}`;
      },
    },
  };

  function revealing(secret: string): ChannelDuplex & { secret: string; reveal(): string } {
    const [left] = pipePair();
    Object.defineProperty(left, 'info', { value: { protocols: ['pipe', 'revealing'], secret } });
    Object.defineProperty(left, 'streamMembers', { value: streamMembers });
    return new Connection(left).toDuplex() as ChannelDuplex & { secret: string; reveal(): string };
  }

  it('are those of its streams, and of no others', () => {
    const [one, two] = [revealing('one'), revealing('two')];
    expect([one.secret, two.secret]).toEqual(['one', 'two']);
    expect(one.reveal()).toBe('it is one');
    expect(one.constructor).toBe(two.constructor);
    expect(one).toBeInstanceOf(ChannelDuplex);
    const [left] = pipePair();
    expect('secret' in new Connection(left).toDuplex()).toBe(false);
  });
});
