// Builds the addon from source into build/<platform>-<arch>/.
//   --sanitize <list>   with -fsanitize=<list>, into build/<platform>-<arch>-asan/ (or -tsan, -ubsan)
//   --tests             also builds the native unit tests and runs them
//   --debug             unoptimised, with debug information
//   --verbose           shows what CMake prints; otherwise it is shown only when the build fails
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missingBuildTools } from './build-tools.mjs';

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const { values: options } = parseArgs({
  options: {
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

function findCmakeJs() {
  const require = createRequire(import.meta.url);
  try {
    const paths = [packageDir, process.cwd(), ...(process.env.INIT_CWD ? [process.env.INIT_CWD] : [])];
    return join(dirname(require.resolve('cmake-js/package.json', { paths })), 'bin', 'cmake-js');
  } catch {
    return fail(
      'cmake-js is missing: a build from source needs it, install it with "npm install --save-dev cmake-js@8 node-addon-api@8 node-api-headers@1".',
    );
  }
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

function run(command, args, { what = 'The native build', show = options.verbose } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: packageDir,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: show ? 'inherit' : 'pipe',
  });
  if (status === 0) return;
  if (!show) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(error ? `${command} did not start: ${error.message}` : `${what} failed; the reason is above.`);
}

const missing = missingBuildTools();
if (missing.length > 0) fail(missing.join('\n'));
const cmakeJs = findCmakeJs();
const target = `${process.platform}-${process.arch}${sanitizerSuffix(options.sanitize)}`;
const out = join(packageDir, 'build', target);
const shared = ['--out', out, '--config', options.debug ? 'Debug' : 'Release', '--log-level', 'error'];
const defines = [
  `--CDNODE_EXECUTABLE=${process.execPath}`,
  `--CDIOCP_NATIVE_TESTS=${options.tests ? 'ON' : 'OFF'}`,
];
if (options.sanitize !== '') defines.push(`--CDIOCP_SANITIZE=${options.sanitize}`);

dropMovedBuild(out);
run(process.execPath, [cmakeJs, 'configure', ...shared, ...defines]);
run(process.execPath, [cmakeJs, 'build', ...shared, '--parallel', String(availableParallelism())]);
for (const addon of ['iocp_core.node', 'iocp_core_sim.node']) {
  if (!existsSync(join(out, addon))) fail(`The build ended without ${addon} in build/${target}.`);
}
console.log(`native: build/${target}`);

if (options.tests) {
  const ctestArguments = ['--test-dir', out, '--output-on-failure', '--no-tests=error'];
  run('ctest', ctestArguments, { what: 'A native test', show: true });
}
