/** Where an addon is looked for, and what is said when there is none. JavaScript stands for the binary: both are modules. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AddonError, type AddonLocation, loadAddon } from '../../src/addon/index.js';

const variable = 'IOCP_TEST_ADDON';
const fileName = 'test_addon.cjs';
const target = `${process.platform}-${process.arch}`;
const brokenText = 'throw Object.assign(new Error("wrong format"), { code: "ERR_WRONG" })';
let folder: string;
let location: AddonLocation;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iocp-addon-'));
  writeFileSync(join(folder, 'package.json'), '{}');
  const module = pathToFileURL(join(folder, 'dist', 'deep', 'index.js')).href;
  location = { fileName, module, variable, needs: 'a little help' };
  vi.stubEnv(variable, '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function place(path: string, text = `module.exports = ${JSON.stringify(path)}`): string {
  const file = join(folder, path, fileName);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function refusal(versions?: object): AddonError {
  try {
    loadAddon(location, versions === undefined ? undefined : ({ ...process.versions, ...versions } as never));
  } catch (error) {
    if (error instanceof AddonError) return error;
    throw error;
  }
  throw new Error('it was loaded');
}

test('a build for this system comes before any other build, and that before what was published', () => {
  // One of the two is for this system.
  for (const name of [target, `${target}-musl`]) place(`prebuilds/${name}`);
  expect(loadAddon(location)).toMatch(/^prebuilds/);
  for (const path of ['build/Release', `build/${target}`]) {
    place(path);
    expect(loadAddon(location)).toBe(path);
  }
});

test('one that does not load does not end the search', () => {
  place(`build/${target}`, brokenText);
  place('build/Release');
  expect(loadAddon(location)).toBe('build/Release');
});

test('the variable names a file or a folder', () => {
  place(`build/${target}`);
  const file = place('elsewhere');
  for (const path of [file, dirname(file)]) {
    vi.stubEnv(variable, path);
    expect(loadAddon(location)).toBe('elsewhere');
  }
});

test('and nothing else is tried then', () => {
  place(`build/${target}`);
  const missing = join(folder, 'missing');
  vi.stubEnv(variable, missing);
  expect(refusal()).toMatchObject({
    code: 'ENOENT',
    message: `addon not found at ${missing}: there is no such file`,
    hint: expect.stringContaining(`set ${variable} to a built ${fileName}`),
  });
});

test('without any, every place is named', () => {
  const broken = place('build/Release', brokenText);
  const error = refusal();
  expect(error.code).toBe('ERR_WRONG');
  expect(error.message).toContain(`${join(folder, 'build', target, fileName)}: there is no such file`);
  expect(error.message).toContain(`${broken}: dlopen failed: wrong format`);
  expect(error.message).toContain(join(folder, 'prebuilds', target));
  expect(error.cause).toMatchObject({ message: 'wrong format' });
});

test.each([
  ['Bun', { bun: '1.3.0' }],
  ['Deno', { deno: '2.5.0' }],
])('not under %s', (name, versions) => {
  place(`build/${target}`);
  expect(refusal(versions)).toMatchObject({
    code: 'ENOSYS',
    message: `the addon needs a little help, and ${name} does not have it`,
  });
});
