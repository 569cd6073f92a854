/** Which driver a port gets where the addon is missing, broken, or must not be loaded. The child processes run the built package. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { spawnRetries } from '../../../../system.shared.js';
import { loadAddon } from '../../src/port/addon.js';
import type { NativeError } from '../../src/port/binding.js';

const built = (name: string) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

let folder: string;
let broken: string;
const missing = join(tmpdir(), 'there-is-no-such-folder', 'iocp_core.node');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iocp-addon-'));
  broken = join(folder, 'iocp_core.node');
  writeFileSync(broken, 'This is no shared library.');
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly backend?: string;
  readonly rejected?: readonly { backend: string; code: string; reason: string; hint: string }[];
  readonly code?: string;
  readonly message?: string;
}

const load = {
  ESM: `const { CompletionPort } = await import(${JSON.stringify(pathToFileURL(built('index.js')).href)});`,
  CommonJS: `const { CompletionPort } = require(${JSON.stringify(built('index.cjs'))});`,
};

/** What a port says of itself, or the error. `globals` is run before the package is loaded. */
function report(
  format: keyof typeof load,
  env: NodeJS.ProcessEnv,
  backend = 'undefined',
  globals = '',
): Report {
  const code = `
    ${globals}
    ${load[format]}
    const say = (what) => console.log(JSON.stringify(what));
    try {
      const port = new CompletionPort({ backend: ${backend} });
      say(port.info);
      port.close();
    } catch ({ code, message }) {
      say({ code, message });
    }`;
  const type = format === 'ESM' ? 'module' : 'commonjs';
  const args = [`--input-type=${type}`, '-e', code];
  return JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } }),
  );
}

describe.each(['ESM', 'CommonJS'] as const)('%s', { retry: spawnRetries }, (format) => {
  test('without an addon auto takes node, and says where it looked', () => {
    const { backend, rejected } = report(format, { IOCP_ADDON: missing });
    expect(backend).toBe('node');
    expect(rejected).toEqual([
      {
        backend: 'addon',
        code: 'ENOENT',
        reason: `addon not found at ${missing}: there is no such file`,
        hint: expect.stringContaining('IOCP_ADDON'),
      },
    ]);
  });

  test('with an addon that does not load, too', () => {
    const { backend, rejected } = report(format, { IOCP_ADDON: folder });
    expect(backend).toBe('node');
    expect(rejected).toMatchObject([{ backend: 'addon', code: 'ERR_DLOPEN_FAILED' }]);
    expect(rejected?.[0]?.reason).toContain(`${broken}: dlopen failed: `);
  });

  test('an explicit choice fails with the reasons', () => {
    const { code, message } = report(format, { IOCP_ADDON: missing }, "'io_uring'");
    expect(code).toBe('ERR_IOCP_NO_BACKEND');
    expect(message).toContain("The backend 'io_uring' does not work here.");
    expect(message).toContain(`addon not found at ${missing}`);
    expect(report(format, { IOCP_ADDON: missing, IOCP_BACKEND: 'epoll' }).code).toBe('ERR_IOCP_NO_BACKEND');
  });

  test('node, asked for, does not look for the addon', () => {
    for (const env of [{ IOCP_ADDON: broken }, {}]) {
      expect(report(format, env, "'node'")).toMatchObject({ backend: 'node', rejected: [] });
      expect(report(format, { ...env, IOCP_BACKEND: 'node' })).toMatchObject({
        backend: 'node',
        rejected: [],
      });
    }
  });

  test.each([
    ['Bun', 'bun'],
    ['Deno', 'deno'],
  ])('under %s auto leaves the addon alone', (name, key) => {
    const globals = `Object.defineProperty(process.versions, '${key}', { value: '1.0.0' });`;
    const { backend, rejected } = report(format, { IOCP_ADDON: broken }, 'undefined', globals);
    expect(backend).toBe('node');
    expect(rejected).toMatchObject([
      { backend: 'addon', code: 'ENOSYS', reason: expect.stringContaining(name) },
    ]);
    expect(report(format, {}, "'epoll'", globals)).toMatchObject({
      code: 'ERR_IOCP_NO_BACKEND',
      message: expect.stringContaining(name),
    });
  });
});

test('the runtime is told by process.versions', () => {
  const rejectedUnder = (versions: object) => {
    try {
      loadAddon({ ...process.versions, ...versions } as NodeJS.ProcessVersions);
      return [];
    } catch (error) {
      return (error as NativeError).rejected;
    }
  };
  expect(rejectedUnder({ bun: '1.3.0' })).toMatchObject([{ reason: expect.stringContaining('Bun') }]);
  expect(rejectedUnder({ deno: '2.5.0' })).toMatchObject([{ reason: expect.stringContaining('Deno') }]);
});
