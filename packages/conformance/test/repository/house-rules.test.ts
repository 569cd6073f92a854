import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportsEverything, filesBelow, read, root } from './sources.js';

const linesMax = 600;
const scripts = ['.ts', '.mjs', '.cjs', '.js'];
const files = filesBelow('.', [...scripts, '.cc', '.h']);
const typescript = files.filter((file) => file.endsWith('.ts'));

// Written so that this file does not find itself.
const laterWords = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

const offenders = (candidates: readonly string[], isWrong: (text: string) => boolean) =>
  candidates.filter((file) => isWrong(read(file)));

describe('house rules', () => {
  test('no file is longer than one idea', () => {
    expect(offenders(files, (text) => text.split('\n').length - 1 > linesMax)).toEqual([]);
  });

  test('nothing is left for later', () => {
    expect(offenders(files, (text) => laterWords.test(text))).toEqual([]);
  });

  test('no module exports everything of another', () => {
    expect(offenders(typescript, exportsEverything)).toEqual([]);
  });

  test('the generated protocol files are up to date', () => {
    const generator = join(root, 'packages/iocp-core/scripts/generate-protocol.mjs');
    const { status, stderr } = spawnSync(process.execPath, [generator, '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  // Told by the binary that is built on Linux; on Windows the list is what the addon is linked with.
  test.runIf(process.platform === 'linux')('the list of what is taken from OpenSSL is up to date', () => {
    const generator = join(root, 'packages/tls/scripts/openssl-symbols.mjs');
    const { status, stderr } = spawnSync(process.execPath, [generator, '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('the check itself', () => {
  test('finds exports of everything, and only those', () => {
    expect(exportsEverything("export * from './a.js';")).toBe(true);
    expect(exportsEverything("export * as a from './a.js';")).toBe(true);
    expect(exportsEverything("export { a } from './a.js'; export const b = 1;")).toBe(false);
  });

  test('finds words that put work off', () => {
    expect(laterWords.test(`// ${'TO' + 'DO'}: later`)).toBe(true);
    expect(laterWords.test('// a todo list is fine in prose')).toBe(false);
  });
});
