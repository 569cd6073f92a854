// Makes the binaries that are published with the package: prebuilds/<platform>-<arch>/iocp_core.node, stripped.
//   node scripts/build-prebuilds.mjs [linux-x64 linux-arm64 win32-x64]
//   node scripts/build-prebuilds.mjs --check    builds nothing: all of them have to be there (before publishing)
// Fails when a binary is missing or needs a newer system than Node.js itself does.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tooNewSymbols, unknownLibraries } from './binary-needs.mjs';
import { prebuiltTargets } from './native-target.mjs';

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folderOf = (target) => join(packageDir, 'prebuilds', target);

function build(target) {
  const buildNative = join(packageDir, 'scripts', 'build-native.mjs');
  execFileSync(process.execPath, [buildNative, '--target', target], { stdio: 'inherit' });
  rmSync(folderOf(target), { recursive: true, force: true });
  mkdirSync(folderOf(target), { recursive: true });
  const from = join(packageDir, 'build', target);
  const to = folderOf(target);
  execFileSync('cmake', ['--install', from, '--config', 'Release', '--strip', '--prefix', to], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** What keeps the binary of a target from being published. */
function problemsOf(target) {
  const binary = join(folderOf(target), 'iocp_core.node');
  if (!existsSync(binary)) return [`${binary} is missing: make it with "node scripts/build-prebuilds.mjs".`];
  const needs = target.startsWith('win32-') ? unknownLibraries(binary) : tooNewSymbols(binary);
  return needs.map((need) => `${binary} needs ${need}, which not every system has that Node.js runs on.`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false } },
});
for (const target of positionals.length > 0 ? positionals : prebuiltTargets) {
  try {
    if (!values.check) build(target);
    const problems = problemsOf(target);
    if (problems.length === 0) {
      console.log(`prebuilt: prebuilds/${target}`);
    } else {
      console.error(problems.join('\n'));
      process.exitCode = 1;
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
