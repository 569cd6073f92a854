/** Where ours differs from `node:dgram` on purpose, and what only ours has. */

import * as nodeDgram from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CompletionPort, type IoError } from '@iocp/core';
import { describe, expect, test } from 'vitest';
import {
  backendsUnderTest,
  isToldOfUnreachable,
  keepsPortWhenDisconnected,
  nodeHasReusePort,
  onWindows,
  refusesForeignAddresses,
} from '../../../../system.shared.js';
import dgram, { createSocket, Socket } from '../../src/dgram/index.js';
import { datagramPort } from '../../src/index.js';
import { deadlineMs, run, testPool } from '../support.js';
import { deadPort, factsOf, logOf, next, nextError, onOurs, sent, thrown } from './support.js';

const program = (name: string) => fileURLToPath(new URL(`../programs/${name}`, import.meta.url));

onOurs('differences', (scene) => {
  test('descriptors and handles are not taken over', () => {
    const socket = scene.create();
    const refusal = { kind: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' };
    expect(thrown(() => socket.bind({ fd: 5 }))).toEqual(refusal);
    expect(thrown(() => socket.bind({ recvStart() {} } as nodeDgram.BindOptions))).toEqual(refusal);
    // It is not bound, and can be.
    expect(socket.bind(0)).toBe(socket);
  });

  test('what was sent before close is sent', async () => {
    const receiver = await scene.bound();
    const { port } = receiver.address();
    const texts: string[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.on('message', (data) => {
        texts.push(data.toString());
        if (texts.length === 2) resolve();
      });
    });
    const bound = await scene.bound();
    const log = logOf(bound);
    bound.send('bound', port, '127.0.0.1', (error, bytes) => log.push(`sent ${error} ${bytes}`));
    bound.close();
    await next(bound, 'close');
    expect(log).toEqual(['sent null 5', 'close']);
    const unbound = scene.create();
    unbound.send('unbound', port, '127.0.0.1');
    unbound.close();
    await all;
    expect(texts).toEqual(['bound', 'unbound']);
  });

  test('joining a group binds, and bind is too late then', async () => {
    const socket = scene.create();
    socket.addMembership('239.255.67.84', '127.0.0.1');
    expect(thrown(() => socket.bind(0))).toMatchObject({ code: 'ERR_SOCKET_ALREADY_BOUND' });
    await next(socket, 'listening');
    expect(socket.address().address).toBe('0.0.0.0');
    socket.dropMembership('239.255.67.84', '127.0.0.1');
  });

  test('a group that cannot be joined is an error once it is bound', async () => {
    const socket = scene.create();
    socket.addMembership('239.255.67.84', '203.0.113.1');
    expect(await nextError(socket)).toMatchObject({ syscall: 'addMembership' });
  });

  test('a closed socket is said to be closed by all methods', async () => {
    const socket = await scene.bound();
    socket.close();
    await next(socket, 'close');
    const refusal = { kind: 'Error', code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' };
    expect(thrown(() => socket.setBroadcast(true))).toEqual(refusal);
    expect(thrown(() => socket.setTTL(1))).toEqual(refusal);
    expect(thrown(() => socket.getRecvBufferSize())).toEqual(refusal);
    expect(thrown(() => socket.getSendQueueSize())).toEqual(refusal);
    expect(thrown(() => socket.getSendQueueCount())).toEqual(refusal);
    expect(thrown(() => socket.connect(1))).toEqual(refusal);
  });

  test.runIf(keepsPortWhenDisconnected)('disconnecting keeps the port', async () => {
    const socket = await scene.bound();
    const { port } = socket.address();
    socket.connect(port, '127.0.0.1');
    await next(socket, 'connect');
    socket.disconnect();
    socket.send('x', port, '127.0.0.1');
    const [, from] = await next<[Buffer, { port: number }]>(socket, 'message');
    expect(from.port).toBe(port);
    expect(socket.address().port).toBe(port);
  });

  const told = test.runIf(isToldOfUnreachable(scene.backend));
  told('what the network answers is no error of another datagram', async () => {
    const port = await deadPort(scene);
    const socket = await scene.bound();
    socket.connect(port, '127.0.0.1');
    await next(socket, 'connect');
    const codes: unknown[] = [];
    socket.on('error', (error) => codes.push(factsOf(error)));
    for (let each = 0; each < 3; each++) {
      expect(await sent((callback) => socket.send('x', callback))).toEqual({ error: null, bytes: 1 });
    }
    while (codes.length === 0) await new Promise(setImmediate);
    expect(codes[0]).toEqual({ kind: 'Error', code: 'ECONNREFUSED', syscall: 'recvmsg' });
  });

  test('a failed bind with a callback and without a listener is uncaught', async () => {
    const taken = await scene.bound();
    const socket = scene.create();
    socket.bind(taken.address().port, '127.0.0.1', () => {});
    expect(socket.listenerCount('error')).toBe(0);
    expect(await nextError(socket)).toMatchObject({ code: 'EADDRINUSE' });
  });

  test.skipIf(onWindows)('a disconnected peer that is sent to while it connects', async () => {
    const peer = await scene.bound();
    const socket = await scene.bound();
    const { port } = peer.address();
    socket.connect(port, '127.0.0.1');
    const result = await sent((callback) => socket.send('x', port, '127.0.0.1', callback));
    expect(result).toMatchObject({ error: { code: 'EISCONN', syscall: 'send' } });
  });
});

describe.each(backendsUnderTest)('the port %s', (backend) => {
  test('closing it ends its sockets', async () => {
    const completionPort = new CompletionPort({ backend, pool: testPool });
    const socket = createSocket({ type: 'udp4', completionPort });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const log = logOf(socket);
    await completionPort.close();
    await new Promise(setImmediate);
    expect(log).toEqual(['error ECANCELED', 'close']);
    expect(thrown(() => socket.address())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
  });

  test('a closed one binds nothing', async () => {
    const completionPort = new CompletionPort({ backend, pool: testPool });
    await completionPort.close();
    const socket = createSocket({ type: 'udp4', completionPort });
    socket.bind(0, '127.0.0.1');
    expect(await nextError(socket)).toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
    socket.close();
    await once(socket, 'close');
  });

  test.skipIf(onWindows)('reusePort, whatever this Node.js has', async () => {
    const completionPort = new CompletionPort({ backend, pool: testPool });
    const options = { type: 'udp4', reusePort: true, completionPort } as const;
    const first = createSocket(options);
    const second = createSocket(options);
    const listening = once(first, 'listening');
    first.bind(0, '127.0.0.1');
    if (backend === 'node' && !nodeHasReusePort) {
      await expect(listening).rejects.toThrow();
    } else {
      await listening;
      second.bind(first.address().port, '127.0.0.1');
      await once(second, 'listening');
      expect(second.address()).toEqual(first.address());
    }
    await Promise.all([first, second].map((socket) => socket[Symbol.asyncDispose]()));
    await completionPort.close();
  });

  test('a process ends when all its sockets are unreferenced', { timeout: deadlineMs }, async () => {
    const { code, stdout, stderr } = await run(process.execPath, [program('dgram-unref.mjs'), backend]);
    expect({ code, stdout: stdout.trim().split(/\r?\n/), stderr }).toEqual({
      code: 0,
      stdout: ['listening', 'received x', 'exit'],
      stderr: '',
    });
  });

  test('workers of a cluster share no sockets', { timeout: deadlineMs }, async () => {
    const { code, stdout, stderr } = await run(process.execPath, [program('dgram-cluster.mjs'), backend]);
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: 'EADDRINUSE', stderr: '' });
  });
});

