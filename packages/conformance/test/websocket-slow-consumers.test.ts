/** Peers that do not read what they are sent: what each policy does, and that nobody holds more than the cap. */

import { CompletionPort } from '@iocp/core';
import { connect as tcpConnect } from '@iocp/tcp';
import {
  assertNoLeaks,
  binaryFrame,
  openWebSocketPeer,
  pattern,
  Random,
  resourceSnapshot,
  WebSocketPeer,
  whenQuiet,
} from '@iocp/testkit';
import {
  listen,
  type WebSocketConnection,
  type WebSocketHandlers,
  type WebSocketOptions,
} from '@iocp/websocket';
import { expect, test } from 'vitest';
import { type Backend, describeBackends } from './support/backends.js';
import { host } from './support/websocket.js';

const kibibyte = 1024;
const messageBytes = 64 * kibibyte;
const bufferedBytesMax = 1024 * kibibyte;

interface Scene {
  readonly socket: WebSocketConnection;
  readonly peer: WebSocketPeer;
  /** Resolves with what the handlers were told in the end. */
  readonly closed: Promise<{ readonly code: number; readonly error: string | undefined }>;
}

/** Runs a test with one connection whose peer does not read, and finds nothing left behind. */
async function withSlowPeer(
  backend: Backend,
  options: WebSocketOptions,
  handlers: WebSocketHandlers,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const before = resourceSnapshot();
  const completionPort = new CompletionPort({ backend });
  let error: string | undefined;
  let opened = (_socket: WebSocketConnection) => {};
  let ended = (_code: number) => {};
  const socketOpened = new Promise<WebSocketConnection>((resolve) => {
    opened = resolve;
  });
  const code = new Promise<number>((resolve) => {
    ended = resolve;
  });
  const server = await listen(
    { host, completionPort, heartbeat: false, bufferedBytesMax, ...options },
    {
      ...handlers,
      open: (socket) => opened(socket),
      error: (_socket, reason) => {
        error = (reason as NodeJS.ErrnoException).code;
      },
      close: (_socket, reason) => ended(reason),
    },
  );
  const { channel } = await tcpConnect({ host, port: server.address()?.port as number, completionPort });
  const peer = new WebSocketPeer(channel, 'client');
  await openWebSocketPeer(peer, options.deflate === undefined ? undefined : 'permessage-deflate');
  peer.pause();
  await body({ socket: await socketOpened, peer, closed: code.then((told) => ({ code: told, error })) });
  await server.close();
  peer.codec?.close();
  await assertNoLeaks(completionPort);
  await completionPort.close();
  await assertNoLeaks(null, { since: before });
}

/** The message with that number; no two are alike. */
function message(index: number): Uint8Array {
  return pattern(messageBytes, index * 1000);
}

/** Sends until the connection refuses. @returns how many it took, and the most that waited */
async function sendUntilRefused(
  socket: WebSocketConnection,
  make: (index: number) => Uint8Array,
): Promise<{ taken: number; bufferedMost: number }> {
  let bufferedMost = 0;
  for (let taken = 0; ; taken++) {
    const status = socket.send(make(taken));
    bufferedMost = Math.max(bufferedMost, socket.bufferedAmount);
    if (status === 'refused') return { taken, bufferedMost };
    // What the system takes does not count.
    if (status === 'full') await whenQuiet(() => socket.bufferedAmount, 5);
  }
}

async function untilEnd(peer: WebSocketPeer): Promise<number> {
  let messages = 0;
  for (let event = await peer.next(); event.type !== 'end'; event = await peer.next()) messages++;
  return messages;
}

