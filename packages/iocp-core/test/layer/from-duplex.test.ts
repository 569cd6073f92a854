import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex, PassThrough, type TransformCallback } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { resetRetries } from '../../../../system.shared.js';
import { type Channel, Connection, fromDuplex } from '../../src/layer/index.js';
import { bytes, record, text, turns } from './recorder.js';
import { clientOptions, serverOptions } from './shared-key-tls.js';

/** Two ends of a pipe made of plain streams. */
function streamPair(): [Duplex, Duplex] {
  class End extends Duplex {
    other!: End;
    private resume_: (() => void) | undefined;

    override _read(): void {
      const proceed = this.resume_;
      this.resume_ = undefined;
      proceed?.();
    }

    override _write(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
      if (this.other.push(chunk)) callback();
      else this.other.resume_ = () => callback();
    }

    override _final(callback: TransformCallback): void {
      this.other.push(null);
      callback();
    }
  }
  const [left, right] = [new End(), new End()];
  left.other = right;
  right.other = left;
  return [left, right];
}

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1' });
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  server.close();
  return [client, accepted];
}

async function tlsPair(): Promise<[TLSSocket, TLSSocket]> {
  const server = createTlsServer(serverOptions);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = tlsConnect({ port, host: '127.0.0.1', ...clientOptions });
  const [[accepted]] = await Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')]);
  server.close();
  return [client, accepted];
}

const pairs: [string, () => Promise<[Duplex, Duplex]>][] = [
  ['plain streams', async () => streamPair()],
  ['net.Socket', socketPair],
  ['tls.TLSSocket', tlsPair],
];

describe.each(pairs)('a channel over %s', (_name, makePair) => {
  async function channels(): Promise<[Channel, Channel]> {
    const [left, right] = await makePair();
    return [fromDuplex(left), fromDuplex(right)];
  }

  it('carries small and large writes in order, half-closes, and closes in order', async () => {
    const [left, right] = await channels();
    const content = randomBytes(300_000);
    const received: Uint8Array[] = [];
    const peer = record(right);
    peer.onBytes = (chunk) => received.push(chunk);
    const own = record(left);
    const order: number[] = [];
    left.write(content.subarray(0, 10), () => order.push(1));
    left.write([content.subarray(10, 20_000), content.subarray(20_000, 20_001)], () => order.push(2));
    left.write(content.subarray(20_001), () => order.push(3));
    left.end();
    await peer.seen('end');
    expect(Buffer.concat(received).equals(content)).toBe(true);
    expect(order).toEqual([1, 2, 3]);
    right.write(bytes('answer'));
    right.end();
    await Promise.all([own.seen('close'), peer.seen('close')]);
    expect(own.received).toBe('answer');
    expect(own.events).toEqual(['drain', 'data', 'end', 'close']);
    expect([own.error, peer.error]).toEqual([null, null]);
  });

  it('copies small chunks at once', async () => {
    const [left, right] = await channels();
    const peer = record(right);
    const chunk = bytes('before');
    left.write(chunk);
    chunk.fill(0);
    await peer.until(() => peer.received === 'before');
    left.abort();
    right.abort();
    await peer.seen('close');
  });

  it('hands on thousands of small chunks as a few pieces, in order', async () => {
    const pieces: number[] = [];
    const parts: string[] = [];
    const sink = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        pieces.push(chunk.byteLength);
        parts.push(chunk.toString());
        done();
      },
    });
    const channel = fromDuplex(sink);
    const own = record(channel);
    const messages = Array.from({ length: 5000 }, (_, index) => `message ${index};`);
    for (const message of messages) channel.write(bytes(message));
    await new Promise<void>((resolve) => channel.write(bytes('last'), () => resolve()));
    expect(parts.join('')).toBe(`${messages.join('')}last`);
    expect(pieces.length).toBeLessThanOrEqual(4);
    channel.abort();
    await own.seen('close');
  });

  it('pauses exactly, and delivers the end after the pause', async () => {
    const [left, right] = await channels();
    const peer = record(right);
    record(left);
    peer.onBytes = () => right.pause();
    left.write(bytes('a'));
    await peer.until(() => peer.received === 'a');
    left.write(bytes('b'));
    left.end();
    right.end();
    await turns(20);
    expect(peer.events).toEqual(['data']);
    right.resume();
    await peer.until(() => peer.received === 'ab');
    right.resume();
    await peer.seen('close');
    expect(peer.events).toEqual(['data', 'end', 'close']);
  });

  it('abort calls back every write and closes', async () => {
    const [left] = await channels();
    const own = record(left);
    const reason = new Error('enough');
    left.write(new Uint8Array(15_000_000), (error) => own.note(`done ${error?.message}`));
    await turns(1);
    left.write(bytes('x'), (error) => own.note(`done ${error?.message}`));
    left.abort(reason);
    await own.seen('close');
    await turns();
    expect(own.events).toEqual(['done enough', 'done enough', 'close']);
    expect(own.error).toBe(reason);
  });

  it('stops the writer while the peer does not read', async () => {
    const [left, right] = await channels();
    const own = record(left);
    const chunk = new Uint8Array(1 << 20);
    while (left.bufferedAmount === 0) {
      left.write(chunk);
      await turns(20);
    }
    const drainsBefore = own.events.length;
    record(right);
    await own.until(() => own.events.length > drainsBefore);
    expect(own.events.at(-1)).toBe('drain');
    left.abort();
    right.abort();
    await own.seen('close');
  });
});

