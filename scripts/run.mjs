// The one way in: node scripts/run.mjs start | test | bench | test:asan [arguments for the program].
// Node built-ins only, so that it runs in a fresh clone; pnpm is started through npx in the version that package.json names.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingBuildTools } from '../packages/iocp-core/scripts/build-tools.mjs';
import { readResults } from './test-results.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const corePackage = join(root, 'packages', 'iocp-core');
const buildNative = join(corePackage, 'scripts', 'build-native.mjs');
const echo = join(root, 'apps', 'echo', 'dist', 'main.js');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

const quietTools = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };

class Failure extends Error {}

/** Runs a program to its end. Its output is shown, or with `quiet` kept and shown only when it fails. */
function run(command, args, { cwd = root, env = {}, quiet = false, shell = false } = {}) {
  return new Promise((resolveRun, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      shell,
    });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    const stopForwarding = forwardSignals(child);
    child.on('error', (error) => reject(new Failure(`${command} did not start: ${error.message}`)));
    child.on('close', (code, signal) => {
      stopForwarding();
      if (code === 0) return resolveRun();
      if (quiet) process.stderr.write(`\n${Buffer.concat(output)}`);
      reject(new Failure(signal ? `stopped by ${signal}` : `exit code ${code}`));
    });
  });
}

/** The child decides how it ends. A terminal sends Ctrl-C to both, so that one is not sent a second time. */
function forwardSignals(child) {
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const handler = () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    process.on(signal, handler);
    return [signal, handler];
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

const node = (args, options) => run(process.execPath, args, options);
const pnpm = (args, options) =>
  run('npx', ['-y', manifest.packageManager, ...args], {
    ...options,
    env: { ...quietTools, ...options?.env },
    shell: process.platform === 'win32',
  });

/** One line for a step of the set-up: its name and how long it took. What it prints is shown only if it fails. */
async function step(name, work) {
  const started = performance.now();
  process.stdout.write(`${name}… `);
  try {
    await work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${name} failed: ${error.message}`) : error;
  }
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

function isOlderThan(version, minimum) {
  const [major, minor] = version.split('.').map(Number);
  const [minimumMajor, minimumMinor = 0] = minimum.split('.').map(Number);
  return major < minimumMajor || (major === minimumMajor && minor < minimumMinor);
}

function checkTools(nodeMinimum) {
  const missing = missingBuildTools();
  if (isOlderThan(process.versions.node, nodeMinimum)) {
    missing.unshift(`Node.js ${process.versions.node} is too old here: install ${nodeMinimum} or newer.`);
  }
  if (missing.length > 0) throw new Failure(missing.join('\n'));
}

const runtimeMinimum = manifest.engines.node.replace('>=', '');
// vitest needs a newer Node.js than the packages themselves.
const testMinimum = '20.19';

async function setUp(nodeMinimum, packages = []) {
  checkTools(nodeMinimum);
  const filters = packages.map((name) => `--filter=${name}`);
  await step('installing', () => pnpm(['install', '--frozen-lockfile'], { quiet: true }));
  await step('building', () => pnpm(['exec', 'turbo', 'run', 'build', ...filters], { quiet: true }));
}

/** Runs tests with a folder for their results, then says how many there were. */
async function countTests(name, work) {
  const kept = process.env.IOCP_TEST_RESULTS;
  const folder = kept ? join(kept, name.replaceAll(':', '-')) : mkdtempSync(join(tmpdir(), 'iocp-results-'));
  let outcome = 'failed';
  try {
    await work({ IOCP_TEST_RESULTS: folder });
    outcome = 'ok';
  } finally {
    console.log(`\n${name} ${outcome}: ${readResults(folder)}`);
    if (!kept) rmSync(folder, { recursive: true, force: true });
  }
}

async function start(args) {
  await setUp(runtimeMinimum, ['@iocp/echo']);
  await node([echo, 'demo', ...args]);
}

async function bench(args) {
  await setUp(runtimeMinimum, ['@iocp/echo']);
  await node([echo, 'bench', ...args]);
}

async function test() {
  await setUp(testMinimum);
  await step('linting', () => pnpm(['run', 'lint'], { quiet: true }));
  await step('checking types', () => pnpm(['run', 'typecheck'], { quiet: true }));
  await step('checking packages', () => pnpm(['run', 'check:packages'], { quiet: true }));
  await step('testing native code', () => node([buildNative, '--tests'], { quiet: true }));
  await countTests('test', (env) =>
    // One package at a time: tests that measure time or count descriptors want the machine for themselves.
    pnpm(['exec', 'turbo', 'run', 'test', '--concurrency=1', '--continue'], { env }),
  );
}

/** The file that g++ or clang++ names for one of its runtime libraries; its bare name means there is none. */
function compilerFile(name) {
  const compiler = process.env.CXX ?? 'c++';
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' });
  const file = stdout?.trim() ?? '';
  if (file === '' || file === name) {
    throw new Failure(`${name} is missing: install it, e.g. "apt-get install g++".`);
  }
  return file;
}

async function testAsan() {
  if (process.platform !== 'linux') throw new Failure('test:asan runs on Linux only.');
  await setUp(testMinimum);
  await step('building and testing native code with sanitizers', () =>
    node([buildNative, '--sanitize', 'address,undefined', '--tests'], { quiet: true }),
  );
  const sanitized = {
    IOCP_ADDON: join(corePackage, 'build', `${process.platform}-${process.arch}-asan`),
    IOCP_TEST_SANITIZED: '1',
    LD_PRELOAD: compilerFile('libasan.so'),
    // Leaks are looked for in the native tests above, where nothing but our code runs: V8 and vitest's bundler leave
    // memory behind when a process ends, and one of our own leaks could not be told from those.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
  await countTests('test:asan', async (env) => {
    for (const name of ['iocp-core', 'conformance']) {
      // Started without turbo and npx, which would drop the environment or run under the sanitizer themselves.
      const options = { cwd: join(root, 'packages', name), env: { ...sanitized, ...env } };
      // The rules of the repository read sources and load no native code.
      await node([vitest, 'run', '--exclude', 'test/repository/**'], options);
    }
  });
}

const commands = { start, bench, test, 'test:asan': testAsan };
const [name, ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
try {
  if (command === undefined) {
    throw new Failure(`usage: node scripts/run.mjs ${Object.keys(commands).join(' | ')} [arguments]`);
  }
  await command(args);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
