/** undici's WebSocket, which is the global one of Node.js from 22 on. */

import { once } from 'node:events';
import { WebSocket } from 'undici';
import { expect, test } from 'vitest';
import { onEachBackend, portOf } from '../server/fixture.js';
import { deadlineMs, echoServer, exchanged, expectSame, samples } from './support.js';

onEachBackend('undici', (fixture) => {
  test.each([
    ['plain', false, ''],
    ['compressed', { threshold: 0, contextTakeover: true }, 'permessage-deflate'],
  ])('%s', { timeout: deadlineMs }, async (_, deflate, extension) => {
    const server = await echoServer(fixture, { deflate });
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(server)}`, ['echo']);
    socket.binaryType = 'arraybuffer';
    await once(socket as never, 'open');
    for (const message of samples) {
      const [answer] = await Promise.all([once(socket as never, 'message'), socket.send(message)]);
      const { data } = answer[0] as { data: string | ArrayBuffer };
      expectSame(typeof data === 'string' ? data : new Uint8Array(data), message);
    }
    expect(socket.extensions).toContain(extension);
    const closed = once(socket as never, 'close');
    socket.close(4000, 'enough');
    const [{ code, reason, wasClean }] = await closed;
    expect({ protocol: socket.protocol, closed: { code, reason } }).toEqual(exchanged);
    expect(wasClean).toBe(true);
  });
});
