/** What tests of `listen` and `connect` share: both engines on every backend. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { CompletionPort } from '@iocp/core';
import type { ListenHandlers, TcpConnection, TcpHandlers } from '@iocp/tcp';
import { assertNoLeaks, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, test } from 'vitest';
import { type Backend, exclusionOf, systemBackends } from '../../../../system.shared.js';
import {
  connect,
  type EngineName,
  listen,
  type TlsConnectOptions,
  type TlsListener,
  type TlsListenOptions,
} from '../../src/index.js';

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

export interface Fixture {
  readonly backend: Backend;
  readonly engine: EngineName;
  /** A port of the backend under test, new for each test. */
  readonly port: CompletionPort;
  readonly certificates: TestCertificates;
  /** Runs after the test, last first, before the leak check. */
  after(cleanup: () => unknown): void;
  /** A listener at 127.0.0.1 with the certificate `server`, unless told otherwise; closed after the test. */
  listen(options?: TlsListenOptions, handlers?: ListenHandlers): Promise<TlsListener>;
  /** A connection to 127.0.0.1 as `localhost` that trusts `ca`, unless told otherwise; aborted after the test. */
  connect(options: TlsConnectOptions, handlers?: TcpHandlers): Promise<TcpConnection>;
}

/**
 * Defines the same tests for each engine on each backend; after each, operations, sockets, slots and pins must be back at
 * zero.
 * @param engines those to test. Default: both
 */
export function onEachBackend(
  name: string,
  define: (fixture: Fixture) => void,
  engines: readonly EngineName[] = ['native', 'node'],
): void {
  const cases = systemBackends.flatMap((backend) => engines.map((engine) => [engine, backend] as const));
  describe.each(cases)(`${name}: engine %s on %s`, (engine, backend) => {
    const exclusion = exclusionOf(backend);
    if (exclusion !== undefined) {
      test.skip(exclusion, () => {});
      return;
    }
    let port: CompletionPort;
    let certificates: TestCertificates;
    let cleanups: (() => unknown)[] = [];
    beforeAll(async () => {
      certificates = await testCertificates();
    });
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
      engine,
      get port() {
        return port;
      },
      get certificates() {
        return certificates;
      },
      after(cleanup) {
        cleanups.push(cleanup);
      },
      async listen(options = {}, handlers) {
        const { cert, key } = certificates.server;
        const host = options.path === undefined ? { host: '127.0.0.1' } : {};
        const all = { cert, key, engine, completionPort: port, ...host, ...options };
        const listener = await listen(all, handlers);
        cleanups.push(() => listener.close({ graceMs: 0 }));
        return listener;
      },
      async connect(options, handlers) {
        const host = options.path === undefined ? { host: '127.0.0.1' } : {};
        const trusted = { ca: certificates.ca.cert, servername: 'localhost' };
        const all = { ...trusted, engine, completionPort: port, ...host, ...options };
        const connection = await connect(all, handlers);
        cleanups.push(() => connection.abort());
        return connection;
      },
    });
  });
}

/** Sends everything back. */
export const echoHandlers: ListenHandlers = {
  data(connection, bytes) {
    connection.write(bytes);
  },
};

/** All text to the end. */
export async function textOf(connection: TcpConnection): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of connection) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The code of what a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
  throw new Error('did not reject');
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

/** What a program has written, and how it ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  { input, env = process.env }: RunOptions = {},
): Promise<Outcome> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}
