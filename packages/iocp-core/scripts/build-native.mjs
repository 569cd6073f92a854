// Builds the addon from source into build/<platform>-<arch>/.
//   --target <target>   for another system: linux-arm64 or win32-x64, with Debian's cross compilers
//   --sanitize <list>   with -fsanitize=<list>, into build/<platform>-<arch>-asan/ (or -tsan, -ubsan)
//   --tests             also builds the native unit tests and runs them, for another system in its emulator
//   --debug             unoptimised, with debug information
//   --verbose           shows what CMake prints; otherwise it is shown only when the build fails
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missingBuildTools } from './build-tools.mjs';
import { crossTarget, crossTargetNames, emulated, hasNativeBackend, hostTarget } from './native-target.mjs';

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const testTimeoutMs = 120_000;
const emulatedTestTimeoutMs = 600_000;
/** What Wine takes for a Windows installation is made in the first run and kept, unless WINEPREFIX names another. */
const wineEnvironment = { WINEDEBUG: '-all', WINEPREFIX: join(packageDir, 'build', 'wine') };

const { values: options } = parseArgs({
  options: {
    target: { type: 'string', default: hostTarget },
    sanitize: { type: 'string', default: '' },
    tests: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

function fail(message) {
  console.error(message);
  process.exit(1);
}

function sanitizerSuffix(list) {
  if (list === '') return '';
  const names = list.split(',');
  if (names.includes('address')) return '-asan';
  if (names.includes('thread')) return '-tsan';
  if (names.includes('undefined')) return '-ubsan';
  return fail(`--sanitize ${list}: expected address, thread or undefined, joined by commas.`);
}

/** CMake refuses a build folder that was configured for sources in another place: a copied or moved checkout. */
function dropMovedBuild(folder) {
  const cache = join(folder, 'CMakeCache.txt');
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1];
  if (home === undefined || resolve(home) !== packageDir) rmSync(folder, { recursive: true });
}

function cmake(...args) {
  const { status, stdout, stderr, error } = spawnSync('cmake', args, {
    cwd: packageDir,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: options.verbose ? 'inherit' : 'pipe',
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(error ? `cmake did not start: ${error.message}` : 'The native build failed; the reason is above.');
}

function generatorArguments(folder) {
  // CMake keeps to the generator that a build folder was made with, and finds Visual Studio by itself.
  if (process.platform === 'win32') return ['-A', process.arch === 'arm64' ? 'ARM64' : 'x64'];
  if (existsSync(join(folder, 'CMakeCache.txt'))) return [];
  return spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : [];
}

function build(folder) {
  const configuration = options.debug ? 'Debug' : 'Release';
  const defines = {
    CMAKE_BUILD_TYPE: configuration,
    NODE_EXECUTABLE: process.execPath,
    IOCP_NATIVE_TESTS: options.tests ? 'ON' : 'OFF',
    IOCP_SANITIZE: options.sanitize,
  };
  if (crossTarget(options.target) !== undefined) {
    defines.CMAKE_TOOLCHAIN_FILE = join(packageDir, 'cmake', `${options.target}.cmake`);
  }
  const defineArguments = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  cmake('-S', packageDir, '-B', folder, ...generatorArguments(folder), ...defineArguments);
  cmake('--build', folder, '--config', configuration, '--parallel', String(availableParallelism()));
}

function runTest(folder, name, args = []) {
  const program = join(folder, options.target.startsWith('win32-') ? `${name}.exe` : name);
  const { command, args: commandArgs } = emulated(options.target, program, args);
  const log = join(folder, `${name}.log`);
  const output = openSync(log, 'w');
  const { status, signal, error } = spawnSync(command, commandArgs, {
    env: { ...wineEnvironment, ...process.env },
    timeout: crossTarget(options.target) === undefined ? testTimeoutMs : emulatedTestTimeoutMs,
    // Wine can write to files, not to pipes.
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  // As a terminal shows it in the end: what was written over is left out.
  process.stdout.write(readFileSync(log, 'utf8').replace(/[^\n]*\r(?!\n)/g, ''));
  if (status !== 0) fail(`${name} failed: ${error?.message ?? signal ?? `exit code ${status}`}`);
}

if (!hasNativeBackend(options.target)) {
  console.log(`native: nothing to build on ${options.target}; the backend "node" is JavaScript.`);
  process.exit(0);
}
if (options.target !== hostTarget && crossTarget(options.target) === undefined) {
  fail(`--target ${options.target}: expected ${[...new Set([hostTarget, ...crossTargetNames])].join(', ')}.`);
}
const missing = missingBuildTools(options.target, options.tests);
if (missing.length > 0) fail(missing.join('\n'));

const target = options.target + sanitizerSuffix(options.sanitize);
const out = join(packageDir, 'build', target);
dropMovedBuild(out);
build(out);
for (const addon of ['iocp_core.node', 'iocp_core_sim.node']) {
  if (!existsSync(join(out, addon))) fail(`The build ended without ${addon} in build/${target}.`);
}
console.log(`native: build/${target}`);
if (options.tests) {
  const leftOut = crossTarget(options.target)?.emulator.leavesOut ?? [];
  runTest(
    out,
    'iocp_native_test',
    leftOut.map((name) => `-${name}`),
  );
  runTest(out, 'iocp_native_fuzz');
}
