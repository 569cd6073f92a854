// The one way in: node scripts/run.mjs <command> [arguments for the program]; the commands are at the end.
// Node built-ins only, so that it runs in a fresh clone; pnpm is started through npx in the version that package.json names.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { hostTarget, missingBuildTools } from '../packages/iocp-core/native-build/index.mjs';
import {
  addons,
  buildAddon,
  buildAddons,
  countTests,
  essentialTests,
  Failure,
  manifest,
  node,
  pnpm,
  root,
  step,
  vitest,
  without,
} from './steps.mjs';
import { testArm64 } from './test-arm64.mjs';
import { testNodes } from './test-nodes.mjs';
import { testRuntimes } from './test-runtimes.mjs';
import { testWindows } from './windows/test-windows.mjs';

const echo = join(root, 'apps', 'echo', 'dist', 'main.js');

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
  await step('installing them elsewhere', () => pnpm(['run', 'check:installs'], { quiet: true }));
  await step('testing native code', () => buildAddons(['--tests']));
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

/** Builds the addons with AddressSanitizer and UBSan. Returns the environment in which a process loads them. */
async function setUpSanitized(args) {
  if (process.platform !== 'linux') throw new Failure('The sanitizers are for Linux only.');
  await setUp(testMinimum);
  await step('building native code with sanitizers', () =>
    buildAddons(['--sanitize', 'address,undefined', ...args]),
  );
  const sanitizedAddons = Object.values(addons).map(({ folder, variable }) => [
    variable,
    join(folder, 'build', `${hostTarget}-asan`),
  ]);
  return {
    ...Object.fromEntries(sanitizedAddons),
    IOCP_TEST_SANITIZED: '1',
    // JavaScript.
    IOCP_TEST_WITHOUT: 'node',
    LD_PRELOAD: compilerFile('libasan.so'),
    // Leaks are looked for in the native tests, where nothing but our code runs: V8 and vitest's bundler leave
    // memory behind when a process ends, and one of our own leaks could not be told from those.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

async function testAsan() {
  const sanitized = await setUpSanitized(['--tests']);
  const withoutNativeCode = [
    'test/repository/**',
    'test/backend/node/**',
    'test/layer/**',
    'test/addon/**',
    // TLS: other engines than the native one, and what is JavaScript with any engine.
    'test/node-engine.test.ts',
    'test/certificate-files.test.ts',
    'test/compat/**',
    // curl does not start with the sanitizer's library before it.
    'test/https.test.ts',
    'test/programs/**',
    // Long, and mostly JavaScript: what they do to native code, others do as well.
    'test/stack.test.ts',
    'test/datagram-channels.test.ts',
    'test/tls-connections.test.ts',
    'test/websocket-slow-consumers.test.ts',
    'test/stress/**',
  ];
  await countTests('test:asan', async (env) => {
    for (const name of ['iocp-core', 'tls', 'websocket', 'conformance']) {
      // Started without turbo and npx, which would drop the environment or run under the sanitizer themselves.
      const options = { cwd: join(root, 'packages', name), env: { ...sanitized, ...env } };
      await node([vitest, 'run', ...without(withoutNativeCode), ...essentialTests(name)], options);
    }
  });
}

/** Random input for TLS and WebSocket, one after the other; the arguments are those of scripts/fuzz.mjs of these packages. */
async function testFuzz(args) {
  const sanitized = await setUpSanitized([]);
  await countTests('test:fuzz', async (env) => {
    for (const { folder } of [addons.tls, addons.websocket]) {
      await node([join(folder, 'scripts', 'fuzz.mjs'), ...args], { env: { ...sanitized, ...env } });
    }
  });
}

/**
 * The native tests of core alone: the other addons have no thread, and V8 is not built for this sanitizer, which then takes its
 * locks and its memory for races.
 */
async function testTsan() {
  if (process.platform !== 'linux') throw new Failure('test:tsan runs on Linux only.');
  await setUp(runtimeMinimum, ['@iocp/core']);
  await step('building and testing native code with the thread sanitizer', () =>
    buildAddon(addons.core, ['--sanitize', 'thread', '--tests']),
  );
}

/** The binaries that are published, and what is published with them. */
async function testPrebuilds(targets) {
  await setUp(testMinimum);
  await step('building the binaries to publish', async () => {
    for (const { folder } of Object.values(addons)) {
      await node([join(folder, 'scripts', 'build-prebuilds.mjs'), ...targets], { quiet: true });
    }
  });
  await step('installing the packages with and without them', () =>
    pnpm(['run', 'check:installs'], { quiet: true }),
  );
}

async function testUnderWine(args) {
  await setUp(testMinimum);
  await testWindows(args);
}

async function testEmulated(args) {
  await setUp(testMinimum);
  await testArm64(args);
}

async function testWithEachNode(args) {
  await setUp(testMinimum);
  await testNodes(args);
}

async function testElsewhere(args) {
  await setUp(runtimeMinimum);
  await testRuntimes(args);
}

const commands = {
  start,
  bench,
  test,
  'test:asan': testAsan,
  'test:tsan': testTsan,
  'test:fuzz': testFuzz,
  'test:prebuilds': testPrebuilds,
  'test:nodes': testWithEachNode,
  'test:runtimes': testElsewhere,
  'test:arm64': testEmulated,
  'test:windows': testUnderWine,
};
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
