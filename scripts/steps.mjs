// What the commands of run.mjs are made of: starting programs, and saying what is done. Node built-ins only.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFailures, readResults } from './test-results.mjs';

/** The folder of the repository. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** What runs the tests of a package: started directly by those commands that need an environment of their own. */
export const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

const addonOf = (folder, file, variable) => ({ folder: join(root, 'packages', folder), file, variable });
/** The packages with an addon: its file, and the environment variable that names another one to load. */
export const addons = {
  core: addonOf('iocp-core', 'iocp_core.node', 'IOCP_ADDON'),
  tls: addonOf('tls', 'iocp_tls.node', 'IOCP_TLS_ADDON'),
  websocket: addonOf('websocket', 'iocp_websocket.node', 'IOCP_WEBSOCKET_ADDON'),
};

/** Test files of what is JavaScript whatever runs it, and long: `npm test` runs them, and nothing else does. */
const onceFiles = [
  'test/channel-memory.test.ts',
  'test/channel-from-duplex.test.ts',
  'test/channel-tls.test.ts',
  'test/tls-channel-suite.test.ts',
  'test/engine-suite-catches.test.ts',
  'test/websocket-server.test.ts',
  'test/websocket-client.test.ts',
  'test/websocket-layer.test.ts',
  'test/websocket-control.test.ts',
  'test/websocket-suite-catches.test.ts',
];
/** Leaves them out, and these: arguments for vitest. */
export const without = (files = []) => [...onceFiles, ...files].flatMap((pattern) => ['--exclude', pattern]);

/** What other systems, releases and sanitizers can change in a package that is JavaScript but for a little; in others all. */
const essentialFiles = { websocket: ['test/native', 'test/codec', 'test/ws/ours'] };
/** The test files for such a run, as arguments for vitest; none: all of them. */
export const essentialTests = (folder) => essentialFiles[folder] ?? [];

const quietTools = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };

/** Ends a command with this message and no stack. */
export class Failure extends Error {}

/** Runs a program to its end. Its output is shown, or with `quiet` kept and shown only when it fails. */
export function run(command, args, { cwd = root, env = {}, quiet = false, shell = false } = {}) {
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

/** Runs a script with this Node.js. */
export const node = (args, options) => run(process.execPath, args, options);
/** Runs build-native.mjs of a package with these arguments. */
export const buildAddon = ({ folder }, args, env) =>
  node([join(folder, 'scripts', 'build-native.mjs'), ...args], { quiet: true, env });
/** The same for all packages with an addon. */
export async function buildAddons(args, env) {
  for (const addon of Object.values(addons)) await buildAddon(addon, args, env);
}
/** Runs pnpm, in the version that package.json names. */
export const pnpm = (args, options) =>
  run('npx', ['-y', manifest.packageManager, ...args], {
    ...options,
    env: { ...quietTools, ...options?.env },
    shell: process.platform === 'win32',
  });

/** One line for a step of the set-up: its name and how long it took. What it prints is shown only if it fails. */
export async function step(name, work) {
  const started = performance.now();
  process.stdout.write(`${name}… `);
  try {
    await work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${name} failed: ${error.message}`) : error;
  }
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** Runs tests with a folder for their results, then says how many there were. */
export async function countTests(name, work) {
  const kept = process.env.IOCP_TEST_RESULTS;
  const folder = kept ? join(kept, name.replaceAll(':', '-')) : mkdtempSync(join(tmpdir(), 'iocp-results-'));
  let outcome = 'failed';
  try {
    await work({ IOCP_TEST_RESULTS: folder });
    outcome = 'ok';
  } finally {
    // At the end, where nothing scrolls it away.
    for (const failure of readFailures(folder)) console.log(`\nFAILED ${failure}`);
    console.log(`\n${name} ${outcome}: ${readResults(folder)}`);
    if (!kept) rmSync(folder, { recursive: true, force: true });
  }
}

/** Does the work for each of several names, whatever becomes of the others; fails at the end with all that failed. */
export async function forEach(names, work) {
  const failed = [];
  for (const name of names) {
    try {
      await work(name);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failed.push(`${name}: ${error.message}`);
    }
  }
  if (failed.length > 0) throw new Failure(failed.join('\n'));
}
