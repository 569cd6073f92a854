/** One table of behaviours for `node:dgram` and for ours, so that what is the same is shown to be. */

import * as nodeDgram from 'node:dgram';
import { once } from 'node:events';
import { CompletionPort } from '@iocp/core';
import { assertNoLeaks } from '@iocp/testkit';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { type Backend, exclusionOf, onWindows, systemBackends } from '../../../../system.shared.js';
import { createSocket, type SocketOptions } from '../../src/dgram/index.js';
import { testPool } from '../support.js';

export type Socket = nodeDgram.Socket;
export type Listener = (data: Buffer, sender: nodeDgram.RemoteInfo) => void;

/** What the tests of this folder need of a module. */
export interface Scene {
  /** Whether the module is `node:dgram` itself. */
  readonly isNode: boolean;
  /** What is below; `node` for `node:dgram` itself. */
  readonly backend: Backend;
  /** Made by the module under test, and closed after the test. Takes anything, to see how it is refused. */
  create(options?: unknown, listener?: Listener): Socket;
  /** Bound to the loopback address. */
  bound(options?: unknown, listener?: Listener): Promise<Socket>;
}

/** Sockets of a module, made from whatever is given. */
type Create = (options: unknown, listener?: Listener) => Socket;

const createNode: Create = (options, listener) =>
  nodeDgram.createSocket(options as nodeDgram.SocketOptions, listener);

const createOurs =
  (port: CompletionPort): Create =>
  (options, listener) => {
    const given = typeof options === 'string' ? { type: options } : options;
    const isObject = typeof given === 'object' && given !== null;
    const all = isObject ? { ...given, completionPort: port } : given;
    return createSocket(all as SocketOptions, listener);
  };

/**
 * Defines the same tests for `node:dgram` and for ours on each backend. Ours must leave nothing behind. They say what
 * `node:dgram` does on Linux: on Windows libuv has other codes for some failures, and ours has the same.
 */
export function onEachModule(name: string, define: (scene: Scene) => void): void {
  if (!onWindows) {
    const open = () => ({ create: createNode, end: async () => {} });
    defineOn(`${name}: node:dgram`, { isNode: true, backend: 'node' }, open, define);
  }
  onOurs(name, define);
}

/** Defines tests for ours alone. */
export function onOurs(name: string, define: (scene: Scene) => void): void {
  for (const backend of systemBackends) {
    const title = `${name}: ours on ${backend}`;
    const exclusion = exclusionOf(backend);
    if (exclusion !== undefined) {
      describe(title, () => test.skip(exclusion, () => {}));
      continue;
    }
    const open = () => {
      const port = new CompletionPort({ backend, pool: testPool });
      const end = async () => {
        await assertNoLeaks(port);
        await port.close();
      };
      return { create: createOurs(port), end };
    };
    defineOn(title, { isNode: false, backend }, open, define);
  }
}

function defineOn(
  title: string,
  under: Pick<Scene, 'isNode' | 'backend'>,
  open: () => { create: Create; end: () => Promise<void> },
  define: (scene: Scene) => void,
): void {
  describe(title, () => {
    let module: ReturnType<typeof open>;
    let sockets: Socket[] = [];
    beforeEach(() => {
      sockets = [];
      module = open();
    });
    afterEach(async () => {
      await Promise.all(sockets.map(closed));
      await module.end();
    });
    const scene: Scene = {
      ...under,
      create(options = 'udp4', listener) {
        const socket = module.create(options, listener);
        sockets.push(socket);
        return socket;
      },
      async bound(options, listener) {
        const socket = scene.create(options, listener);
        const isIpv6 = (socket as unknown as { type: string }).type === 'udp6';
        socket.bind(0, isIpv6 ? '::1' : '127.0.0.1');
        await once(socket, 'listening');
        return socket;
      },
    };
    define(scene);
  });
}

/** Closes a socket, unless the test has. */
async function closed(socket: Socket): Promise<void> {
  try {
    const end = once(socket, 'close');
    socket.close();
    await end;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
  }
}

/** What is the same of two errors that say the same. */
export interface ErrorFacts {
  readonly kind: 'TypeError' | 'RangeError' | 'Error';
  readonly code: string | undefined;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
}

export function factsOf(error: unknown): ErrorFacts {
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  const kind =
    error instanceof TypeError ? 'TypeError' : error instanceof RangeError ? 'RangeError' : 'Error';
  return {
    kind,
    code,
    ...(syscall !== undefined && { syscall }),
    ...(address !== undefined && { address }),
    ...(port !== undefined && { port }),
  };
}

/** How a call is refused. */
export function thrown(call: () => unknown): ErrorFacts {
  try {
    call();
  } catch (error) {
    return factsOf(error);
  }
  throw new Error('did not throw');
}

/** The next event's arguments. An `error` before it rejects. */
export async function next<Values extends unknown[]>(socket: Socket, event: string): Promise<Values> {
  return (await once(socket, event)) as Values;
}

/** The next error, as facts. */
export async function nextError(socket: Socket): Promise<ErrorFacts> {
  return new Promise((resolve) => socket.once('error', (error) => resolve(factsOf(error))));
}

/** What happens to a socket, in order. */
export function logOf(socket: Socket): string[] {
  const log: string[] = [];
  for (const event of ['listening', 'connect', 'close']) socket.on(event, () => log.push(event));
  socket.on('error', (error: NodeJS.ErrnoException) => log.push(`error ${error.code}`));
  socket.on('message', (data) => log.push(`message ${data}`));
  return log;
}

/** What a callback of `send` is called with. */
export type Sent = { readonly error: ErrorFacts | null; readonly bytes?: number };

/** Calls a form of `send` with a callback, and waits for it. */
export function sent(call: (callback: (error: Error | null, bytes: number) => void) => void): Promise<Sent> {
  return new Promise((resolve) => {
    call((error, bytes) => resolve(error ? { error: factsOf(error) } : { error: null, bytes }));
  });
}

/** Nobody receives at a port that is returned. */
export async function deadPort(scene: Scene): Promise<number> {
  const socket = await scene.bound();
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}
