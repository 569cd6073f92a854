/** What tests with programs that others wrote share. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { connect } from '../../src/client/connect.js';
import type { ConnectOptions } from '../../src/client/connect-options.js';
import type { WebSocketListenOptions } from '../../src/server/listen.js';
import { echo, type Fixture } from '../server/fixture.js';

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

/** Both sides of every length of a length, characters of every length, and what compresses well. */
export const samples: readonly (string | Buffer)[] = [
  '',
  'text: ä€😀',
  Buffer.alloc(0),
  Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
  ...[125, 126, 65_535, 65_536].map((length) => Buffer.alloc(length, 'abcdefg')),
  'much of it, '.repeat(100_000),
];

/** Compares as `toEqual` does, which takes its time for long buffers. */
export function expectSame(received: string | Uint8Array | undefined, expected: string | Buffer | undefined) {
  const same = typeof received === 'object' && typeof expected === 'object' && expected.equals(received);
  if (!same && received !== expected) expect(received).toEqual(expected);
}

/** A server that sends everything back, at 127.0.0.1 and with the protocol `echo`. */
export function echoServer(fixture: Fixture, options: WebSocketListenOptions = {}) {
  return fixture.listen({ protocols: ['other', 'echo'], ...options }, echo);
}

/** What our client has from a server that sends everything back; checks that it does. */
export async function exchange(fixture: Fixture, url: string, options: ConnectOptions = {}) {
  const tcp = { completionPort: fixture.port };
  const socket = await connect(url, { protocols: ['echo'], ...options, tcp });
  fixture.after(() => socket.terminate());
  for (const message of samples) socket.send(message);
  let received = 0;
  for await (const message of socket) {
    expectSame(message, samples[received]);
    received += 1;
    if (received === samples.length) break;
  }
  const { protocol, extensions } = socket;
  return { protocol, extensions, closed: await socket.close(4000, 'enough') };
}

/** What `exchange` is to have. */
export const exchanged = { protocol: 'echo', closed: { code: 4000, reason: 'enough' } };

/**
 * The first of these commands that starts, or undefined. Missing ones skip their tests, and fail them where
 * `IOCP_TEST_REQUIRE_PROGRAMS` is set, as it should be for continuous integration.
 */
export function programOf(
  packageName: string,
  commands: readonly string[],
  args: readonly string[],
): string | undefined {
  const found = commands.find((command) => spawnSync(command, args, { stdio: 'ignore' }).status === 0);
  if (found === undefined && process.env.IOCP_TEST_REQUIRE_PROGRAMS)
    throw new Error(`These tests need ${packageName}: install it`);
  return found;
}

/** A folder that is gone after the test. */
export function folderFor(fixture: Fixture): string {
  const folder = mkdtempSync(join(tmpdir(), 'iocp-ws-'));
  fixture.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** The path of a file with this text, gone after the test. */
export function fileFor(fixture: Fixture, name: string, text: string): string {
  const path = join(folderFor(fixture), name);
  writeFileSync(path, text);
  return path;
}

/** A program under way, which ends with the test. */
export class Program {
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<never>;

  constructor(fixture: Fixture, command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const closed = once(child, 'close');
    this.#closed = closed.then(() => {
      throw new Error(`The program has ended: ${complaints}`);
    });
    this.#closed.catch(() => {});
    fixture.after(async () => {
      child.kill('SIGKILL');
      await closed;
    });
  }

  /** The next line it prints. Rejects with what it has complained of when there is none. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done ? this.#closed : value;
  }

  /** Rejects with what it has complained of when it ends. */
  ended(): Promise<never> {
    return this.#closed;
  }
}
