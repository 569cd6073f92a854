import { describe, expect, test } from 'vitest';
import type { NativeDatagramOptions, NativePortOptions } from '../../src/port/binding.js';
import { CompletionPort } from '../../src/port/completion-port.js';
import { DatagramList } from '../../src/port/datagram-list.js';
import type { Socket } from '../../src/port/socket.js';
import { bindingOf, LoopbackDevice, nativeError } from './loopback-device.js';

/** Remembers what it is asked for. */
class DatagramDevice extends LoopbackDevice {
  static opened: NativeDatagramOptions[] = [];
  static asked: unknown[] = [];
  /** What the next call throws. */
  static error: Error | undefined;
  static withoutIpv6 = false;

  constructor(options: NativePortOptions) {
    super(options);
    Object.assign(DatagramDevice, { opened: [], asked: [], error: undefined, withoutIpv6: false });
  }

  override openDatagram(options?: NativeDatagramOptions) {
    if (options === undefined) throw new Error('there are no options');
    DatagramDevice.opened.push(options);
    if (DatagramDevice.withoutIpv6 && options.family === 'ipv6') throw nativeError(97, 'socket');
    this.#mayFail();
    return { index: 1, generation: 1 };
  }

  override connectDatagram(...remote: unknown[]): void {
    this.#mayFail();
    DatagramDevice.asked.push(remote.at(-1));
  }

  override changeMembership(...membership: unknown[]): void {
    this.#mayFail();
    DatagramDevice.asked.push(membership.at(-1));
  }

  override takeDatagramError() {
    return DatagramDevice.asked.shift() as ReturnType<LoopbackDevice['takeDatagramError']>;
  }

  override droppedDatagrams(): number {
    return DatagramDevice.asked.shift() as number;
  }

  #mayFail(): void {
    const { error } = DatagramDevice;
    DatagramDevice.error = undefined;
    if (error !== undefined) throw error;
  }
}

function openPort(): CompletionPort {
  return new CompletionPort({ pool: { maxSlots: 8, minSlots: 1 } }, bindingOf(DatagramDevice));
}

async function openSocket(): Promise<Socket> {
  return openPort().openDatagram({ local: { host: '127.0.0.1', port: 0 } });
}

