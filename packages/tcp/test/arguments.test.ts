import { CompletionPort } from '@iocp/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, listen, type TcpListener } from '../src/index.js';

type Case = readonly [options: object | undefined | null | string, code: string, named: string];

const shared: readonly Case[] = [
  [{ noDelay: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.noDelay'],
  [{ keepAlive: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.keepAlive'],
  [{ keepAlive: null }, 'ERR_INVALID_ARG_TYPE', 'options.keepAlive'],
  [{ keepAlive: { idleMs: 999 } }, 'ERR_OUT_OF_RANGE', 'options.keepAlive.idleMs'],
  [{ keepAlive: { intervalMs: 1e9 } }, 'ERR_OUT_OF_RANGE', 'options.keepAlive.intervalMs'],
  [{ keepAlive: { count: 0 } }, 'ERR_OUT_OF_RANGE', 'options.keepAlive.count'],
  [{ keepAlive: { count: '3' } }, 'ERR_INVALID_ARG_TYPE', 'options.keepAlive.count'],
  [{ userTimeoutMs: -1 }, 'ERR_OUT_OF_RANGE', 'options.userTimeoutMs'],
  [{ receiveBufferBytes: 0 }, 'ERR_OUT_OF_RANGE', 'options.receiveBufferBytes'],
  [{ sendBufferBytes: 1.5 }, 'ERR_OUT_OF_RANGE', 'options.sendBufferBytes'],
  [{ socketOptions: [] }, 'ERR_INVALID_ARG_TYPE', 'options.socketOptions'],
  [{ socketOptions: { speed: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.socketOptions.speed'],
  [{ socketOptions: { ttl: 256 } }, 'ERR_OUT_OF_RANGE', 'options.socketOptions.ttl'],
  [{ idleMs: -1 }, 'ERR_OUT_OF_RANGE', 'options.idleMs'],
  [{ idleMs: '5' }, 'ERR_INVALID_ARG_TYPE', 'options.idleMs'],
  [{ slotsMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.slotsMax'],
  [{ lend: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.lend'],
  [{ allowHalfOpen: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.allowHalfOpen'],
  [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE', 'options.highWaterMark'],
  [{ highWaterMark: 10, lowWaterMark: 10 }, 'ERR_OUT_OF_RANGE', 'options.lowWaterMark'],
  [{ bufferedBytesMax: 1 }, 'ERR_OUT_OF_RANGE', 'options.bufferedBytesMax'],
  [{ overflow: 'drop' }, 'ERR_INVALID_ARG_VALUE', 'options.overflow'],
  [{ completionPort: {} }, 'ERR_INVALID_ARG_TYPE', 'options.completionPort'],
];

const listenCases: readonly Case[] = [
  [null, 'ERR_INVALID_ARG_TYPE', 'options'],
  ['8080', 'ERR_INVALID_ARG_TYPE', 'options'],
  [{ port: -1 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 1.5 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: Number.NaN }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 'http' }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: null }, 'ERR_INVALID_ARG_TYPE', 'options.port'],
  [{ port: true }, 'ERR_INVALID_ARG_TYPE', 'options.port'],
  [{ host: '' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ host: 7 }, 'ERR_INVALID_ARG_TYPE', 'options.host'],
  [{ host: 'a b' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ host: 'http://example.com' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ path: '' }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
  [{ path: 7 }, 'ERR_INVALID_ARG_TYPE', 'options.path'],
  [{ path: '/run/a\0b' }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
  [{ path: `/run/${'x'.repeat(108)}` }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
  [{ path: '/run/x', port: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.port'],
  [{ path: '/run/x', host: '::' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ ipv6Only: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.ipv6Only'],
  [{ reusePort: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.reusePort'],
  [{ backlog: 0 }, 'ERR_OUT_OF_RANGE', 'options.backlog'],
  [{ connectionsMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.connectionsMax'],
  [{ connectionsMax: '3' }, 'ERR_INVALID_ARG_TYPE', 'options.connectionsMax'],
  [{ connectionsPolicy: 'kill' }, 'ERR_INVALID_ARG_VALUE', 'options.connectionsPolicy'],
  [{ acceptQueueMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.acceptQueueMax'],
  [{ layers: {} }, 'ERR_INVALID_ARG_TYPE', 'options.layers'],
  [{ layers: [{ name: 'x' }] }, 'ERR_INVALID_ARG_TYPE', 'options.layers[0]'],
  [{ layers: [null] }, 'ERR_INVALID_ARG_TYPE', 'options.layers[0]'],
  [{ handshakeTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE', 'options.handshakeTimeoutMs'],
  [{ handshakesMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.handshakesMax'],
  ...shared,
];

const connectCases: readonly Case[] = [
  [undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
  [{}, 'ERR_INVALID_ARG_TYPE', 'options.port'],
  [{ port: 0 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 'x' }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ host: '', port: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ host: {}, port: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.host'],
  [{ port: 1, family: 5 }, 'ERR_INVALID_ARG_VALUE', 'options.family'],
  [{ host: '::1', port: 1, family: 4 }, 'ERR_INVALID_ARG_VALUE', 'options.family'],
  [{ port: 1, lookup: 'dns' }, 'ERR_INVALID_ARG_TYPE', 'options.lookup'],
  [{ port: 1, localAddress: 5 }, 'ERR_INVALID_ARG_TYPE', 'options.localAddress'],
  [{ port: 1, localAddress: 'localhost' }, 'ERR_INVALID_ARG_VALUE', 'options.localAddress'],
  [{ host: '127.0.0.1', port: 1, localAddress: '::1' }, 'ERR_INVALID_ARG_VALUE', 'options.localAddress'],
  [{ port: 1, localPort: 70_000 }, 'ERR_SOCKET_BAD_PORT', 'options.localPort'],
  [{ port: 1, attemptDelayMs: 9 }, 'ERR_OUT_OF_RANGE', 'options.attemptDelayMs'],
  [{ port: 1, attemptDelayMs: 5001 }, 'ERR_OUT_OF_RANGE', 'options.attemptDelayMs'],
  [{ port: 1, timeoutMs: -1 }, 'ERR_OUT_OF_RANGE', 'options.timeoutMs'],
  [{ port: 1, timeoutMs: 'soon' }, 'ERR_INVALID_ARG_TYPE', 'options.timeoutMs'],
  [{ port: 1, signal: {} }, 'ERR_INVALID_ARG_TYPE', 'options.signal'],
  [{ path: '/x', port: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.port'],
  [{ path: '/x', host: 'localhost' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ path: '/x', localAddress: '127.0.0.1' }, 'ERR_INVALID_ARG_VALUE', 'options.localAddress'],
  [{ path: '' }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
  ...shared.map(
    ([options, code, named]): Case => [{ host: '127.0.0.1', port: 1, ...(options as object) }, code, named],
  ),
];

async function rejected(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error('did not reject');
    },
    (error: Error) => error,
  );
}

describe('bad arguments', () => {
  let port: CompletionPort;
  let listener: TcpListener;
  beforeAll(async () => {
    port = new CompletionPort({ backend: 'node' });
    listener = await listen({ host: '127.0.0.1', completionPort: port });
  });
  afterAll(async () => {
    await listener.close();
    // Nothing that was refused has left anything behind.
    expect(port.stats).toMatchObject({ operationsInFlight: 0, handlesOpen: 0 });
    await port.close();
  });

  test.each(listenCases)('listen(%o): %s naming %s', async (options, code, named) => {
    const withPort =
      options !== null && typeof options === 'object' ? { completionPort: port, ...options } : options;
    const error = await rejected(listen(withPort as object));
    expect(error.code).toBe(code);
    expect(error.message).toContain(named);
  });

  test.each(connectCases)('connect(%o): %s naming %s', async (options, code, named) => {
    const withPort =
      options !== null && typeof options === 'object' ? { completionPort: port, ...options } : options;
    const error = await rejected(connect(withPort as object));
    expect(error.code).toBe(code);
    expect(error.message).toContain(named);
  });

  test.each(['open', 'data', 'end', 'drain', 'close', 'error', 'idle', 'drop', 'handshakeError'])(
    'a handler %s that is no function',
    async (name) => {
      const handlers = { [name]: 'x' };
      const error = await rejected(listen({ completionPort: port, host: '127.0.0.1' }, handlers as object));
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
      expect(error.message).toContain(`handlers.${name}`);
    },
  );

  test.each([
    [5, 'handlers'],
    [null, 'handlers'],
  ])('handlers %o', async (handlers, named) => {
    const refused = await rejected(connect({ port: 1, completionPort: port }, handlers as unknown as object));
    expect(refused).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(refused.message).toContain(named);
  });

  test('close({ graceMs })', async () => {
    for (const graceMs of [-1, 1.5, Number.NaN]) {
      expect(await rejected(listener.close({ graceMs }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    }
    expect((await rejected(listener.close({ graceMs: 'x' as unknown as number }))).message).toContain(
      'options.graceMs',
    );
    expect(await rejected(listener.close(5 as unknown as object))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    expect(listener.closed).toBe(false);
  });

  test('accept({ signal })', async () => {
    const error = await rejected(listener.accept({ signal: {} as AbortSignal }));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => listener.attachTo(undefined as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test('a port as a string is taken, as in Node', async () => {
    const again = await listen({ host: '127.0.0.1', port: '0' as unknown as number, completionPort: port });
    expect(again.address().port).toBeGreaterThan(0);
    await again.close();
  });
});
