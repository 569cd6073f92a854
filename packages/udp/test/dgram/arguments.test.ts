/** How wrong arguments and wrong states are refused. */

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { noMemberCode } from '../../../../system.shared.js';
import { next, onEachModule, type Scene, type Socket, thrown } from './support.js';

/** Node's types forbid most of these calls. */
type Loose = Record<string, (...args: unknown[]) => unknown>;
const loose = (socket: Socket) => socket as unknown as Loose;

const refused = (kind: 'TypeError' | 'RangeError' | 'Error', code: string, syscall?: string) => ({
  kind,
  code,
  ...(syscall !== undefined && { syscall }),
});
const wrongType = refused('TypeError', 'ERR_INVALID_ARG_TYPE');
const badType = refused('TypeError', 'ERR_SOCKET_BAD_TYPE');
const badPort = refused('RangeError', 'ERR_SOCKET_BAD_PORT');
const outOfRange = refused('RangeError', 'ERR_OUT_OF_RANGE');
const outOfBounds = refused('RangeError', 'ERR_BUFFER_OUT_OF_BOUNDS');
const badSize = refused('TypeError', 'ERR_SOCKET_BAD_BUFFER_SIZE');
const notRunning = refused('Error', 'ERR_SOCKET_DGRAM_NOT_RUNNING');
const notConnected = refused('Error', 'ERR_SOCKET_DGRAM_NOT_CONNECTED');
const isConnected = refused('Error', 'ERR_SOCKET_DGRAM_IS_CONNECTED');
const noDescriptor = (syscall: string) => refused('Error', 'EBADF', syscall);
const noBufferSize = (syscall: string) => refused('Error', 'ERR_SOCKET_BUFFER_SIZE', syscall);
const invalid = (syscall: string) => refused('Error', 'EINVAL', syscall);

const creations = [
  [null, badType],
  ['udp5', badType],
  [{}, badType],
  [{ type: 'tcp' }, badType],
  [{ type: 'udp4', recvBufferSize: 'x' }, wrongType],
  [{ type: 'udp4', recvBufferSize: -1 }, outOfRange],
  [{ type: 'udp4', sendBufferSize: 1.5 }, outOfRange],
  [{ type: 'udp4', lookup: 1 }, wrongType],
  [{ type: 'udp4', signal: 1 }, wrongType],
  [{ type: 'udp4', signal: null }, wrongType],
] as const;

type Call = readonly [method: string, args: readonly unknown[], refusal: unknown];

const whenUnbound: readonly Call[] = [
  ['address', [], noDescriptor('getsockname')],
  ['remoteAddress', [], notConnected],
  ['disconnect', [], notConnected],
  ['setBroadcast', [true], noDescriptor('setBroadcast')],
  ['setTTL', [1], noDescriptor('setTTL')],
  ['setTTL', ['1'], wrongType],
  ['setMulticastTTL', [1], noDescriptor('setMulticastTTL')],
  ['setMulticastTTL', [], wrongType],
  ['setMulticastLoopback', [true], noDescriptor('setMulticastLoopback')],
  ['setMulticastInterface', ['127.0.0.1'], noDescriptor('setMulticastInterface')],
  ['setMulticastInterface', [5], wrongType],
  ['getRecvBufferSize', [], noBufferSize('uv_recv_buffer_size')],
  ['getSendBufferSize', [], noBufferSize('uv_send_buffer_size')],
  ['setRecvBufferSize', [1024], noBufferSize('uv_recv_buffer_size')],
  ['setRecvBufferSize', [-1], badSize],
  ['addMembership', [], refused('TypeError', 'ERR_MISSING_ARGS')],
  ['dropMembership', [''], refused('TypeError', 'ERR_MISSING_ARGS')],
  ['addMembership', ['nonsense'], invalid('addMembership')],
  ['addSourceSpecificMembership', [1, '232.1.1.1'], wrongType],
  ['addSourceSpecificMembership', ['127.0.0.1'], wrongType],
  ['dropSourceSpecificMembership', ['127.0.0.1', 1], wrongType],
  ['bind', [0, 5], wrongType],
  ['connect', [], badPort],
  ['connect', [0], badPort],
  ['connect', [65_536], badPort],
  ['connect', [1.5], badPort],
  ['connect', ['x'], badPort],
  ['connect', [1, 5], wrongType],
  ['send', [], wrongType],
  ['send', [5, 1], wrongType],
  ['send', [[5], 1], wrongType],
  ['send', ['x'], badPort],
  ['send', ['x', 0], badPort],
  ['send', ['x', 70_000], badPort],
  ['send', ['x', 'y'], badPort],
  ['send', ['x', 1, 5], wrongType],
  ['send', ['x', 0, 5, 1], outOfBounds],
  ['send', ['x', 2, 0, 1], outOfBounds],
  ['send', [['x'], 0, 1, 1], wrongType],
];

