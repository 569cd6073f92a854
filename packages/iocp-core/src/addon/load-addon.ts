import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { packageFolder } from './package-folder.js';

const notFoundReason = 'there is no such file';

/** Where an addon is. */
export interface AddonLocation {
  /** Name of its file, for example `'iocp_core.node'`. */
  readonly fileName: string;
  /** `import.meta.url` of a module of the package that it belongs to. */
  readonly module: string;
  /** The environment variable that names another file, or a folder with one. */
  readonly variable: string;
  /** What it takes from the Node.js it runs in, for messages: "the addon needs …". */
  readonly needs: string;
}

/** Why an addon is not loaded. */
export class AddonError extends Error {
  /** `ENOENT`: there is none; `ENOSYS`: not under this runtime; else the code of the first one that did not load, for example `ERR_DLOPEN_FAILED`. */
  readonly code: string;
  /** What to change so that it can be loaded. */
  readonly hint: string;

  /** @param message every place that was tried, with what became of it */
  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AddonError';
    this.code = code;
    this.hint = hint;
  }
}

/** What became of one place where the addon may be. */
interface Attempt {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
  readonly cause?: unknown;
}

/**
 * Loads an addon; a second time in the same thread it is the same one. Looks at the environment variable (a `.node` file or
 * a folder with `fileName`) and nowhere else when it is set and not empty; otherwise in the package:
 * `build/<platform>-<arch>`, `build/Release`, `prebuilds/<platform>-<arch>` (`-musl` on systems with musl). A file that does
 * not load does not end the search. Not under Bun and Deno, which lack what our addons take from Node.js: it would end
 * the process.
 * @param versions tells which runtime this is; default `process.versions`
 * @returns what the addon exports, unchecked
 * @throws {AddonError}
 */
export function loadAddon<Binding>(
  location: AddonLocation,
  versions: NodeJS.ProcessVersions = process.versions,
): Binding {
  const runtime = foreignRuntime(versions);
  if (runtime !== undefined) {
    throw new AddonError(
      'ENOSYS',
      `the addon needs ${location.needs}, and ${runtime} does not have it`,
      'run it with Node.js',
    );
  }
  const require = createRequire(import.meta.url);
  const attempts: Attempt[] = [];
  for (const path of addonPaths(location)) {
    if (!existsSync(path)) {
      attempts.push({ path, code: 'ENOENT', reason: notFoundReason });
      continue;
    }
    try {
      return require(path) as Binding;
    } catch (error) {
      const { code = 'ERR_DLOPEN_FAILED', message } = error as NodeJS.ErrnoException;
      attempts.push({ path, code, reason: `dlopen failed: ${message}`, cause: error });
    }
  }
  throw notLoaded(location, attempts);
}

function foreignRuntime({ bun, deno }: NodeJS.ProcessVersions): string | undefined {
  if (bun !== undefined) return 'Bun';
  return deno === undefined ? undefined : 'Deno';
}

function* addonPaths({ fileName, module, variable }: AddonLocation): Generator<string> {
  const chosen = process.env[variable];
  if (chosen !== undefined && chosen !== '') {
    const path = resolve(chosen);
    yield statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, fileName) : path;
    return;
  }
  const folder = packageFolder(module);
  const target = `${process.platform}-${process.arch}`;
  yield join(folder, 'build', target, fileName);
  yield join(folder, 'build', 'Release', fileName);
  yield join(folder, 'prebuilds', target + (usesMusl() ? '-musl' : ''), fileName);
}

function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report !== undefined && report.header?.glibcVersionRuntime === undefined;
}

function notLoaded({ fileName, variable }: AddonLocation, attempts: readonly Attempt[]): AddonError {
  const broken = attempts.find(({ code }) => code !== 'ENOENT');
  const places = attempts.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
  const what = broken === undefined ? 'addon not found' : 'the addon could not be loaded';
  const hint = `build it ("npm run build:native" in the package), or set ${variable} to a built ${fileName}`;
  return new AddonError(broken?.code ?? 'ENOENT', `${what} at ${places}`, hint, broken?.cause);
}
