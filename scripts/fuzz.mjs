// Long runs of a package's fuzzers, which are tests in its test/fuzz.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** For the start, and for a machine that is busy or runs under a sanitizer. */
const graceMs = 240_000;

function wholeNumber(text, name) {
  if (/^\d+$/.test(text)) return Number(text);
  throw new RangeError(`--${name} must be a whole number, got '${text}'`);
}

/**
 * Runs each fuzzer for as long as `--seconds` says (60), from the seed on that `--seed` names (a new one). Ends with an exit code when
 * something crashes, hangs or comes out wrong, and names the seed.
 * @param folder of the package, as a URL
 * @param variables the names under which its tests are told both begin with this
 */
export function fuzz(folder, variables) {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const seconds = wholeNumber(values.seconds ?? '60', 'seconds');
  const seed = wholeNumber(values.seed ?? String(Math.floor(Math.random() * 2 ** 32)), 'seed');
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const cwd = fileURLToPath(folder);
  const fuzzers = readdirSync(join(cwd, 'test', 'fuzz')).filter((file) => file.endsWith('.test.ts')).length;
  const onPosix = process.platform !== 'win32';
  const child = spawn(process.execPath, [vitest, 'run', 'test/fuzz'], {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, [`${variables}_SECONDS`]: String(seconds), [`${variables}_SEED`]: String(seed) },
    // A group of its own: a process in an endless loop ends with those who started it.
    detached: onPosix,
  });
  const stop = (signal) => (onPosix ? process.kill(-child.pid, signal) : child.kill(signal));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
  const patience = setTimeout(
    () => {
      console.error('It hangs.');
      stop('SIGKILL');
    },
    // One may have to wait for the other.
    fuzzers * seconds * 1000 + graceMs,
  );
  child.on('close', (code) => {
    clearTimeout(patience);
    if (code === 0) return;
    console.error(`Found with seed ${seed}: node scripts/fuzz.mjs --seed ${seed}`);
    process.exitCode = 1;
  });
}
