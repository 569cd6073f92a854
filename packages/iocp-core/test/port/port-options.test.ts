import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from 'vitest';
import type { NativeBinding, NativePortOptions } from '../../src/port/binding.js';
import { CompletionPort } from '../../src/port/completion-port.js';
import { ioError } from '../../src/port/io-error.js';
import type { PortOptions } from '../../src/port/port-options.js';
import { postTo } from '../../src/port/poster.js';
import { bindingOf, LoopbackDevice, loopbackBinding, nativeError } from './loopback-device.js';

const ports: CompletionPort[] = [];

function open(options?: unknown, binding: NativeBinding = loopbackBinding()): CompletionPort {
  const port = new CompletionPort(options as PortOptions, binding);
  ports.push(port);
  return port;
}

afterEach(async () => {
  delete process.env.IOCP_BACKEND;
  for (const port of ports.splice(0)) await port.close();
});

/** The options a driver is made with. */
function driverOptions(options: PortOptions): NativePortOptions {
  const binding = loopbackBinding();
  open(options, binding);
  return binding.device.options;
}

describe('options', () => {
  test('have defaults', () => {
    const options = driverOptions({});
    expect(options).toMatchObject({ backend: 'auto', entries: 1024, slotBytes: 32768, slots: 2048 });
    expect(options.pool.length).toBe(32768 * 2048 + 4096);
    expect('faults' in options).toBe(false);
  });

  test('choose the backend before the environment does', () => {
    process.env.IOCP_BACKEND = 'epoll';
    expect(driverOptions({}).backend).toBe('epoll');
    expect(driverOptions({ backend: 'io_uring' }).backend).toBe('io_uring');
    process.env.IOCP_BACKEND = '';
    expect(driverOptions({}).backend).toBe('auto');
  });

  test.each([
    [{ backend: 'kqueue' }, 'ERR_INVALID_ARG_VALUE', 'options.backend'],
    [{ entries: 0 }, 'ERR_OUT_OF_RANGE', 'options.entries'],
    [{ entries: '8' }, 'ERR_INVALID_ARG_TYPE', 'options.entries'],
    [{ debug: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.debug'],
    [{ pool: 5 }, 'ERR_INVALID_ARG_TYPE', 'options.pool'],
    [{ pool: { slotBytes: 5000 } }, 'ERR_INVALID_ARG_VALUE', 'options.pool.slotBytes'],
    [{ pool: { slotBytes: 2048 } }, 'ERR_OUT_OF_RANGE', 'options.pool.slotBytes'],
    [{ pool: { maxSlots: 32769 } }, 'ERR_OUT_OF_RANGE', 'options.pool.maxSlots'],
    [{ pool: { slotBytes: 1048576, maxSlots: 1025 } }, 'ERR_OUT_OF_RANGE', 'options.pool.maxSlots'],
    [{ pool: { minSlots: 10, maxSlots: 9 } }, 'ERR_OUT_OF_RANGE', 'options.pool.minSlots'],
    [{ pool: { minSlots: 0 } }, 'ERR_OUT_OF_RANGE', 'options.pool.minSlots'],
    [{ faults: true }, 'ERR_INVALID_ARG_TYPE', 'options.faults'],
    [null, 'ERR_INVALID_ARG_TYPE', 'options'],
  ])('%j is refused', (options, code, name) => {
    expect(() => open(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(name) }),
    );
  });

  test('a bad environment variable is named', () => {
    process.env.IOCP_BACKEND = 'uring';
    expect(() => open({})).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('IOCP_BACKEND'),
      }),
    );
  });
});

describe('backends', () => {
  const rejected = [
    {
      backend: 'io_uring',
      code: 'EPERM',
      reason: 'io_uring_setup is not permitted',
      hint: 'allow it in seccomp',
    },
  ];

  test('that do not work are named with reason and hint', () => {
    class Failing extends LoopbackDevice {
      constructor(options: NativePortOptions) {
        super(options);
        throw Object.assign(new Error('none'), { rejected });
      }
    }
    expect(() => open({ backend: 'io_uring' }, bindingOf(Failing))).toThrow(
      expect.objectContaining({
        code: 'ERR_IOCP_NO_BACKEND',
        message: expect.stringMatching(/'io_uring'.*\n.*EPERM.*not permitted.*allow it in seccomp/s),
      }),
    );
  });

  test('that were passed over are in info and on a channel', () => {
    const messages: unknown[] = [];
    const listener = (message: unknown) => messages.push(message);
    subscribe('iocp.port.fallback', listener);
    subscribe('iocp.port.open', listener);
    class Fallback extends LoopbackDevice {
      override readonly info = {
        backend: 'epoll',
        kernel: '1',
        features: [],
        rejected,
        poolBase: 64,
        entries: 0,
      };
    }
    const port = open({}, bindingOf(Fallback));
    unsubscribe('iocp.port.fallback', listener);
    unsubscribe('iocp.port.open', listener);
    expect(port.info).toMatchObject({ backend: 'epoll', rejected, pool: { slotBytes: 32768 } });
    expect(messages).toEqual([{ port }, { port, rejected }]);
  });
});

