// Imports a module through a symbolic link while it listens on a Unix socket. Prints where the module was found.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompletionPort } from '@iocp/core';
import { listen } from '@iocp/tcp';

const folder = mkdtempSync(join(tmpdir(), 'iocp-import-'));
mkdirSync(join(folder, 'real'));
symlinkSync('real', join(folder, 'link'));
for (const name of ['before', 'after']) {
  writeFileSync(join(folder, 'real', `${name}.mjs`), 'export const { url } = import.meta;');
}
const completionPort = new CompletionPort({ backend: process.argv[2] });
await import(join(folder, 'link', 'before.mjs'));
const listener = await listen({ path: join(folder, 'x.sock'), completionPort });
const { url } = await import(join(folder, 'link', 'after.mjs'));
console.log(url.split('/').slice(-2).join('/'));
await listener.close();
await completionPort.close();
rmSync(folder, { recursive: true });
