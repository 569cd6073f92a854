// A second copy of the repository for Windows programs: Wine shows the symbolic links of pnpm's usual layout as plain
// folders, and so modules load twice or not at all. The copy has the same lockfile and a layout without such links.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pnpm, root } from '../steps.mjs';

const workspaceFile = 'pnpm-workspace.yaml';

const windowsSettings = `
nodeLinker: hoisted
supportedArchitectures:
  os: [current, win32]
  cpu: [current, x64]
`;

/** What the repository is built to, which git does not list: JavaScript, and the addons for Windows. */
const builtFiles = ['packages/*/dist/**', 'apps/*/dist/**', 'packages/*/build/win32-x64/*.node'];

const listFiles = (...args) =>
  execFileSync('git', ['ls-files', '-z', '--exclude-standard', ...args], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));

/** Brings the copy in `folder` up to date with the working tree and installs what it depends on. */
export async function refreshTree(folder) {
  const files = [...listFiles('--cached', '--others'), ...listFiles('--others', '--ignored', ...builtFiles)];
  removeOthers(folder, files);
  for (const file of files) copyIfChanged(join(root, file), join(folder, file));
  appendFileSync(join(folder, workspaceFile), windowsSettings);
  await pnpm(['install', '--frozen-lockfile'], { cwd: folder, quiet: true });
  linkPackagesOnce(folder, files);
}

/** What an earlier run has copied and the repository has no more. */
function removeOthers(folder, files) {
  const list = join(folder, 'build', 'copied.json');
  const copied = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  const wanted = new Set(files);
  for (const file of copied) if (!wanted.has(file)) rmSync(join(folder, file), { force: true });
  mkdirSync(dirname(list), { recursive: true });
  writeFileSync(list, JSON.stringify(files));
}

function copyIfChanged(from, to) {
  const source = statSync(from);
  const target = statSync(to, { throwIfNoEntry: false });
  if (target?.size === source.size && target.mtimeMs === source.mtimeMs) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  utimesSync(to, source.atime, source.mtime);
}

/** One link to each package of ours, in the root: what is reached by two paths would be two modules. */
function linkPackagesOnce(folder, files) {
  const scope = join(folder, 'node_modules', '@iocp');
  rmSync(scope, { recursive: true, force: true });
  mkdirSync(scope);
  for (const file of files.filter((name) => /^[^/]+(\/[^/]+)?\/package\.json$/.test(name))) {
    const { name } = JSON.parse(readFileSync(join(root, file), 'utf8'));
    const packageFolder = join(folder, dirname(file));
    rmSync(join(packageFolder, 'node_modules', '@iocp'), { recursive: true, force: true });
    symlinkSync(relative(scope, packageFolder), join(scope, name.replace('@iocp/', '')));
  }
}
