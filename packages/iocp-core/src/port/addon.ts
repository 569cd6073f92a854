/** Finds and loads the native addon. */

import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IoError } from '../layer/errors.js';
import type { NativeBinding } from './binding.js';

const fileName = 'iocp_core.node';

/** What became of one place where the addon may be. */
interface Attempt {
  readonly path: string;
  readonly reason: string;
}

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded once per thread. Looks at `IOCP_ADDON` (a `.node` file or a folder with `iocp_core.node`) and nowhere
 * else when it is set; otherwise in this package: `build/<platform>-<arch>`, `build/Release`, `prebuilds/<platform>-<arch>`
 * (`-musl` on systems with musl).
 * @throws {IoError} `ERR_IOCP_NO_BACKEND` with every place that was tried.
 */
export function loadAddon(): NativeBinding {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const attempts: Attempt[] = [];
  for (const path of addonPaths()) {
    if (!existsSync(path)) {
      attempts.push({ path, reason: 'there is no such file' });
      continue;
    }
    try {
      loaded = require(path) as NativeBinding;
      return loaded;
    } catch (error) {
      attempts.push({ path, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw notLoaded(attempts);
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

function notLoaded(attempts: readonly Attempt[]): IoError {
  const places = attempts.map(({ path, reason }) => `\n  ${path}: ${reason}`).join('');
  return new IoError(
    `The native addon could not be loaded. Build it ("npm run build:native" in the package), or set IOCP_ADDON to a built ${fileName}. Tried:${places}`,
    { code: 'ERR_IOCP_NO_BACKEND' },
  );
}
