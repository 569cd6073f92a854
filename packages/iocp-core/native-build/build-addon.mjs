// The program scripts/build-native.mjs of a package with an addon.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crossTarget, crossTargetNames, emulated, hasNativeBackend, hostTarget } from './targets.mjs';
import { missingBuildTools } from './tools.mjs';

const cmakeFolder = fileURLToPath(new URL('cmake', import.meta.url));
const testTimeoutMs = 120_000;
const emulatedTestTimeoutMs = 600_000;

function fail(message) {
  console.error(message);
  process.exit(1);
}

/**
 * Builds the addon of a package from source into build/<platform>-<arch>/, as the arguments of the process say:
 *   --target <target>   for another system: linux-arm64 or win32-x64, with Debian's cross compilers
 *   --sanitize <list>   with -fsanitize=<list>, into build/<platform>-<arch>-asan/ (or -tsan, -ubsan)
 *   --tests             also builds the native tests and runs them, for another system in its emulator
 *   --debug             unoptimised, with debug information
 *   --verbose           shows what CMake prints; otherwise it is shown only when the build fails
 * Ends the process with an error message when something is missing or fails.
 * @param folder the package: its CMakeLists.txt gets this package's modules for CMake as IOCP_CMAKE
 * @param addons the files that the build makes, for example ['iocp_core.node']
 * @param tests the test programs: `name`, and in `leavesOut`, for each target with an emulator, the names of the tests that
 *   do not work there; `needs` says what a program is not made without: then, and for an emulator, it is left out
 */
export function buildAddon({ folder, addons, tests = [] }) {
  const { values: options } = parseArgs({
    options: {
      target: { type: 'string', default: hostTarget },
      sanitize: { type: 'string', default: '' },
      tests: { type: 'boolean', default: false },
      debug: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const { target } = options;
  if (!hasNativeBackend(target)) {
    console.log(`native: nothing to build on ${target}; what is in JavaScript does the work there.`);
    return;
  }
  if (target !== hostTarget && crossTarget(target) === undefined) {
    fail(`--target ${target}: expected ${[...new Set([hostTarget, ...crossTargetNames])].join(', ')}.`);
  }
  const missing = missingBuildTools(target, options.tests);
  if (missing.length > 0) fail(missing.join('\n'));

  const name = target + sanitizerSuffix(options.sanitize);
  const out = join(folder, 'build', name);
  build(folder, out, options);
  for (const addon of addons) {
    if (!existsSync(join(out, addon))) fail(`The build ended without ${addon} in build/${name}.`);
  }
  console.log(`native: build/${name}`);
  if (options.tests) for (const test of tests) runTest(folder, out, target, test);
}

function sanitizerSuffix(list) {
  if (list === '') return '';
  const names = list.split(',');
  if (names.includes('address')) return '-asan';
  if (names.includes('thread')) return '-tsan';
  if (names.includes('undefined')) return '-ubsan';
  return fail(`--sanitize ${list}: expected address, thread or undefined, joined by commas.`);
}

/** CMake refuses a build folder that was configured for other places: a copied or moved checkout. */
function dropMovedBuild(out, places) {
  const cache = join(out, 'CMakeCache.txt');
  if (!existsSync(cache)) return;
  const text = readFileSync(cache, 'utf8');
  const isThere = ([name, place]) => {
    const configured = new RegExp(`^${name}:\\w+=(.*)$`, 'm').exec(text)?.[1];
    return configured !== undefined && resolve(configured) === resolve(place);
  };
  if (!Object.entries(places).every(isThere)) rmSync(out, { recursive: true });
}

function build(folder, out, { target, sanitize, tests, debug, verbose }) {
  const configuration = debug ? 'Debug' : 'Release';
  const places = { IOCP_CMAKE: cmakeFolder };
  if (crossTarget(target) !== undefined) places.CMAKE_TOOLCHAIN_FILE = join(cmakeFolder, `${target}.cmake`);
  dropMovedBuild(out, { CMAKE_HOME_DIRECTORY: folder, ...places });
  const defines = {
    ...places,
    CMAKE_BUILD_TYPE: configuration,
    NODE_EXECUTABLE: process.execPath,
    IOCP_NATIVE_TESTS: tests ? 'ON' : 'OFF',
    IOCP_SANITIZE: sanitize,
  };
  const defineArguments = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  cmake(['-S', folder, '-B', out, ...generatorArguments(out), ...defineArguments], folder, verbose);
  const parallel = String(availableParallelism());
  cmake(['--build', out, '--config', configuration, '--parallel', parallel], folder, verbose);
}

function generatorArguments(out) {
  // CMake keeps to the generator that a build folder was made with, and finds Visual Studio by itself.
  if (process.platform === 'win32') return ['-A', process.arch === 'arm64' ? 'ARM64' : 'x64'];
  if (existsSync(join(out, 'CMakeCache.txt'))) return [];
  return spawnSync('ninja', ['--version']).status === 0 ? ['-G', 'Ninja'] : [];
}

function cmake(args, folder, verbose) {
  const { status, stdout, stderr, error } = spawnSync('cmake', args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: verbose ? 'inherit' : 'pipe',
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(error ? `cmake did not start: ${error.message}` : 'The native build failed; the reason is above.');
}

function runTest(folder, out, target, { name, leavesOut = {}, needs }) {
  const program = join(out, target.startsWith('win32-') ? `${name}.exe` : name);
  if (needs !== undefined && !existsSync(program)) {
    console.log(`native: ${name} is left out on ${target}: it needs ${needs}.`);
    return;
  }
  const isEmulated = crossTarget(target) !== undefined;
  const leftOut = isEmulated ? (leavesOut[target] ?? []) : [];
  const { command, args } = emulated(
    target,
    program,
    leftOut.map((test) => `-${test}`),
  );
  // What Wine takes for a Windows installation is made in the first run and kept, unless WINEPREFIX names another.
  const wine = { WINEDEBUG: '-all', WINEPREFIX: join(folder, 'build', 'wine') };
  const log = join(out, `${name}.log`);
  const output = openSync(log, 'w');
  const { status, signal, error } = spawnSync(command, args, {
    env: { ...wine, ...process.env },
    timeout: isEmulated ? emulatedTestTimeoutMs : testTimeoutMs,
    // Wine can write to files, not to pipes.
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  // As a terminal shows it in the end: what was written over is left out.
  process.stdout.write(readFileSync(log, 'utf8').replace(/[^\n]*\r(?!\n)/g, ''));
  if (status !== 0) fail(`${name} failed: ${error?.message ?? signal ?? `exit code ${status}`}`);
}
