import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Connection, type ConnectionOptions } from '../../src/layer/index.js';
import { pipePair } from './pipe-channel.js';
import { bytes, text, turns } from './recorder.js';

function webPair(options?: ConnectionOptions) {
  const [left, right] = pipePair({ highWaterMark: 4000 });
  const [own, peer] = [new Connection(left, options), new Connection(right, options)];
  return { left, right, own, peer, ownWeb: own.toWeb(), peerWeb: peer.toWeb() };
}

async function collect(readable: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('web streams', () => {
  it('carry bytes both ways, and both ends', async () => {
    const { own, ownWeb, peerWeb } = webPair({ allowHalfOpen: true });
    const content = randomBytes(200_000);
    const echo = peerWeb.readable.pipeTo(peerWeb.writable);
    const writer = ownWeb.writable.getWriter();
    const writing = (async () => {
      for (let start = 0; start < content.length; start += 5000) {
        await writer.ready;
        await writer.write(content.subarray(start, start + 5000));
      }
      await writer.close();
    })();
    const received = await collect(ownWeb.readable);
    await Promise.all([writing, echo]);
    expect(received.equals(content)).toBe(true);
    expect(await own.whenClosed()).toBeNull();
  });

  it('hold the writer back while the peer does not read, and the peer while nobody asks', async () => {
    const { left, ownWeb, peerWeb, right } = webPair({ readableHighWaterMark: 2000 });
    const writer = ownWeb.writable.getWriter();
    let written = 0;
    const writing = (async () => {
      for (; written < 50; written++) await writer.write(new Uint8Array(1000));
      await writer.close();
    })();
    await turns(50);
    expect(written).toBeLessThan(20);
    expect(left.bufferedAmount).toBeGreaterThan(0);
    expect(right.bytesRead).toBe(2000);
    expect((await collect(peerWeb.readable)).length).toBe(50_000);
    await writing;
  });

  it('fill the buffer a reader brings, and lose nothing that does not fit', async () => {
    const { ownWeb, peerWeb } = webPair();
    const writer = ownWeb.writable.getWriter();
    await writer.write(bytes('abcdef'));
    await writer.close();
    const reader = peerWeb.readable.getReader({ mode: 'byob' });
    let received = '';
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(4));
      if (done || value === undefined) break;
      received += text(value);
    }
    expect(received).toBe('abcdef');
  });

  it('fail with the error of the connection', async () => {
    const { left, ownWeb } = webPair();
    const reader = ownWeb.readable.getReader();
    const writer = ownWeb.writable.getWriter();
    const [read, closed] = [reader.read(), writer.closed];
    left.break(new Error('cable cut'));
    await expect(read).rejects.toThrow('cable cut');
    await expect(closed).rejects.toThrow('cable cut');
  });

  it('refuse writes after the connection has ended', async () => {
    const { own, ownWeb } = webPair();
    own.end();
    const writer = ownWeb.writable.getWriter();
    writer.closed.catch(() => {});
    await expect(writer.write(bytes('x'))).rejects.toMatchObject({ code: 'ERR_CHANNEL_ENDED' });
  });

  it('take bytes only', async () => {
    const { ownWeb } = webPair();
    const writer = ownWeb.writable.getWriter();
    writer.closed.catch(() => {});
    await expect(writer.write('text' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('abort the connection when the writable is aborted', async () => {
    const { own, ownWeb, peer, left } = webPair();
    const reason = new Error('enough');
    await ownWeb.writable.abort(reason);
    expect(await own.whenClosed()).toBe(reason);
    expect(left.closedAbortively).toBe(true);
    expect(await peer.whenClosed()).toMatchObject({ code: 'ECONNRESET' });
  });

  it('go on writing after the readable was cancelled, and still close', async () => {
    const { own, ownWeb, peerWeb } = webPair();
    const peerWriter = peerWeb.writable.getWriter();
    await peerWriter.write(bytes('unwanted'));
    await ownWeb.readable.cancel();
    const writer = ownWeb.writable.getWriter();
    await writer.write(bytes('wanted'));
    await writer.close();
    expect((await collect(peerWeb.readable)).toString()).toBe('wanted');
    expect(await own.whenClosed()).toBeNull();
  });
});