describe('fromDuplex', () => {
  it('names the addresses of a socket, and its protocols', async () => {
    const [client, accepted] = await socketPair();
    // It is reset at the end.
    accepted.on('error', () => {});
    const channel = fromDuplex(client);
    expect(channel.info).toEqual({
      protocols: ['tcp'],
      localAddress: '127.0.0.1',
      localPort: accepted.remotePort,
      remoteAddress: '127.0.0.1',
      remotePort: accepted.localPort,
      family: 'IPv4',
    });
    const duplex = new Connection(channel).toDuplex();
    expect(duplex.remoteAddress).toBe('127.0.0.1');
    expect(duplex.remoteFamily).toBe('IPv4');
    expect(duplex.setNoDelay(true).setKeepAlive(true, 1000).ref().unref()).toBe(duplex);
    expect(duplex.address()).toEqual({ address: '127.0.0.1', port: accepted.remotePort, family: 'IPv4' });
    duplex.destroy(new Error('done with it'));
    await once(duplex, 'error');
    accepted.destroy();

    const [secure, peer] = await tlsPair();
    expect(fromDuplex(secure).info.protocols).toEqual(['tcp', 'tls']);
    secure.destroy();
    peer.destroy();
  });

  it('reports the reset of the peer', { retry: resetRetries }, async () => {
    const [client, accepted] = await socketPair();
    const own = record(fromDuplex(client));
    accepted.resetAndDestroy();
    await own.seen('close');
    expect(own.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('abort resets the peer of a TCP socket', { retry: resetRetries }, async () => {
    const [client, accepted] = await socketPair();
    const reset = once(accepted, 'error');
    accepted.resume();
    fromDuplex(client).abort();
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('abort right after end closes a TCP socket, though libuv refuses to reset it then', async () => {
    const [client, accepted] = await socketPair();
    const peer = record(fromDuplex(accepted));
    const channel = fromDuplex(client);
    const own = record(channel);
    channel.end();
    while (!client.writableEnded) await Promise.resolve();
    expect(client.writableFinished).toBe(false);
    channel.abort();
    await own.seen('close');
    expect(own.error).toBeNull();
    await peer.seen('end');
    accepted.destroy();
    await peer.seen('close');
  });

  it('reports a stream that is destroyed below it', async () => {
    const stream = new PassThrough();
    const own = record(fromDuplex(stream));
    stream.destroy();
    await own.seen('close');
    expect(own.error).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    const late = record(fromDuplex(stream));
    await late.seen('close');
    expect(late.error).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
  });

  it('passes on what the stream had read before', async () => {
    const [left, right] = streamPair();
    left.write('early');
    await turns();
    const connection = new Connection(fromDuplex(right));
    expect(text((await connection.read()) as Uint8Array)).toBe('early');
  });

  it('refuses what does not carry bytes', () => {
    expect(() => fromDuplex({} as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(() => fromDuplex(new PassThrough({ objectMode: true }))).toThrow(wrong);
    expect(() => fromDuplex(new PassThrough().setEncoding('utf8'))).toThrow(wrong);
  });
});
