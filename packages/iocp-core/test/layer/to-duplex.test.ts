import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { TLSSocket, connect as tlsConnect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Connection, type ToDuplexOptions } from '../../src/layer/index.js';
import { type PipeChannel, pipePair } from './pipe-channel.js';
import { bytes, record, text, turns } from './recorder.js';
import { clientOptions, serverOptions } from './shared-key-tls.js';

function duplexPair(options?: ToDuplexOptions): {
  own: Duplex;
  peer: Duplex;
  left: PipeChannel;
  right: PipeChannel;
} {
  const [left, right] = pipePair();
  const [own, peer] = [new Connection(left).toDuplex(options), new Connection(right).toDuplex(options)];
  return { own, peer, left, right };
}

const hashOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

describe('a connection as Duplex', () => {
  it('carries a pipeline both ways, with backpressure', async () => {
    const { own, peer } = duplexPair({ allowHalfOpen: true });
    const content = randomBytes(500_000);
    const chunks = Array.from({ length: 50 }, (_, index) =>
      content.subarray(index * 10_000, (index + 1) * 10_000),
    );
    const echo = pipeline(peer, new PassThrough(), peer);
    const sending = pipeline(Readable.from(chunks), own);
    const received: Uint8Array[] = [];
    for await (const chunk of own) received.push(chunk);
    await Promise.all([echo, sending]);
    expect(hashOf(Buffer.concat(received))).toBe(hashOf(content));
  });

  it('is finished when both sides have ended, and closes once', async () => {
    const { own, peer, left } = duplexPair();
    let closes = 0;
    own.on('close', () => {
      closes += 1;
    });
    const both = Promise.all([finished(own), finished(peer)]);
    own.resume();
    peer.setEncoding('utf8');
    const received: string[] = [];
    peer.on('data', (chunk: string) => received.push(chunk));
    own.end('hé');
    await both;
    await turns();
    expect(received.join('')).toBe('hé');
    expect(closes).toBe(1);
    expect(left.closedAbortively).toBe(false);
  });

  it('passes errors of the connection to finished and pipeline', async () => {
    const { own, peer, left } = duplexPair();
    peer.on('error', () => {});
    const writing = pipeline(own, new PassThrough());
    const done = finished(own);
    left.break(new Error('cable cut'));
    await expect(done).rejects.toThrow('cable cut');
    await expect(writing).rejects.toThrow('cable cut');
  });

  it('destroy with an error aborts, and the peer sees a reset', async () => {
    const { own, peer, left } = duplexPair();
    const reset = once(peer, 'error');
    const failure = new Error('enough');
    const seen = once(own, 'error');
    own.write('lost');
    own.destroy(failure);
    expect(await seen).toEqual([failure]);
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(left.closedAbortively).toBe(true);
  });

  it('destroy without an error ends in order when nothing is left to send', async () => {
    const { own, peer, left } = duplexPair();
    peer.resume();
    own.destroy();
    await Promise.all([once(own, 'close'), once(peer, 'close')]);
    expect(left.closedAbortively).toBe(false);
  });

  it('destroy does not wait for the peer longer than lingerMs', async () => {
    const [left, right] = pipePair();
    const own = new Connection(left).toDuplex({ lingerMs: 50 });
    const peer = record(right);
    own.destroy();
    await peer.seen('end');
    expect(left.closed).toBe(false);
    await peer.seen('close');
    expect(own.closed).toBe(true);
    expect(peer.events).toEqual(['end', 'close']);
    expect(left.closedAbortively).toBe(true);
  });

  it('an abort of the connection closes the stream', async () => {
    const [left] = pipePair();
    const connection = new Connection(left);
    const duplex = connection.toDuplex();
    connection.abort();
    await once(duplex, 'close');
    expect(duplex.destroyed).toBe(true);
  });

  it('lets an orderly close of the connection be read to the end', async () => {
    const [left, right] = pipePair();
    const connection = new Connection(left);
    const duplex = connection.toDuplex();
    right.write(bytes('all of it'));
    right.end();
    record(right);
    await connection.close();
    const received: Uint8Array[] = [];
    for await (const chunk of duplex) received.push(chunk);
    expect(text(received)).toBe('all of it');
  });

  it('reads ahead no further than its mark', async () => {
    const { own, right } = duplexPair({ readableHighWaterMark: 2000 });
    for (let count = 0; count < 20; count++) {
      own.write(Buffer.alloc(1000));
      await turns();
    }
    expect(right.bytesRead).toBe(2000);
  });

  it('gives back what was not read when the connection is detached', async () => {
    const [left, right] = pipePair();
    const connection = new Connection(left);
    connection.toDuplex();
    right.write(bytes('upgrade'));
    await turns();
    expect(text(connection.detach())).toBe('upgrade');
  });

  it('emits timeout after silence, and closes nothing', async () => {
    const { own, left } = duplexPair();
    const socket = own as Duplex & {
      setTimeout(idleMs: number, listener?: () => void): void;
      timeout: number;
    };
    await new Promise<void>((resolve) => socket.setTimeout(5, resolve));
    expect(left.closed).toBe(false);
    const never = (): void => expect.unreachable();
    socket.setTimeout(1, never);
    socket.setTimeout(0, never);
    expect(socket.timeout).toBe(0);
    expect(() => socket.setTimeout(-1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });

  it('checks its options', () => {
    const [left] = pipePair();
    expect(() => new Connection(left).toDuplex({ lingerMs: -1 })).toThrow(/options\.lingerMs/);
  });
});

describe('what Node builds on a Duplex', () => {
  it('http.Server serves it through emit("connection"), keep-alive and close included', async () => {
    const server = createServer((incoming, response) => {
      incoming.pipe(response);
    });
    const { own, peer } = duplexPair();
    server.emit('connection', peer);
    for (const connection of ['keep-alive', 'close']) {
      const outgoing = request({
        method: 'POST',
        createConnection: () => own as never,
        headers: { connection },
      });
      outgoing.end(`body of ${connection}`);
      const [incoming] = await once(outgoing, 'response');
      const received: Uint8Array[] = [];
      for await (const chunk of incoming) received.push(chunk);
      expect(text(received)).toBe(`body of ${connection}`);
      if (connection === 'keep-alive') await turns();
    }
    if (!peer.closed) await once(peer, 'close');
  });

  it('tls.TLSSocket runs over it, on both sides', async () => {
    const { own, peer } = duplexPair();
    const server = new TLSSocket(peer, { isServer: true, ...serverOptions });
    const client = tlsConnect({ socket: own, ...clientOptions });
    server.on('data', (chunk: Uint8Array) => server.write(chunk));
    server.on('end', () => server.end());
    await once(client, 'secureConnect');
    const content = randomBytes(100_000);
    client.end(content);
    const received: Uint8Array[] = [];
    for await (const chunk of client) received.push(chunk);
    expect(hashOf(Buffer.concat(received))).toBe(hashOf(content));
  });

  it('Duplex.toWeb takes it', async () => {
    const { own, peer } = duplexPair({ allowHalfOpen: true });
    const web = Duplex.toWeb(own);
    const echo = pipeline(peer, peer);
    const writer = web.writable.getWriter();
    await writer.write(bytes('hello'));
    const closed = writer.close();
    const received: Uint8Array[] = [];
    for await (const chunk of web.readable) received.push(chunk as Uint8Array);
    await Promise.all([closed, echo]);
    expect(text(received)).toBe('hello');
  });
});