describe('openDatagram', () => {
  const any = { host: '::', port: 0 };
  const defaults = { ipv6Only: false, reuseAddress: false, reusePort: false, options: {} };
  const remote4 = { host: '192.0.2.1', port: 53 };
  const remote6 = { host: '2001:db8::1', port: 53 };

  test.each([
    [undefined, { family: 'ipv6', local: any, ...defaults }],
    [{ ipv6Only: true }, { family: 'ipv6', local: any, ...defaults, ipv6Only: true }],
    [
      { remote: remote4 },
      { family: 'ipv4', local: { host: '0.0.0.0', port: 0 }, remote: remote4, ...defaults },
    ],
    [{ remote: remote6 }, { family: 'ipv6', local: any, remote: remote6, ...defaults }],
    [
      {
        local: { host: '127.0.0.1', port: 5 },
        reuseAddress: true,
        reusePort: true,
        options: { broadcast: true, multicastTtl: 0, multicastInterface: 'eth0', ttl: undefined },
      },
      {
        family: 'ipv4',
        local: { host: '127.0.0.1', port: 5 },
        ipv6Only: false,
        reuseAddress: true,
        reusePort: true,
        options: { broadcast: 1, multicastTtl: 0, multicastInterface: 'eth0' },
      },
    ],
  ])('%j is asked for in full', async (options, expected) => {
    await openPort().openDatagram(options as never);
    expect(DatagramDevice.opened).toEqual([expected]);
  });

  test('without IPv6, anywhere means IPv4', async () => {
    const port = openPort();
    DatagramDevice.withoutIpv6 = true;
    await port.openDatagram();
    await port.openDatagram({ local: { port: 53 } });
    expect(DatagramDevice.opened.map(({ family, local }) => [family, local])).toEqual([
      ['ipv6', { host: '::', port: 0 }],
      ['ipv4', { host: '0.0.0.0', port: 0 }],
      ['ipv6', { host: '::', port: 53 }],
      ['ipv4', { host: '0.0.0.0', port: 53 }],
    ]);
    for (const options of [{ ipv6Only: true }, { local: any }, { remote: remote6 }]) {
      await expect(port.openDatagram(options)).rejects.toMatchObject({ code: 'EAFNOSUPPORT' });
    }
  });

  test.each([
    [null, 'ERR_INVALID_ARG_TYPE', 'options'],
    [{ local: '::' }, 'ERR_INVALID_ARG_TYPE', 'options.local'],
    [{ local: { host: 'localhost', port: 0 } }, 'ERR_INVALID_ARG_VALUE', 'options.local.host'],
    [{ local: { host: '::', port: -1 } }, 'ERR_SOCKET_BAD_PORT', 'options.local.port'],
    [{ local: { host: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.local.host'],
    [{ remote: null }, 'ERR_INVALID_ARG_TYPE', 'options.remote'],
    [{ remote: { host: 'example.org', port: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.remote.host'],
    [{ remote: { host: '::1', port: 0 } }, 'ERR_SOCKET_BAD_PORT', 'options.remote.port'],
    [{ local: any, remote: remote4 }, 'ERR_INVALID_ARG_VALUE', 'options.local.host'],
    [{ ipv6Only: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.ipv6Only'],
    [{ reuseAddress: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.reuseAddress'],
    [{ reusePort: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.reusePort'],
    [{ options: { multicastTtl: 256 } }, 'ERR_OUT_OF_RANGE', 'options.options.multicastTtl'],
    [{ options: { multicastInterface: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.options.multicastInterface'],
    [{ options: { receiveTos: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.options.receiveTos'],
    [{ options: { busyPoll: -1 } }, 'ERR_OUT_OF_RANGE', 'options.options.busyPoll'],
  ])('%j is refused', async (options, code, name) => {
    await expect(openPort().openDatagram(options as never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(name),
    });
    expect(DatagramDevice.opened).toEqual([]);
  });

  test('errors name the address they are about', async () => {
    const port = openPort();
    const options = { local: { host: '127.0.0.1', port: 80 }, remote: remote4 };
    DatagramDevice.error = nativeError(98, 'bind');
    await expect(port.openDatagram(options)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: '127.0.0.1',
      port: 80,
    });
    DatagramDevice.error = nativeError(101, 'connect');
    await expect(port.openDatagram(options)).rejects.toMatchObject({
      code: 'ENETUNREACH',
      syscall: 'connect',
      address: '192.0.2.1',
      port: 53,
    });
  });

  test('a port that is closed, or closes meanwhile, opens nothing', async () => {
    const port = openPort();
    const opening = port.openDatagram();
    const closing = port.close();
    const closed = { code: 'ERR_IOCP_PORT_CLOSED' };
    await expect(opening).rejects.toMatchObject(closed);
    await closing;
    await expect(port.openDatagram()).rejects.toMatchObject(closed);
  });
});

describe('connectTo', () => {
  test('passes the address, or null', async () => {
    const socket = await openSocket();
    await socket.connectTo({ host: '127.0.0.1', port: 9 });
    await socket.connectTo(null);
    expect(DatagramDevice.asked).toEqual([{ host: '127.0.0.1', port: 9 }, null]);
    await socket.port.close();
  });

  test('checks the address and names it in errors', async () => {
    const socket = await openSocket();
    await expect(socket.connectTo({ host: 'localhost', port: 9 })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    await expect(socket.connectTo({ host: '::1', port: 0 })).rejects.toMatchObject({
      code: 'ERR_SOCKET_BAD_PORT',
    });
    await expect(socket.connectTo(undefined as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    DatagramDevice.error = nativeError(97, 'connect');
    await expect(socket.connectTo({ host: '::1', port: 9 })).rejects.toMatchObject({
      code: 'EAFNOSUPPORT',
      syscall: 'connect',
      address: '::1',
      port: 9,
    });
    await socket.port.close();
    await expect(socket.connectTo(null)).rejects.toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
  });
});

describe('changeMembership', () => {
  test('passes what is given', async () => {
    const socket = await openSocket();
    socket.changeMembership({ action: 'join', group: '239.1.1.1', source: undefined });
    socket.changeMembership({ action: 'leave', group: 'ff3e::1', source: '::1', interface: 'eth0' });
    expect(DatagramDevice.asked).toEqual([
      { action: 'join', group: '239.1.1.1' },
      { action: 'leave', group: 'ff3e::1', source: '::1', interface: 'eth0' },
    ]);
    DatagramDevice.error = nativeError(19, 'setsockopt');
    expect(() => socket.changeMembership({ action: 'join', group: '239.1.1.1' })).toThrow(
      expect.objectContaining({ code: 'ENODEV', syscall: 'setsockopt', address: '239.1.1.1' }),
    );
    await socket.port.close();
  });

  test.each([
    [undefined, 'ERR_INVALID_ARG_TYPE', 'membership'],
    [{ action: 'add', group: '239.1.1.1' }, 'ERR_INVALID_ARG_VALUE', 'membership.action'],
    [{ action: 'join', group: 'all' }, 'ERR_INVALID_ARG_VALUE', 'membership.group'],
    [{ action: 'join' }, 'ERR_INVALID_ARG_TYPE', 'membership.group'],
    [{ action: 'join', group: '239.1.1.1', source: '::1' }, 'ERR_INVALID_ARG_VALUE', 'membership.source'],
    [{ action: 'join', group: '239.1.1.1', source: 'x' }, 'ERR_INVALID_ARG_VALUE', 'membership.source'],
    [{ action: 'join', group: '239.1.1.1', interface: 1 }, 'ERR_INVALID_ARG_TYPE', 'membership.interface'],
  ])('%j is refused', async (membership, code, name) => {
    const socket = await openSocket();
    expect(() => socket.changeMembership(membership as never)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(name) }),
    );
    expect(DatagramDevice.asked).toEqual([]);
    await socket.port.close();
  });
});

test('what the network has answered is an error with the address, and who answered', async () => {
  const socket = await openSocket();
  const answer = { errno: 113, address: '192.0.2.1', port: 53 };
  DatagramDevice.asked = [
    answer,
    { ...answer, offender: '198.51.100.7' },
    { ...answer, offender: '192.0.2.1' },
    null,
  ];
  expect(socket.takeDatagramError()).toMatchObject({
    message: 'send EHOSTUNREACH 192.0.2.1:53: host is unreachable',
    code: 'EHOSTUNREACH',
    errno: -113,
    syscall: 'send',
    address: '192.0.2.1',
    port: 53,
  });
  expect(socket.takeDatagramError()?.message).toBe(
    'send EHOSTUNREACH 192.0.2.1:53: host is unreachable (answered by 198.51.100.7)',
  );
  expect(socket.takeDatagramError()?.message).toBe('send EHOSTUNREACH 192.0.2.1:53: host is unreachable');
  expect(socket.takeDatagramError()).toBeNull();
  await socket.port.close();
});

test('dropped datagrams are a count, or unknown', async () => {
  const socket = await openSocket();
  DatagramDevice.asked = [0, 7, -1];
  expect([socket.droppedDatagrams(), socket.droppedDatagrams(), socket.droppedDatagrams()]).toEqual([
    0,
    7,
    undefined,
  ]);
  await socket.port.close();
});

test('an empty list and a socket of another port are refused', async () => {
  const [socket, stranger] = [await openSocket(), await openSocket()];
  const { port } = socket;
  const handler = { asyncResource: null, onCompletion() {} };
  const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
  const list = new DatagramList(port);
  expect(() => port.submitSendTo(socket, list, handler)).toThrow(refused);
  list.add(Buffer.from('x'), null);
  expect(() => port.submitSendTo(stranger, list, handler)).toThrow(refused);
  expect(() => port.submitRecvFrom(stranger, handler)).toThrow(refused);
  list.releaseAll();
  expect(port.stats).toMatchObject({ operationsInFlight: 0 });
  await Promise.all([port.close(), stranger.port.close()]);
});
