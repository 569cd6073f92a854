// Installs every published package from its tarball into an empty project with npm, and uses them there: as ES modules
// and as CommonJS, with the native binary and without it, with their types, and the program of @iocp/echo.
// It packs with pnpm, so run this through pnpm: "pnpm run check:installs".
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasNativeBackend, hostTarget } from '../packages/iocp-core/scripts/native-target.mjs';
import { publishedPackages } from './published-packages.mjs';
import { corePackage, root } from './steps.mjs';

const folder = mkdtempSync(join(tmpdir(), 'iocp-installs-'));
const project = join(folder, 'project');
const binary = join('prebuilds', hostTarget, 'iocp_core.node');
const installedBinary = join(project, 'node_modules', '@iocp', 'core', binary);

/** What the installed packages are run with: nothing that points them to this repository. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('IOCP_')));

function run(command, args, cwd = project) {
  // On Windows all but node itself are scripts.
  const shell = process.platform === 'win32' && command !== process.execPath;
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, shell, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(' ')} failed\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`,
  );
}

function install() {
  const tarballs = join(folder, 'tarballs');
  const packages = publishedPackages();
  for (const { folder: source } of packages) run('pnpm', ['pack', '--pack-destination', tarballs], source);
  const files = readdirSync(tarballs).map((name) => `file:../tarballs/${name}`);
  if (files.length !== packages.length) throw new Error(`Packed ${files} of ${packages.length} packages`);
  const dependencies = Object.fromEntries(
    packages.map(({ manifest: { name } }) => [
      name,
      files.find((file) => file.includes(name.replace('@', '').replace('/', '-'))),
    ]),
  );
  cpSync(join(root, 'scripts', 'install-check'), project, { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, dependencies }));
  run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']);
}

/** Both module systems get the same port: on a native backend, or on the one in JavaScript with the reason. */
function checkPrograms(withBinary) {
  for (const program of ['program.mjs', 'program.cjs']) {
    const { backend, rejected } = JSON.parse(run(process.execPath, [program]));
    const reason = rejected.find(({ backend: name }) => name === 'addon');
    if ((backend === 'node') === withBinary || (reason === undefined) !== withBinary) {
      throw new Error(
        `${program} ${withBinary ? 'with' : 'without'} the binary: ${backend} ${JSON.stringify(rejected)}`,
      );
    }
  }
}

function checkTypes() {
  for (const kind of ['mts', 'cts']) cpSync(join(project, 'types.ts'), join(project, `types.${kind}`));
  rmSync(join(project, 'types.ts'));
  const compilerOptions = {
    module: 'node16',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    typeRoots: [join(root, 'node_modules', '@types')],
    types: ['node'],
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['types.*'] }));
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
}

function checkEcho() {
  const echo = join(project, 'node_modules', '@iocp', 'echo', 'dist', 'main.js');
  const help = run(join(project, 'node_modules', '.bin', 'iocp-echo'), ['--help']);
  if (!help.includes('Usage: iocp-echo')) throw new Error(`iocp-echo --help printed: ${help}`);
  run(process.execPath, [echo, 'demo', '--once', '--tcp', '127.0.0.1:0']);
}

function check(name, work) {
  work();
  console.log(`installed packages: ${name} ok`);
}

try {
  check('install', install);
  check('types', checkTypes);
  if (hasNativeBackend(hostTarget)) {
    // Binaries that are published are made for a release only.
    if (existsSync(installedBinary)) check(`with ${binary}`, () => checkPrograms(true));
    mkdirSync(dirname(installedBinary), { recursive: true });
    cpSync(join(corePackage, 'build', hostTarget, 'iocp_core.node'), installedBinary);
    check('with the binary built here', () => checkPrograms(true));
    rmSync(installedBinary);
  }
  check('without the binary', () => checkPrograms(false));
  check('echo', checkEcho);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
