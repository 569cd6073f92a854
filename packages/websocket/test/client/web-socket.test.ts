/** The WebSocket of browsers: what the WHATWG standard says of it. */

import { once } from 'node:events';
import { captureUncaught } from '@iocp/testkit';
import { expect, test } from 'vitest';
import type { ConnectOptions } from '../../src/client/connect-options.js';
import { WebSocket } from '../../src/client/web-socket.js';
import { CloseEvent, ErrorEvent } from '../../src/client/web-socket-events.js';
import { onEachBackend, until } from '../server/fixture.js';
import { accepted, echoOf, on, servePeer, serveRaw } from './scene.js';

onEachBackend('WebSocket', (fixture) => {
  const make = (url: string, options?: ConnectOptions): WebSocket => {
    const socket = new WebSocket(url, on(fixture, options));
    fixture.after(async () => {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.close();
      await eventOf(socket, 'close');
    });
    return socket;
  };
  const eventOf = async <T extends Event>(socket: WebSocket, type: string): Promise<T> =>
    ((await once(socket, type)) as [T])[0];

  test('opens, echoes and closes', async () => {
    const peer = await servePeer(fixture, echoOf, { handleProtocols: () => 'two' });
    const socket = make(`${peer.url.replace('ws:', 'http:')}/a`, { protocols: ['one', 'two'] });
    expect(socket).toMatchObject({
      readyState: 0,
      CONNECTING: 0,
      protocol: '',
      binaryType: 'blob',
      bufferedAmount: 0,
    });
    expect(socket.url).toBe(`${peer.url}/a`);
    await eventOf(socket, 'open');
    expect(socket).toMatchObject({ readyState: WebSocket.OPEN, protocol: 'two', extensions: '' });
    socket.send('h\u00e9llo');
    const message = await eventOf<MessageEvent>(socket, 'message');
    expect(message).toMatchObject({ data: 'h\u00e9llo', origin: peer.url });
    socket.close(3001, 'bye');
    socket.close();
    expect(socket.readyState).toBe(WebSocket.CLOSING);
    const closed = await eventOf<CloseEvent>(socket, 'close');
    expect(closed).toBeInstanceOf(CloseEvent);
    expect(closed).toMatchObject({ code: 3001, reason: 'bye', wasClean: true });
    expect(socket.readyState).toBe(WebSocket.CLOSED);
  });

  test('hands out binary messages as it is told', async () => {
    const peer = await servePeer(fixture, echoOf);
    const socket = make(peer.url);
    await eventOf(socket, 'open');
    const bytes = Uint8Array.from([1, 2, 3, 4]);
    const echoed = async (data: Parameters<WebSocket['send']>[0]) => {
      socket.send(data);
      return (await eventOf<MessageEvent>(socket, 'message')).data;
    };
    const blob = await echoed(bytes);
    expect(blob).toBeInstanceOf(Blob);
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(bytes);
    socket.binaryType = 'arraybuffer';
    expect(await echoed(bytes.buffer)).toEqual(bytes.buffer);
    expect(await echoed(new DataView(bytes.buffer, 1, 2))).toEqual(bytes.buffer.slice(1, 3));
    expect(await echoed(new Blob([bytes]))).toEqual(bytes.buffer);
    socket.binaryType = 'nodebuffer';
    expect(await echoed(bytes)).toEqual(Buffer.from(bytes));
    socket.binaryType = 'other' as never;
    expect(socket.binaryType).toBe('nodebuffer');
  });

  test('keeps the order of what is sent behind a Blob, and closes behind it', async () => {
    const received: string[] = [];
    const peer = await servePeer(fixture, (each) =>
      each.on('message', (data) => received.push(String(data))),
    );
    const socket = make(peer.url);
    await eventOf(socket, 'open');
    const scratch = Buffer.from('three');
    socket.send('one');
    socket.send(new Blob(['two']));
    socket.send(scratch);
    scratch.fill(0);
    socket.send(new Blob(['four']));
    expect(socket.bufferedAmount).toBeGreaterThanOrEqual('twothreefour'.length);
    socket.close();
    expect(await eventOf<CloseEvent>(socket, 'close')).toMatchObject({ code: 1005, wasClean: true });
    expect(received).toEqual(['one', 'two', 'three', 'four']);
  });

  test('has copied what is sent, also with compression', async () => {
    const peer = await servePeer(fixture, echoOf, { perMessageDeflate: true });
    const socket = make(peer.url, { deflate: true });
    socket.binaryType = 'nodebuffer';
    await eventOf(socket, 'open');
    const scratch = Buffer.alloc(50_000, 'a');
    socket.send(scratch);
    scratch.fill('b');
    const { data } = await eventOf<MessageEvent>(socket, 'message');
    expect(data.equals(Buffer.alloc(50_000, 'a'))).toBe(true);
  });

  test('counts what is sent too late', async () => {
    const peer = await servePeer(fixture);
    const socket = make(peer.url);
    expect(() => socket.send('early')).toThrow(expect.objectContaining({ name: 'InvalidStateError' }));
    await eventOf(socket, 'open');
    socket.close();
    socket.send('late');
    await eventOf(socket, 'close');
    socket.send('later');
    expect(socket.bufferedAmount).toBe(9);
  });

  test('drops messages that come after close()', async () => {
    const server = await serveRaw(fixture, (socket, key) => {
      socket.write(accepted(key));
      // The close frame of the client comes; then a message, and the answer to it.
      socket.once('data', () => socket.end(Buffer.from([0x81, 1, 0x41, 0x88, 2, 3, 232])));
    });
    const socket = make(server.url);
    let messages = 0;
    socket.onmessage = () => messages++;
    await eventOf(socket, 'open');
    socket.close(1000);
    expect(await eventOf<CloseEvent>(socket, 'close')).toMatchObject({ code: 1000, wasClean: true });
    expect(messages).toBe(0);
  });

  test('tells a failure by an error, then a close', async () => {
    const server = await serveRaw(fixture, (socket) =>
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'),
    );
    const socket = make(server.url);
    const events: string[] = [];
    socket.onerror = (event) => events.push(`${event.type} ${(event.error as { code?: string }).code}`);
    socket.onclose = (event) => events.push(`${event.type} ${event.code} ${event.wasClean}`);
    await eventOf(socket, 'close');
    expect(events).toEqual(['error ERR_WS_HANDSHAKE', 'close 1006 false']);
  });

  test('tells that the peer has broken the protocol, or gone', async () => {
    const broken = await serveRaw(fixture, (socket, key) =>
      socket.write(Buffer.concat([Buffer.from(accepted(key)), Buffer.from([0xff, 0])])),
    );
    const socket = make(broken.url);
    const [error, closed] = await Promise.all([
      eventOf<ErrorEvent>(socket, 'error'),
      eventOf<CloseEvent>(socket, 'close'),
    ]);
    expect(error).toBeInstanceOf(ErrorEvent);
    expect(error.error).toMatchObject({ code: 'ERR_WS_UNEXPECTED_RSV', message: error.message });
    expect(closed).toMatchObject({ code: 1006, wasClean: false });
    const gone = await serveRaw(fixture, (raw, key) => raw.write(accepted(key)));
    const other = make(gone.url);
    await eventOf(other, 'open');
    gone.sockets[0]?.resetAndDestroy();
    expect(await eventOf<CloseEvent>(other, 'close')).toMatchObject({ code: 1006, wasClean: false });
  });

  test('gives up when it is closed, or its signal fires, before it is open', async () => {
    const controller = new AbortController();
    const server = await serveRaw(fixture, () => controller.abort());
    const socket = make(server.url);
    socket.close();
    expect(socket.readyState).toBe(WebSocket.CLOSING);
    const seen = ['error', 'close'].map((type) => eventOf(socket, type));
    expect((await Promise.all(seen)).map(({ type }) => type)).toEqual(['error', 'close']);
    const other = make(server.url, { signal: controller.signal });
    expect(await eventOf<CloseEvent>(other, 'close')).toMatchObject({ code: 1006 });
    await until(() => server.sockets.every((each) => each.destroyed));
  });

  test('refuses arguments as the standard says', async () => {
    const syntax = expect.objectContaining({ name: 'SyntaxError' });
    for (const url of ['', 'nowhere', 'ftp://example.com', 'ws://example.com/#a']) {
      expect(() => new WebSocket(url)).toThrow(syntax);
    }
    for (const protocols of [['a', 'a'], 'a b', ['']]) {
      expect(() => new WebSocket('ws://127.0.0.1:1', protocols)).toThrow(syntax);
    }
    const peer = await servePeer(fixture);
    const socket = make(peer.url);
    for (const code of [0, 999, 1001, 1005, 2999, 5000]) {
      expect(() => socket.close(code)).toThrow(expect.objectContaining({ name: 'InvalidAccessError' }));
    }
    expect(() => socket.close(1000, '\u00e9'.repeat(62))).toThrow(syntax);
    await eventOf(socket, 'open');
  });

  test('has one listener per attribute, which keeps its place', async () => {
    const peer = await servePeer(fixture);
    const socket = make(peer.url);
    const calls: string[] = [];
    expect(socket.onopen).toBeNull();
    socket.onopen = () => calls.push('first');
    socket.addEventListener('open', () => void calls.push('listener'));
    const second = function (this: WebSocket) {
      calls.push(`second ${this === socket}`);
    };
    socket.onopen = second;
    expect(socket.onopen).toBe(second);
    socket.onclose = 7 as never;
    expect(socket.onclose).toBeNull();
    const removed = () => calls.push('removed');
    socket.addEventListener('open', removed);
    socket.removeEventListener('open', removed);
    await eventOf(socket, 'open');
    expect(calls).toEqual(['second true', 'listener']);
  });

  test('lives on when a listener throws', async () => {
    const peer = await servePeer(fixture, echoOf);
    const socket = make(peer.url);
    const boom = new Error('boom');
    await eventOf(socket, 'open');
    socket.addEventListener(
      'message',
      () => {
        throw boom;
      },
      { once: true },
    );
    const uncaught = await captureUncaught(async () => {
      socket.send('one');
      await eventOf(socket, 'message');
      socket.send('two');
      await eventOf(socket, 'message');
    });
    expect(uncaught).toEqual([boom]);
  });
});
