import { CompletionPort } from '@iocp/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bind, connect, type UdpSocket } from '../src/index.js';
import { testPool, thrownCode } from './support.js';

type Case = readonly [options: object | undefined | null | string, code: string, named: string];

const shared: readonly Case[] = [
  [{ ipv6Only: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.ipv6Only'],
  [{ reuseAddress: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.reuseAddress'],
  [{ reusePort: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.reusePort'],
  [{ broadcast: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.broadcast'],
  [{ receiveBuffer: 0 }, 'ERR_OUT_OF_RANGE', 'options.receiveBuffer'],
  [{ sendBuffer: 1.5 }, 'ERR_OUT_OF_RANGE', 'options.sendBuffer'],
  [{ tos: 256 }, 'ERR_OUT_OF_RANGE', 'options.tos'],
  [{ ttl: 0 }, 'ERR_OUT_OF_RANGE', 'options.ttl'],
  [{ multicastTtl: 256 }, 'ERR_OUT_OF_RANGE', 'options.multicastTtl'],
  [{ multicastLoop: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.multicastLoop'],
  [{ multicastInterface: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.multicastInterface'],
  [{ receiveInfo: true }, 'ERR_INVALID_ARG_TYPE', 'options.receiveInfo'],
  [{ receiveInfo: { destination: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.receiveInfo.destination'],
  [{ receiveInfo: { tos: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.receiveInfo.tos'],
  [{ receiveInfo: { ttl: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.receiveInfo.ttl'],
  [{ icmpErrors: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.icmpErrors'],
  [{ offload: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.offload'],
  [{ receiveOffload: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.receiveOffload'],
  [{ signal: {} }, 'ERR_INVALID_ARG_TYPE', 'options.signal'],
  [{ lookup: 'dns' }, 'ERR_INVALID_ARG_TYPE', 'options.lookup'],
  [{ lend: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.lend'],
  [{ receiveQueueMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.receiveQueueMax'],
  [{ queuedDatagramsMax: 0 }, 'ERR_OUT_OF_RANGE', 'options.queuedDatagramsMax'],
  [{ queuedBytesMax: '1' }, 'ERR_INVALID_ARG_TYPE', 'options.queuedBytesMax'],
  [{ overflow: 'abort' }, 'ERR_INVALID_ARG_VALUE', 'options.overflow'],
  [{ socketOptions: [] }, 'ERR_INVALID_ARG_TYPE', 'options.socketOptions'],
  [{ socketOptions: { speed: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.socketOptions.speed'],
  [{ completionPort: {} }, 'ERR_INVALID_ARG_TYPE', 'options.completionPort'],
  [{ host: '' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
  [{ host: 7 }, 'ERR_INVALID_ARG_TYPE', 'options.host'],
  [{ host: 'udp://a' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
];

const bindCases: readonly Case[] = [
  [null, 'ERR_INVALID_ARG_TYPE', 'options'],
  ['53', 'ERR_INVALID_ARG_TYPE', 'options'],
  [{ port: -1 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 'domain' }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: null }, 'ERR_INVALID_ARG_TYPE', 'options.port'],
  ...shared,
];

const connectCases: readonly Case[] = [
  [undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
  [{}, 'ERR_INVALID_ARG_TYPE', 'options.port'],
  [{ port: 0 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
  [{ port: 1, localHost: 5 }, 'ERR_INVALID_ARG_TYPE', 'options.localHost'],
  [{ port: 1, localHost: 'localhost' }, 'ERR_INVALID_ARG_VALUE', 'options.localHost'],
  [{ host: '127.0.0.1', port: 1, localHost: '::1' }, 'ERR_INVALID_ARG_VALUE', 'options.localHost'],
  [{ port: 1, localPort: 70_000 }, 'ERR_SOCKET_BAD_PORT', 'options.localPort'],
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
  let socket: UdpSocket;
  const to = { address: '127.0.0.1', port: 9 };

  beforeAll(async () => {
    port = new CompletionPort({ backend: 'node', pool: testPool });
    socket = await bind({ host: '127.0.0.1', completionPort: port });
  });
  afterAll(async () => {
    await socket.close();
    // Nothing that was refused has left anything behind.
    expect(socket.stats).toMatchObject({ sent: 0, queued: 0, sendErrors: 0 });
    expect(port.stats).toMatchObject({ operationsInFlight: 0, handlesOpen: 0 });
    await port.close();
  });

  const withPort = (options: unknown) =>
    options !== null && typeof options === 'object' ? { completionPort: port, ...options } : options;

  test.each(bindCases)('bind(%o): %s naming %s', async (options, code, named) => {
    const error = await rejected(bind(withPort(options) as object));
    expect(error.code).toBe(code);
    expect(error.message).toContain(named);
  });

  test.each(connectCases)('connect(%o): %s naming %s', async (options, code, named) => {
    const error = await rejected(connect(withPort(options) as never));
    expect(error.code).toBe(code);
    expect(error.message).toContain(named);
  });

  test.each(['messages', 'drain', 'error', 'close'])('a handler %s that is no function', async (name) => {
    const handlers = { [name]: 'x' } as object;
    const error = await rejected(bind({ completionPort: port }, handlers));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(error.message).toContain(`handlers.${name}`);
    expect((await rejected(connect({ port: 1, completionPort: port }, handlers))).message).toContain(name);
  });

  test('receive offload needs slots that hold what the system joins', async () => {
    const small = new CompletionPort({ backend: 'node', pool: { slotBytes: 65_536, maxSlots: 16 } });
    const error = await rejected(bind({ completionPort: small, receiveOffload: true }));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(error.message).toContain('slotBytes');
    await small.close();
  });

  test.each([
    ['no data', () => socket.send(undefined as never, to), 'ERR_INVALID_ARG_TYPE'],
    ['a number as data', () => socket.send(5 as never, to), 'ERR_INVALID_ARG_TYPE'],
    ['a bad chunk', () => socket.send([new Uint8Array(), 'x'] as never, to), 'ERR_INVALID_ARG_TYPE'],
    ['no address', () => socket.send('x'), 'ERR_SOCKET_DGRAM_NOT_CONNECTED'],
    ['a string as address', () => socket.send('x', '127.0.0.1' as never), 'ERR_INVALID_ARG_TYPE'],
    ['a name', () => socket.send('x', { address: 'localhost', port: 1 }), 'ERR_INVALID_ARG_VALUE'],
    ['a bad port', () => socket.send('x', { ...to, port: 70_000 }), 'ERR_SOCKET_BAD_PORT'],
    ['no port', () => socket.send('x', { address: '::1' } as never), 'ERR_INVALID_ARG_TYPE'],
    ['options that are none', () => socket.send('x', to, 5 as never), 'ERR_INVALID_ARG_TYPE'],
    ['tos', () => socket.send('x', to, { tos: 256 }), 'ERR_OUT_OF_RANGE'],
    ['ttl', () => socket.send('x', to, { ttl: 0 }), 'ERR_OUT_OF_RANGE'],
    ['source', () => socket.send('x', to, { source: '::1' as never }), 'ERR_INVALID_ARG_TYPE'],
    ['interface', () => socket.send('x', to, { interfaceIndex: -1 }), 'ERR_OUT_OF_RANGE'],
    ['done', () => socket.send('x', to, { done: 5 as never }), 'ERR_INVALID_ARG_TYPE'],
    ['done with others', () => socket.send('x', to, { ttl: 5, done: 'x' as never }), 'ERR_INVALID_ARG_TYPE'],
  ])('send with %s', (_, send, code) => {
    expect(thrownCode(send)).toBe(code);
  });

  test('what waits takes a signal', async () => {
    const options = { signal: {} as AbortSignal };
    expect(await rejected(socket.receive(options))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(thrownCode(() => socket.batches(options))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await rejected(socket.whenDrained(options))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(await rejected(socket.lookup('localhost', 1, options))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });

  test('lookup, multicast, options', async () => {
    expect(await rejected(socket.lookup('', 1))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(await rejected(socket.lookup('localhost', -1))).toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
    expect(thrownCode(() => socket.addMembership('group'))).toBe('ERR_INVALID_ARG_VALUE');
    expect(thrownCode(() => socket.addMembership('224.0.0.251', 1 as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(thrownCode(() => socket.addSourceSpecificMembership('::1', '232.0.0.1'))).toBe(
      'ERR_INVALID_ARG_VALUE',
    );
    expect(thrownCode(() => socket.setOption('ttl', 0))).toBe('ERR_OUT_OF_RANGE');
    expect(thrownCode(() => socket.getOption('speed' as never))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await rejected(socket.connectTo({ address: 'localhost', port: 1 }))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    expect(await rejected(socket.disconnect())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
    expect(thrownCode(() => socket.handle({}, { lend: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('a port as a string is taken, as in Node', async () => {
    const again = await bind({ host: '127.0.0.1', port: '0' as unknown as number, completionPort: port });
    expect(again.address().port).toBeGreaterThan(0);
    await again.close();
  });
});
