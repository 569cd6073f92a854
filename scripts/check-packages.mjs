// Checks every package that is published as npm would deliver it: publint for its manifest and files, attw for its types.
// Both pack the package with pnpm, so run this through pnpm: "pnpm run check:packages".
import { spawnSync } from 'node:child_process';
import { publishedPackages } from './published-packages.mjs';

/** What is for build scripts only has no types. */
const untyped = ['--exclude-entrypoints', 'native-build'];
let failures = 0;

function check(name, cwd, command, args) {
  const { status, stdout, stderr, error } = spawnSync('pnpm', ['exec', command, ...args], {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return console.log(`${name}: ${command} ok`);
  failures += 1;
  console.error(`${name}: ${command} failed\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
}

for (const { folder, manifest } of publishedPackages()) {
  check(manifest.name, folder, 'publint', ['--strict']);
  // A program has no types to check.
  if (manifest.types)
    check(manifest.name, folder, 'attw', ['--pack', '.', ...untyped, '--no-emoji', '--no-color']);
}
process.exitCode = failures === 0 ? 0 : 1;
