// Installs every published package from its tarball into an empty project with npm, and uses them there: as ES modules
// and as CommonJS, with the native binaries and without them, with their types, and the program of @iocp/echo.
// It packs with pnpm, so run this through pnpm: "pnpm run check:installs".
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasNativeBackend, hostTarget } from '../packages/iocp-core/native-build/index.mjs';
import { publishedPackages } from './published-packages.mjs';
import { addons, root } from './steps.mjs';

const folder = mkdtempSync(join(tmpdir(), 'iocp-installs-'));
const project = join(folder, 'project');
/** Where the binaries for this system are: as they were built here, and as they are installed. */
const binaries = Object.entries(addons).map(([name, { folder: source, file }]) => ({
  built: join(source, 'build', hostTarget, file),
  installed: join(project, 'node_modules', '@iocp', name, 'prebuilds', hostTarget, file),
}));

/** Of others, for entries that need them: the ones that this repository has. */
const optionalPeers = ['ws', '@types/ws'];

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
  for (const peer of optionalPeers) {
    const here = join(addons.websocket.folder, 'node_modules', peer);
    cpSync(here, join(project, 'node_modules', peer), { recursive: true, dereference: true });
  }
}

/** Both module systems get the same: a port, TLS and masks in native code, or what is in JavaScript, with the reason. */
function checkPrograms(withBinaries) {
  for (const program of ['program.mjs', 'program.cjs']) {
    const said = run(process.execPath, [program]);
    const { backend, rejected, engine, mask } = JSON.parse(said);
    const reason = rejected.find(({ backend: name }) => name === 'addon');
    const isNative = backend !== 'node' && reason === undefined && engine === 'native' && mask;
    const isJavaScript = backend === 'node' && reason !== undefined && engine === 'node' && !mask;
    if (!(withBinaries ? isNative : isJavaScript)) {
      throw new Error(`${program} ${withBinaries ? 'with' : 'without'} the binaries: ${said}`);
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
    if (binaries.every(({ installed }) => existsSync(installed))) {
      check('with the binaries to publish', () => checkPrograms(true));
    }
    for (const { built, installed } of binaries) {
      mkdirSync(dirname(installed), { recursive: true });
      cpSync(built, installed);
    }
    check('with the binaries built here', () => checkPrograms(true));
    for (const { installed } of binaries) rmSync(installed);
  }
  check('without the binaries', () => checkPrograms(false));
  check('echo', checkEcho);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
