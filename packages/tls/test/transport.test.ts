/** Where `@iocp/tcp` is not installed, everything but dialling and listening works. */

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnRetries } from '../../../system.shared.js';
import { transportOf } from '../src/transport.js';
import { deadlineMs, run } from './support/backends.js';

const program = `
import { connect, listen, tls } from '@iocp/tls';
import compatible from '@iocp/tls/tls';
const told = (error) => console.log(error.code, error.message);
await connect({ port: 1 }).catch(told);
await listen({ SNICallback: async () => null }).catch(told);
compatible.connect({ port: 1 }).once('error', told);
console.log(tls().name);
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iocp-'));
  for (const [name, at] of [
    ['tls', '..'],
    ['core', '../../iocp-core'],
  ] as const) {
    const installed = join(folder, 'node_modules', '@iocp', name);
    const ours = fileURLToPath(new URL(at, import.meta.url));
    for (const part of ['package.json', 'dist']) {
      cpSync(join(ours, part), join(installed, part), { recursive: true });
    }
  }
  writeFileSync(join(folder, 'program.mjs'), program);
});

afterAll(() => rmSync(folder, { recursive: true }));

test('says what is missing', { retry: spawnRetries, timeout: deadlineMs }, async () => {
  const { stdout, stderr } = await run(process.execPath, [join(folder, 'program.mjs')]);
  const missing = 'ERR_TLS_NO_TRANSPORT There is nothing to carry TLS: install @iocp/tcp or pass options.tcp';
  expect({ lines: stdout.trim().split(/\r?\n/), stderr }).toEqual({
    lines: [missing, missing, 'tls', missing],
    stderr: '',
  });
});

test('a module that was given is taken as it is', async () => {
  const own = { connect: async () => {}, listen: async () => {} } as never;
  expect(await transportOf(own)).toBe(own);
  const installed = await transportOf(undefined);
  expect(Object.keys(installed)).toContain('TcpListener');
});
