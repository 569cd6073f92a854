/** The server's part of the handshake over any channel. */

import { Connection } from '@iocp/core/layer';
import { assertNoLeaks, MemoryNetwork } from '@iocp/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openConnection } from '../../src/connection/websocket-connection.js';
import { type HandshakeOptions, handshakeSettings } from '../../src/server/handshake-options.js';
import { upgradeOver } from '../../src/server/upgrade-over.js';
import { maskedFrame, plainFrame, requestText, until } from './fixture.js';

describe('over a channel in memory', () => {
  let network = new MemoryNetwork();
  beforeEach(() => {
    network = new MemoryNetwork();
  });
  afterEach(() => assertNoLeaks(network));

  async function scene() {
    const { near, far } = network.pair();
    const client = new Connection(far, { allowHalfOpen: true });
    const received = { text: '', ended: false };
    client.handle({
      data: (_client, bytes) => {
        received.text += Buffer.from(bytes).toString('latin1');
      },
      end: () => {
        received.ended = true;
      },
    });
    return { client, received, channel: near };
  }

  const settings = (options: HandshakeOptions = {}) => handshakeSettings({ heartbeat: false, ...options });

  test('gives what a connection is made of', async () => {
    const { client, channel, received } = await scene();
    const setting = upgradeOver(channel, settings({ protocols: ['p'], paths: '/a' }));
    const early = Buffer.concat([
      Buffer.from(requestText({ target: '/a?b', headers: { 'Sec-WebSocket-Protocol': 'p' } })),
      maskedFrame(1, 'early'),
    ]);
    for (const byte of early) client.write(Uint8Array.of(byte));
    const setup = await setting;
    expect(setup).toMatchObject({
      role: 'server',
      protocol: 'p',
      extensions: '',
      deflate: null,
      path: '/a?b',
      topics: null,
    });
    expect(setup.lower).toBe(channel);
    const connection = openConnection(setup);
    connection.handle({ message: (socket, data, binary) => socket.send(data, binary) });
    client.write(maskedFrame(1, 'late'));
    await until(() => received.text.endsWith(plainFrame(1, 'late').toString('latin1')));
    expect(received.text).toContain(`${plainFrame(1, 'early').toString('latin1')}`);
    connection.terminate();
    await client.whenClosed();
  });

  test.each<[string, string, HandshakeOptions, number]>([
    ['another path', requestText({ target: '/b' }), { paths: '/a' }, 404],
    ['a missing key', requestText({ headers: { 'Sec-WebSocket-Key': undefined } }), {}, 400],
    ['a body that is still to come', requestText({ headers: { 'Content-Length': '5' } }), {}, 400],
    ['a plain request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', {}, 426],
    ['no HTTP', '\0\0\0\r\n\r\n', {}, 400],
    ['a verdict', requestText(), { verify: () => false }, 403],
    ['a long head', requestText({ target: `/${'a'.repeat(20_000)}` }), {}, 431],
  ])('refuses %s', async (_name, request, options, status) => {
    const { client, channel, received } = await scene();
    const setting = upgradeOver(channel, settings(options));
    client.write(request);
    await expect(setting).rejects.toMatchObject({ code: 'ERR_WS_HANDSHAKE' });
    await until(() => received.ended);
    expect(received.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    client.end();
    expect(await client.whenClosed()).toBe(null);
  });

  test('gives up when the client leaves', async () => {
    const gone = await scene();
    const setting = upgradeOver(gone.channel, settings());
    gone.client.abort();
    await expect(setting).rejects.toMatchObject({ code: 'ERR_WS_HANDSHAKE' });
    const ended = await scene();
    const other = upgradeOver(ended.channel, settings());
    ended.client.end();
    await expect(other).rejects.toMatchObject({ code: 'ERR_WS_HANDSHAKE' });
    await ended.client.whenClosed();
  });

  test.each(['before', 'while waiting for the request', 'while verify decides'])(
    'is canceled %s',
    async (when) => {
      const { client, channel } = await scene();
      const controller = new AbortController();
      const reason = new Error('canceled');
      let asked = false;
      const verify = () => {
        asked = true;
        return new Promise<never>(() => {});
      };
      if (when === 'before') controller.abort(reason);
      const setting = upgradeOver(channel, settings({ verify }), { signal: controller.signal });
      setting.catch(() => {});
      if (when === 'while verify decides') {
        client.write(requestText());
        await until(() => asked);
      }
      controller.abort(reason);
      await expect(setting).rejects.toBe(reason);
      expect((await client.whenClosed())?.message).toContain('ECONNRESET');
    },
  );

  test('does not wait for ever', async () => {
    const { client, channel } = await scene();
    client.write('GET / HTTP/1.1\r\n');
    await expect(upgradeOver(channel, settings({ handshakeTimeoutMs: 20 }))).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(WS_HANDSHAKE|CHANNEL_HANDSHAKE_TIMEOUT)$/),
    });
    client.end();
    await client.whenClosed();
  });
});