describe('the module', () => {
  test('is used like node:dgram, on the port of the thread', async () => {
    // Whoever wants a socket of `node:dgram` takes ours.
    const create: (options: nodeDgram.SocketOptions, listener?: () => void) => nodeDgram.Socket =
      createSocket;
    const socket = create({ type: 'udp4' });
    expect(socket).toBeInstanceOf(Socket);
    expect(dgram).toEqual({ createSocket, Socket });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    expect(datagramPort().stats.handlesOpen).toBe(1);
    socket.close();
    await once(socket, 'close');
    await datagramPort().close();
  });

  test('has all methods that node:dgram documents', () => {
    const socket = createSocket('udp4');
    // `sendto` and names that begin with `_` are not documented; the synchronous ones cannot be had.
    const left = /^_|^sendto$|Sync$/;
    const names = Object.getOwnPropertyNames(nodeDgram.Socket.prototype).filter((name) => !left.test(name));
    expect(names.filter((name) => !(name in socket))).toEqual([]);
    expect(names.length).toBeGreaterThan(20);
  });

  test.runIf(refusesForeignAddresses)('errors are those of the port, with its advice', async () => {
    const socket = createSocket('udp4');
    socket.bind({ address: '203.0.113.1' });
    const error = await new Promise<IoError>((resolve) => socket.once('error', resolve as () => void));
    expect(error.message).toMatch(/^bind EADDRNOTAVAIL 203\.0\.113\.1: ./);
    socket.close();
    await once(socket, 'close');
    await datagramPort().close();
  });
});