describe('sockets', () => {
  test.each([
    [{ host: 'localhost' }, 'ERR_INVALID_ARG_VALUE', 'options.host'],
    [{ port: 65536 }, 'ERR_SOCKET_BAD_PORT', 'options.port'],
    [{ path: '' }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
    [{ path: 'a\0b' }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
    [{ path: 'a', port: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.path'],
    [{ backlog: 0 }, 'ERR_OUT_OF_RANGE', 'options.backlog'],
    [{ reusePort: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.reusePort'],
    [{ options: { nodelay: true } }, 'ERR_INVALID_ARG_VALUE', 'options.options.nodelay'],
    [{ options: { noDelay: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.options.noDelay'],
    [{ options: { ttl: 256 } }, 'ERR_OUT_OF_RANGE', 'options.options.ttl'],
  ])('listen(%j) is refused', async (options, code, name) => {
    const port = open();
    await expect(port.listen(options as never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(name),
    });
  });

  test.each([
    [{}, 'ERR_INVALID_ARG_TYPE', 'options.remote'],
    [{ remote: { host: 'example.org', port: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.remote.host'],
    [{ remote: { host: '::1' } }, 'ERR_SOCKET_BAD_PORT', 'options.remote.port'],
    [
      { remote: { host: '::1', port: 1 }, local: { host: '127.0.0.1', port: 0 } },
      'ERR_INVALID_ARG_VALUE',
      'options.local.host',
    ],
    [{ remote: { path: 'x' }, local: { host: '::1', port: 0 } }, 'ERR_INVALID_ARG_VALUE', 'options.local'],
  ])('open(%j) is refused', (options, code, name) => {
    const port = open();
    expect(() => port.open(options as never)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(name) }),
    );
  });

  test('errors of the driver name the address', async () => {
    class Taken extends LoopbackDevice {
      override listen(): never {
        throw nativeError(98, 'bind');
      }
    }
    const port = open({}, bindingOf(Taken));
    await expect(port.listen({ host: '127.0.0.1', port: 80 })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      errno: -98,
      syscall: 'bind',
      address: '127.0.0.1',
      port: 80,
      message: expect.stringContaining('bind EADDRINUSE 127.0.0.1:80: '),
    });
  });

  test('without IPv6, listening anywhere means IPv4', async () => {
    const hosts: unknown[] = [];
    class OnlyIpv4 extends LoopbackDevice {
      override listen(options: Parameters<LoopbackDevice['listen']>[0]) {
        hosts.push(options.host);
        if (options.host === '::') throw nativeError(97, 'socket');
        return super.listen(options);
      }
    }
    const port = open({}, bindingOf(OnlyIpv4));
    await port.listen({});
    expect(hosts).toEqual(['::', '0.0.0.0']);
    await expect(port.listen({ host: '::' })).rejects.toMatchObject({ code: 'EAFNOSUPPORT' });
  });

  test('options are typed on their way out, and names are checked', async () => {
    const port = open();
    const socket = await port.listen({ host: '::1' });
    expect(socket.getOption('noDelay')).toBe(true);
    expect(socket.getOption('ttl')).toBe(1);
    expect(socket.getOption('congestion')).toBe('reno');
    expect(() => socket.getOption('toString' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => socket.setOption('ttl', 0)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => socket.setOption('ttl', 64)).toThrow(expect.objectContaining({ code: 'ENOPROTOOPT' }));
  });

  test('belong to one port', async () => {
    const socket = await open().listen({ host: '::1' });
    const handler = { asyncResource: null, onCompletion() {} };
    expect(() => open().submitAccept(socket, handler)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

describe('errors', () => {
  test('read as those of Node.js and say what to do', () => {
    expect(ioError(-111, 'connect', { address: '127.0.0.1', port: 80 })).toMatchObject({
      name: 'IoError',
      message: 'connect ECONNREFUSED 127.0.0.1:80: connection refused: nothing listens at that address',
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '127.0.0.1',
      port: 80,
    });
    expect(ioError(-2, 'connect', { address: '/run/x.sock' }).message).toMatch(
      /^connect ENOENT \/run\/x\.sock: /,
    );
    expect(ioError(-104, 'read').message).toMatch(/^read ECONNRESET: /);
    expect(ioError(-9999, 'read')).toMatchObject({ code: 'UNKNOWN', errno: -9999 });
  });

  test('posts are checked', () => {
    const port = open();
    const handler = { asyncResource: null, onCompletion() {} };
    expect(() => port.post(handler, 2 ** 31)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => port.post({} as never, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => postTo({ mailbox: 1 }, 1.5)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => postTo(null as never, 1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });
});
