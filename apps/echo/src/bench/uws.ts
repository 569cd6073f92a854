import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../user-error.js';

/**
 * A build of uWebSockets.js that runs on glibc 2.36. The project itself is not on npm, and its newer binaries want a newer
 * glibc.
 */
const packageName = '@trufflesuite/uws-js-unofficial';
const version = '20.30.0-unofficial.0';

const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'iocp-echo', `uws-${version}`);

/** The binary for this system and this Node.js. The package would otherwise fall back to JavaScript on its own. */
export const uwsBinary = join(
  folder,
  'node_modules',
  packageName,
  'binaries',
  `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`,
);

/** Installs uWebSockets.js with npm into a cache folder of the user's, unless it is there. @returns why it cannot be measured, if so */
export function installUws(): string | undefined {
  try {
    return install() ?? whyNotLoaded();
  } catch (error) {
    return describeError(error);
  }
}

function install(): string | undefined {
  if (existsSync(join(folder, 'node_modules', packageName))) return undefined;
  mkdirSync(folder, { recursive: true });
  const options = ['--prefix', folder, '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  const { status, stderr, error } = spawnSync('npm', ['install', ...options, `${packageName}@${version}`], {
    encoding: 'utf8',
  });
  if (error !== undefined) return `npm does not start: ${error.message}`;
  if (status === 0) return undefined;
  return `npm could not install ${packageName}: ${/^npm (?:error|ERR!) .*$/m.exec(stderr)?.[0] ?? stderr}`;
}

/** Tried in a process of its own: what a foreign binary does to this one is not known. */
function whyNotLoaded(): string | undefined {
  const { node, modules } = process.versions;
  if (!existsSync(uwsBinary)) {
    const system = `${process.platform}-${process.arch}`;
    return `${packageName}@${version} has no binary for Node.js ${node} (ABI ${modules}) on ${system}: use Node.js 18 or 20`;
  }
  const { status, stderr } = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', uwsBinary], {
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return `its binary does not load here: ${/^.*Error: .*$/m.exec(stderr)?.[0] ?? `exit code ${status}`}`;
}
