/** What the tests of this package share. */

import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { CompletionPort, type IoError } from '@iocp/core';
import { assertNoLeaks, nextTurn } from '@iocp/testkit';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { type Backend, exclusionOf, systemBackends } from '../../../system.shared.js';
import {
  type BindOptions,
  bind,
  connect,
  type UdpConnectOptions,
  type UdpHandlers,
  type UdpMessage,
  type UdpSocket,
} from '../src/index.js';

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

/** Holds every datagram whole, and costs little. */
export const testPool = { slotBytes: 128 * 1024, maxSlots: 256 };

export interface Fixture {
  readonly backend: Backend;
  /** A port of the backend under test, new for each test. */
  readonly port: CompletionPort;
  /** Runs after the test, last first, before the leak check. */
  after(cleanup: () => unknown): void;
  /** A socket at 127.0.0.1 (unless told otherwise), closed after the test. */
  bind(options?: BindOptions, handlers?: UdpHandlers): Promise<UdpSocket>;
  /** A socket connected to 127.0.0.1 (unless told otherwise), closed after the test. */
  connect(options: UdpConnectOptions, handlers?: UdpHandlers): Promise<UdpSocket>;
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
      port = new CompletionPort({ backend, pool: testPool });
      cleanups = [];
    });
    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
      await assertNoLeaks(port);
      await port.close();
    });
    const closing = (socket: UdpSocket): UdpSocket => {
      cleanups.push(() => socket.abort());
      return socket;
    };
    define({
      backend,
      get port() {
        return port;
      },
      after(cleanup) {
        cleanups.push(cleanup);
      },
      bind: async (options = {}, handlers) =>
        closing(await bind({ host: '127.0.0.1', completionPort: port, ...options }, handlers)),
      connect: async (options, handlers) =>
        closing(await connect({ host: '127.0.0.1', completionPort: port, ...options }, handlers)),
    });
  });
}

/** Sends everything back. */
export const echoHandlers: UdpHandlers = {
  messages(_socket, batch) {
    for (const message of batch) message.reply(message.data);
  },
};

/** Where a socket is, as `send` takes it. */
export function placeOf(socket: UdpSocket): { address: string; port: number } {
  const { address, port } = socket.address();
  return { address, port };
}

/** The next datagram as text. */
export async function textFrom(socket: UdpSocket): Promise<string> {
  return textOf(await socket.receive());
}

export function textOf(message: UdpMessage | null): string {
  if (message === null) throw new Error('the socket has closed');
  return Buffer.from(message.data).toString();
}

/** A port that nobody receives at. */
export async function deadPort(fixture: Fixture): Promise<number> {
  const socket = await fixture.bind();
  const { port } = socket.address();
  await socket.close();
  return port;
}

/** A bound `dgram.Socket`, closed after the test. */
export async function dgramSocket(fixture: Fixture, options: Partial<SocketOptions> = {}): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', ...options });
  socket.bind(0, options.type === 'udp6' ? '::1' : '127.0.0.1');
  await once(socket, 'listening');
  fixture.after(async () => {
    socket.close();
    await once(socket, 'close');
  });
  return socket;
}

/** The next datagram of a `dgram.Socket`. */
export async function messageOf(socket: Socket): Promise<{ data: Buffer; from: RemoteInfo }> {
  const [data, from] = (await once(socket, 'message')) as [Buffer, RemoteInfo];
  return { data, from };
}

/** Whether this machine has IPv6, at least by itself. */
export const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

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
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
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

/** The code of what a function throws. */
export function thrownCode(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as IoError).code;
  }
  throw new Error('did not throw');
}