describeBackends((backend) => {
  for (const deflate of [undefined, true]) {
    const how = deflate === undefined ? '' : ', compressed';
    test(
      `'close': the connection is reset at the cap, and nothing more is sent${how}`,
      { timeout: 60_000 },
      () =>
        withSlowPeer(
          backend,
          { slowConsumer: 'close', ...(deflate === undefined ? {} : { deflate }) },
          {},
          async ({ socket, peer, closed }) => {
            const random = new Random(1);
            const noise = (index: number) =>
              deflate === undefined ? message(index) : random.bytes(messageBytes);
            const { taken, bufferedMost } = await sendUntilRefused(socket, noise);
            expect(taken).toBeGreaterThan(bufferedBytesMax / messageBytes / 2);
            expect(bufferedMost).toBeLessThanOrEqual(bufferedBytesMax);
            expect(socket.send('more')).toBe('refused');
            expect(await closed).toEqual({ code: 1006, error: 'ERR_WS_SLOW_CONSUMER' });
            expect(socket.bufferedAmount).toBe(0);
            peer.resume();
            expect(await untilEnd(peer)).toBeLessThan(taken);
            peer.abort();
            await peer.untilClosed();
          },
        ),
    );
  }

  test(
    "'skip': messages are refused at the cap, and taken again when there is room",
    { timeout: 60_000 },
    () =>
      withSlowPeer(backend, { slowConsumer: 'skip' }, {}, async ({ socket, peer, closed }) => {
        const { taken, bufferedMost } = await sendUntilRefused(socket, message);
        expect(bufferedMost).toBeLessThanOrEqual(bufferedBytesMax);
        expect(socket.send(message(taken))).toBe('refused');
        expect(socket.readyState).toBe(1);
        peer.resume();
        await socket.drained();
        expect(socket.send(message(taken))).not.toBe('refused');
        for (let index = 0; index <= taken; index++) {
          const event = await peer.next();
          if (event.type !== 'message') throw new Error(`${event.type} instead of message ${index}`);
          expect(Buffer.compare(event.payload, message(index)), `message ${index}`).toBe(0);
        }
        void socket.close(1000);
        expect(await peer.next()).toMatchObject({ type: 'close', code: 1000 });
        peer.abort();
        await closed;
        await peer.untilClosed();
      }),
  );

  test(
    "'block': a peer that asks without reading the answers is not read any more",
    { timeout: 60_000 },
    () =>
      withSlowPeer(
        backend,
        { slowConsumer: 'block' },
        { message: (socket, data, binary) => void socket.send(data, binary) },
        async ({ socket, peer, closed }) => {
          const count = 2000;
          let sent = 0;
          const asking = (async () => {
            for (; sent < count; sent++) await peer.send([binaryFrame(message(sent % 7))]);
          })();
          await whenQuiet(() => `${sent} ${socket.bufferedAmount}`, 200);
          expect(sent).toBeLessThan(count);
          expect(socket.bufferedAmount).toBeLessThanOrEqual(bufferedBytesMax);
          peer.resume();
          for (let index = 0; index < count; index++) {
            const event = await peer.next();
            if (event.type !== 'message') throw new Error(`${event.type} instead of message ${index}`);
            if (Buffer.compare(event.payload, message(index % 7)) !== 0)
              throw new Error(`message ${index} differs`);
          }
          await asking;
          peer.abort();
          await closed;
          await peer.untilClosed();
        },
      ),
  );

  test('pings of a peer that reads no pongs are answered with a few of them', { timeout: 60_000 }, () =>
    withSlowPeer(backend, { slowConsumer: 'close' }, {}, async ({ socket, peer, closed }) => {
      const count = 400_000;
      const ping = Buffer.from([0x89, 0xfd, 0, 0, 0, 0, ...new Uint8Array(125)]);
      const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping));
      let bufferedMost = 0;
      for (let index = 0; index < count / 1000; index++) {
        await peer.send([pings]);
        bufferedMost = Math.max(bufferedMost, socket.bufferedAmount);
      }
      await whenQuiet(() => socket.bufferedAmount, 200);
      expect(bufferedMost).toBeLessThanOrEqual(bufferedBytesMax);
      expect(socket.readyState).toBe(1);
      peer.abort();
      await closed;
      await peer.untilClosed();
    }),
  );
});
