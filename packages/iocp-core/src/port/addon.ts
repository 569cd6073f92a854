/** Finds and loads the native addon. */

import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeBinding, NativeError, RejectedBackend } from './binding.js';

const fileName = 'iocp_core.node';
const notFoundReason = 'there is no such file';
const buildHint = `build it ("npm run build:native" in the package), or set IOCP_ADDON to a built ${fileName}`;

/** What became of one place where the addon may be. */
interface Attempt {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded once per thread. Looks at `IOCP_ADDON` (a `.node` file or a folder with `iocp_core.node`) and nowhere
 * else when it is set; otherwise in this package: `build/<platform>-<arch>`, `build/Release`, `prebuilds/<platform>-<arch>`
 * (`-musl` on systems with musl). Not under Bun and Deno, whose event loop is not the one it joins: it would end the process.
 * @throws {NativeError} whose `rejected` has one entry, for the backend `'addon'`, with every place that was tried.
 */
export function loadAddon(versions: NodeJS.ProcessVersions = process.versions): NativeBinding {
  if (loaded !== undefined) return loaded;
  const foreign = foreignRuntime(versions);
  if (foreign !== undefined) throw notLoaded(foreign);
  const require = createRequire(import.meta.url);
  const attempts: Attempt[] = [];
  for (const path of addonPaths()) {
    if (!existsSync(path)) {
      attempts.push({ path, code: 'ENOENT', reason: notFoundReason });
      continue;
    }
    try {
      loaded = require(path) as NativeBinding;
      return loaded;
    } catch (error) {
      const { code = 'ERR_DLOPEN_FAILED', message } = error as NodeJS.ErrnoException;
      attempts.push({ path, code, reason: `dlopen failed: ${message}` });
    }
  }
  throw notLoaded(rejectionOf(attempts));
}

/** Why the addon is not loaded under another runtime than Node.js (and Electron); undefined under these. */
function foreignRuntime({ bun, deno }: NodeJS.ProcessVersions): RejectedBackend | undefined {
  const name = bun !== undefined ? 'Bun' : deno !== undefined ? 'Deno' : undefined;
  if (name === undefined) return undefined;
  const reason = `the addon joins the event loop of Node.js (libuv), and ${name} has another`;
  return { backend: 'addon', code: 'ENOSYS', reason, hint: 'run it with Node.js' };
}

function* addonPaths(): Generator<string> {
  const chosen = process.env.IOCP_ADDON;
  if (chosen !== undefined && chosen !== '') {
    const path = resolve(chosen);
    yield statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, fileName) : path;
    return;
  }
  const root = packageRoot();
  const target = `${process.platform}-${process.arch}`;
  yield join(root, 'build', target, fileName);
  yield join(root, 'build', 'Release', fileName);
  yield join(root, 'prebuilds', target + (usesMusl() ? '-musl' : ''), fileName);
}

/** The nearest folder above this file that holds a package.json: this file is at different depths in src and dist. */
function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return start;
  }
}

function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report !== undefined && report.header?.glibcVersionRuntime === undefined;
}

function rejectionOf(attempts: readonly Attempt[]): RejectedBackend {
  const broken = attempts.find(({ code }) => code !== 'ENOENT');
  const places = attempts.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
  const reason = `${broken === undefined ? 'addon not found' : 'the addon could not be loaded'} at ${places}`;
  return { backend: 'addon', code: broken?.code ?? 'ENOENT', reason, hint: buildHint };
}

function notLoaded(rejected: RejectedBackend): NativeError {
  return Object.assign(new Error(rejected.reason), { rejected: [rejected] });
}