const whenBound: readonly Call[] = [
  ['bind', [], refused('Error', 'ERR_SOCKET_ALREADY_BOUND')],
  ['setTTL', [0], invalid('setTTL')],
  ['setTTL', [256], invalid('setTTL')],
  ['setMulticastTTL', [-1], invalid('setMulticastTTL')],
  ['setMulticastTTL', [256], invalid('setMulticastTTL')],
  ['setMulticastInterface', ['nonsense'], invalid('setMulticastInterface')],
  ['setMulticastInterface', [''], invalid('setMulticastInterface')],
  ['setMulticastInterface', [true], wrongType],
  ['addMembership', ['nonsense'], invalid('addMembership')],
  ['addMembership', ['192.0.2.1'], invalid('addMembership')],
  ['addMembership', ['224.0.0.114', 'nonsense'], invalid('addMembership')],
  ['addMembership', ['ff02::1'], refused('Error', 'ENOPROTOOPT', 'addMembership')],
  ['dropMembership', ['224.0.0.115'], refused('Error', noMemberCode, 'dropMembership')],
  ['addSourceSpecificMembership', ['nonsense', '232.1.1.1'], invalid('addSourceSpecificMembership')],
  ['addSourceSpecificMembership', ['::1', '232.1.1.1'], invalid('addSourceSpecificMembership')],
  ['setRecvBufferSize', ['x'], badSize],
  ['setSendBufferSize', [1.5], badSize],
  ['setRecvBufferSize', [0xffffffff], noBufferSize('uv_recv_buffer_size')],
  ['disconnect', [], notConnected],
  ['remoteAddress', [], notConnected],
];

const whenConnected: readonly Call[] = [
  ['connect', [1], isConnected],
  ['send', ['x', 0, 1, 5], isConnected],
  ['send', ['x', 0, 1, 5, '127.0.0.1'], isConnected],
  ['send', ['x', 1, 2, undefined, '127.0.0.1'], outOfBounds],
  ['send', [5], wrongType],
];

const whenClosed: readonly Call[] = [
  ['address', [], notRunning],
  ['remoteAddress', [], notRunning],
  ['bind', [], notRunning],
  ['send', ['x', 1], notRunning],
  ['close', [], notRunning],
  ['setMulticastInterface', ['127.0.0.1'], notRunning],
  ['addMembership', ['224.0.0.114'], notRunning],
  ['dropMembership', ['224.0.0.114'], notRunning],
  ['addSourceSpecificMembership', ['127.0.0.1', '232.1.1.1'], notRunning],
  ['dropSourceSpecificMembership', ['127.0.0.1', '232.1.1.1'], notRunning],
  ['disconnect', [], notConnected],
];

function refuses(calls: readonly Call[], open: () => Promise<Socket>): void {
  test.each(calls)('%s(%j)', async (method, args, refusal) => {
    const socket = await open();
    expect(thrown(() => loose(socket)[method]?.(...args))).toEqual(refusal);
  });
}

async function connected(scene: Scene): Promise<Socket> {
  const socket = await scene.bound();
  socket.connect(socket.address().port, '127.0.0.1');
  await next(socket, 'connect');
  return socket;
}

async function closed(scene: Scene): Promise<Socket> {
  const socket = await scene.bound();
  socket.close();
  await once(socket, 'close');
  return socket;
}

onEachModule('refusals', (scene) => {
  test.each(creations)('createSocket(%j)', (options, refusal) => {
    expect(thrown(() => scene.create(options))).toEqual(refusal);
  });

  describe('of a socket that is not bound', () => refuses(whenUnbound, async () => scene.create()));
  describe('of a bound socket', () => refuses(whenBound, () => scene.bound()));
  describe('of a connected socket', () => refuses(whenConnected, () => connected(scene)));
  describe('of a closed socket', () => refuses(whenClosed, () => closed(scene)));

  test('tell what the system said of a buffer', () => {
    const socket = scene.create();
    let info: unknown;
    try {
      socket.getSendBufferSize();
    } catch (error) {
      info = (error as { info?: unknown }).info;
    }
    expect(info).toMatchObject({ code: 'EBADF', syscall: 'uv_send_buffer_size' });
  });

  test('ref and unref of a closed socket do nothing', async () => {
    const socket = await closed(scene);
    expect(socket.ref()).toBe(socket);
    expect(socket.unref()).toBe(socket);
  });
});
