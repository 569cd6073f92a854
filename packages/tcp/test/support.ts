/** What the tests of this package share. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { CompletionPort, type IoError } from '@iocp/core';
import { assertNoLeaks, nextTurn, type Random } from '@iocp/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Backend, exclusionOf, systemBackends, underWine } from '../../../system.shared.js';
import {
  type ConnectOptions,
  connect,
  type ListenHandlers,
  type ListenOptions,
  listen,
  type TcpConnection,
  type TcpHandlers,
  type TcpListener,
} from '../src/index.js';

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

export interface Fixture {
  readonly backend: Backend;
  /** A port of the backend under test, new for each test. */
  readonly port: CompletionPort;
  /** Runs after the test, last first, before the leak check. */
  after(cleanup: () => unknown): void;
  /** A listener on 127.0.0.1 (unless told otherwise), closed after the test. */
  listen(options?: ListenOptions, handlers?: ListenHandlers): Promise<TcpListener>;
  /** A connection to 127.0.0.1 (unless told otherwise), aborted after the test. */
  connect(options: ConnectOptions, handlers?: TcpHandlers): Promise<TcpConnection>;
}

/**
 * Defines the same tests for each backend; after each, operations, sockets, slots and pins must be back at zero.
 * @param nativeOnly why the backend `node` cannot be held to these tests; they are reported as skipped there.
 */
export function onEachBackend(name: string, define: (fixture: Fixture) => void, nativeOnly?: string): void {
  describe.each(systemBackends)(`${name} on %s`, (backend) => {
    const exclusion = exclusionOf(backend, nativeOnly);
    if (exclusion !== undefined) {
      test.skip(exclusion, () => {});
      return;
    }
    let port: CompletionPort;
    let cleanups: (() => unknown)[] = [];
    beforeEach(() => {
      port = new CompletionPort({ backend });
      cleanups = [];
    });
    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
      await assertNoLeaks(port);
      await port.close();
    });
    define({
      backend,
      get port() {
        return port;
      },
      after(cleanup) {
        cleanups.push(cleanup);
      },
      async listen(options = {}, handlers) {
        const host = options.path === undefined ? { host: '127.0.0.1' } : {};
        const listener = await listen({ ...host, completionPort: port, ...options }, handlers);
        cleanups.push(() => listener.close({ graceMs: 0 }));
        return listener;
      },
      async connect(options, handlers) {
        const host = options.path === undefined ? { host: '127.0.0.1' } : {};
        const connection = await connect({ ...host, completionPort: port, ...options }, handlers);
        cleanups.push(() => connection.abort());
        return connection;
      },
    });
  });
}

/**
 * Whether a program is installed. Missing ones skip their tests, and fail them where `IOCP_TEST_REQUIRE_PROGRAMS` is set,
 * as it should be for continuous integration.
 */
export function hasProgram(name: string, versionFlag = '--version'): boolean {
  const found = spawnSync(name, [versionFlag], { stdio: 'ignore' }).error === undefined;
  if (!found && process.env.IOCP_TEST_REQUIRE_PROGRAMS)
    throw new Error(`These tests need ${name}: install it`);
  return found;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  input?: string | Uint8Array,
): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    collect(child.stdout),
    collect(child.stderr),
    once(child, 'close'),
  ]);
  return { code: code as number | null, stdout, stderr: stderr.toString() };
}

/** All bytes up to the end. The stream is not destroyed, as iterating over it would. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

/** A connected `net.Socket`. */
export async function dialNet(
  target: TcpListener | number,
  options: net.TcpNetConnectOpts | object = {},
): Promise<Socket> {
  const port = typeof target === 'number' ? target : target.address().port;
  const socket = net.connect({ host: '127.0.0.1', port, ...options });
  await once(socket, 'connect');
  return socket;
}

/**
 * Resolves when the peer has reset a `net.Socket`. Wine shuts a socket down before it closes it: there the end, which may
 * come first, will do.
 */
export async function resetOf(socket: Socket): Promise<void> {
  const seen = await new Promise((resolve) => {
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    if (underWine) socket.once('end', () => resolve('end')).resume();
  });
  expect(underWine ? ['ECONNRESET', 'end'] : ['ECONNRESET']).toContain(seen);
}

/** A listening `net.Server` on a port of the system's choice. */
export async function serveNet(
  fixture: Fixture,
  onConnection: (socket: Socket) => void,
  options: net.ListenOptions & net.ServerOpts = {},
): Promise<{ server: net.Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = net.createServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen({ host: '127.0.0.1', port: 0, ...options });
  await once(server, 'listening');
  fixture.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { server, port: (server.address() as net.AddressInfo).port };
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

/** A promise and what resolves it. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** What happened to the connections of a listener, in order. */
export class Recorder {
  readonly events: string[] = [];
  readonly received: Uint8Array[] = [];
  error: Error | null = null;
  connection: TcpConnection | undefined;
  readonly opened: Promise<TcpConnection>;
  readonly ended: Promise<void>;
  readonly closed: Promise<void>;
  readonly handlers: TcpHandlers;

  constructor(handlers: TcpHandlers = {}) {
    const opened = deferred<TcpConnection>();
    const ended = deferred<void>();
    const closed = deferred<void>();
    this.opened = opened.promise;
    this.ended = ended.promise;
    this.closed = closed.promise;
    this.handlers = {
      ...handlers,
      open: (connection) => {
        this.events.push('open');
        this.connection = connection;
        handlers.open?.(connection);
        opened.resolve(connection);
      },
      data: (connection, bytes) => {
        this.received.push(Uint8Array.from(bytes));
        handlers.data?.(connection, bytes);
      },
      end: (connection) => {
        this.events.push('end');
        handlers.end?.(connection);
        ended.resolve();
      },
      drain: (connection) => {
        this.events.push('drain');
        handlers.drain?.(connection);
      },
      error: (connection, error) => {
        this.events.push(`error ${(error as IoError).code}`);
        this.error = error;
        handlers.error?.(connection, error);
      },
      close: (connection, error) => {
        this.events.push(`close ${(error as IoError | null)?.code ?? 'null'}`);
        handlers.close?.(connection, error);
        closed.resolve();
      },
    };
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }
}

/** A listener's handlers that send everything back. */
export const echoHandlers: TcpHandlers = {
  data(connection, bytes) {
    connection.write(bytes);
  },
};

/** Splits `total` random bytes into random pieces. */
export function randomPieces(random: Random, total: number, pieceMax: number): Uint8Array[] {
  const whole = random.bytes(total);
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < total; ) {
    const length = random.integer(1, Math.min(pieceMax, total - start));
    pieces.push(whole.subarray(start, start + length));
    start += length;
  }
  return pieces;
}

/** Turns of the event loop until it is so. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** The code of what a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as IoError).code;
  }
  throw new Error('did not reject');
}
