// The program scripts/build-prebuilds.mjs of a package with an addon.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingOnSomeSystems } from './binary-needs.mjs';
import { prebuiltTargets } from './targets.mjs';

/**
 * Makes the binaries that are published with a package, prebuilds/<platform>-<arch>/<addon>, stripped. The arguments of the
 * process are the targets; without any, all of them. With `--check` nothing is built: all have to be there (before publishing).
 * Fails when a binary is missing or needs a newer system than Node.js itself does.
 * @param folder the package, with scripts/build-native.mjs and a rule for "cmake --install"
 * @param addon name of the file, for example 'iocp_core.node'
 */
export function buildPrebuilds({ folder, addon }) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { check: { type: 'boolean', default: false } },
  });
  for (const target of positionals.length > 0 ? positionals : prebuiltTargets) {
    const to = join(folder, 'prebuilds', target);
    try {
      if (!values.check) build(folder, target, to);
      const problems = problemsOf(target, join(to, addon));
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
}

function build(folder, target, to) {
  const buildNative = join(folder, 'scripts', 'build-native.mjs');
  execFileSync(process.execPath, [buildNative, '--target', target], { stdio: 'inherit' });
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const from = join(folder, 'build', target);
  execFileSync('cmake', ['--install', from, '--config', 'Release', '--strip', '--prefix', to], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** What keeps the binary of a target from being published. */
function problemsOf(target, binary) {
  if (!existsSync(binary)) return [`${binary} is missing: make it with "node scripts/build-prebuilds.mjs".`];
  return missingOnSomeSystems(target, binary).map(
    (need) => `${binary} needs ${need}, which not every system has that Node.js runs on.`,
  );
}
