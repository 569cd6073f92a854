import { expect, test } from 'vitest';
import { Backoff } from '../../src/client/backoff.js';
import {
  type ReconnectingHandlers,
  type ReconnectingWebSocket,
  type ReconnectOptions,
  reconnecting,
} from '../../src/client/reconnecting.js';
import { onEachBackend, until } from '../server/fixture.js';
import { accepted, echoOf, on, servePeer, serveRaw } from './scene.js';

test('waits are random up to a bound that doubles', () => {
  const backoff = new Backoff({ delayMs: 100, delayMsMax: 1000 });
  const bounds = [0, 1, 2, 3, 4, 5, 50, 5000].map((failures) => backoff.waitMs(failures, 1));
  expect(bounds).toEqual([100, 100, 200, 400, 800, 1000, 1000, 1000]);
  expect(backoff.waitMs(3, 0)).toBe(0);
  expect(backoff.waitMs(3, 0.25)).toBe(100);
  const waits = Array.from({ length: 100 }, () => backoff.waitMs(4));
  expect(Math.max(...waits)).toBeLessThanOrEqual(800);
  expect(new Set(waits).size).toBeGreaterThan(10);
  expect(new Backoff({ delayMs: 60_000 }).waitMs(9, 1)).toBe(60_000);
  for (const options of [{ delayMs: -1 }, { delayMs: 10, delayMsMax: 5 }, { delayMs: 1.5 }]) {
    expect(() => new Backoff(options)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  }
});

onEachBackend('reconnecting', (fixture) => {
  const start = (
    url: string,
    options: ReconnectOptions,
    handlers: ReconnectingHandlers,
  ): ReconnectingWebSocket => {
    const link = reconnecting(url, { delayMs: 1, ...on(fixture, options) }, handlers);
    fixture.after(() => link.close());
    return link;
  };

  test('opens again whatever has closed it, until it is closed', async () => {
    const peer = await servePeer(fixture, echoOf);
    const events: string[] = [];
    const link = start(
      peer.url,
      {},
      {
        open: () => events.push('open'),
        message: (socket, data) => {
          events.push(`message ${data}`);
          socket.send('done');
        },
        close: (_, code) => events.push(`close ${code}`),
        retry: (_link, error, failures) =>
          events.push(`retry ${(error as { code?: string }).code} ${failures}`),
      },
    );
    expect(link.send('nobody there')).toBe('refused');
    expect(link.connection).toBeNull();
    await until(() => events.length === 1);
    expect(link.send('hello')).toBe('sent');
    await until(() => events.length > 2);
    peer.sockets[0]?.close(1001);
    await until(() => events.at(-1) === 'open');
    peer.sockets[1]?.terminate();
    await until(() => peer.sockets.length === 3 && link.connection !== null);
    await link.close(4000, 'enough');
    expect(link.connection).toBeNull();
    expect(link.send('late')).toBe('refused');
    const order = events.filter((event) => !event.startsWith('message'));
    expect(order).toEqual([
      'open',
      'close 1001',
      'retry ERR_WS_CLOSED 1',
      'open',
      'close 1006',
      'retry ERR_WS_CLOSED 2',
      'open',
      'close 4000',
    ]);
  });

  test('counts anew after a connection that was stable', async () => {
    const peer = await servePeer(fixture, (socket) => socket.close());
    const failures: number[] = [];
    const link = start(
      peer.url,
      { stableMs: 0, attemptsMax: 2 },
      { retry: (_link, _error, count) => failures.push(count) },
    );
    await until(() => failures.length === 4);
    await link.close();
    expect(failures.slice(0, 4)).toEqual([0, 0, 0, 0]);
  });

  test('gives up after as many attempts as allowed', async () => {
    const server = await serveRaw(fixture, (socket) =>
      socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'),
    );
    const events: string[] = [];
    const link = start(
      server.url,
      { attemptsMax: 3 },
      {
        retry: (_link, _error, failures) => events.push(`retry ${failures}`),
        giveUp: (_link, error) => events.push(`giveUp ${(error as { statusCode?: number }).statusCode}`),
      },
    );
    await link.whenFinished();
    expect(events).toEqual(['retry 1', 'retry 2', 'giveUp 503']);
    expect(server.requests).toHaveLength(3);
  });

  test('is closed in the middle of an attempt, and between two', async () => {
    const silent = await serveRaw(fixture, () => {});
    const attempt = start(silent.url, {}, {});
    await until(() => silent.requests.length === 1);
    await attempt.close();
    const refusing = await serveRaw(fixture, (socket) => socket.resetAndDestroy());
    const between = start(refusing.url, { delayMs: 1_000_000_000 }, { retry: (link) => void link.close() });
    await between.whenFinished();
    expect(refusing.requests).toHaveLength(1);
  });

  test('ends with its signal', async () => {
    const controller = new AbortController();
    const peer = await servePeer(fixture);
    const closed = new Promise<number>((resolve) => {
      const link = start(
        peer.url,
        { signal: controller.signal },
        {
          open: () => controller.abort(),
          close: (_, code) => resolve(code),
        },
      );
      void link.whenFinished();
    });
    expect(await closed).toBe(1001);
    const late = start(peer.url, { signal: controller.signal }, {});
    await late.whenFinished();
    expect(peer.sockets).toHaveLength(1);
  });

  test('refuses arguments at once', () => {
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(() => reconnecting('nowhere')).toThrow(code('ERR_INVALID_URL'));
    expect(() => reconnecting('ws://a', { attemptsMax: 0 })).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => reconnecting('ws://a', { stableMs: -1 })).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => reconnecting('ws://a', {}, { retry: 7 as never })).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => reconnecting('ws://a', {}, { open: 7 as never })).toThrow(code('ERR_INVALID_ARG_TYPE'));
  });

  test('closes with codes that exist', async () => {
    const server = await serveRaw(fixture, (socket, key) => socket.write(accepted(key)));
    const link = start(server.url, {}, {});
    expect(() => link.close(1005)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });
});
