// A Wine prefix of our own, and Windows programs run in it.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../steps.mjs';

const shimSource = join(dirname(fileURLToPath(import.meta.url)), 'bcryptprimitives.c');
const compiler = 'x86_64-w64-mingw32-gcc-posix';

/** How often what a program has written is looked for. */
const followMs = 100;

/** Says what to install when Wine or the compiler for Windows is missing. */
export function checkWine() {
  const tools = [
    { program: 'wine', packages: 'wine wine64' },
    { program: 'wineserver', packages: 'wine wine64' },
    { program: compiler, packages: 'g++-mingw-w64-x86-64-posix' },
  ];
  const missing = tools.filter(({ program }) => spawnSync(program, ['--version']).error !== undefined);
  if (missing.length === 0) return;
  const names = missing.map(({ program }) => program).join(', ');
  const packages = [...new Set(missing.flatMap((tool) => tool.packages.split(' ')))].join(' ');
  throw new Failure(
    `missing: ${names}. Install them, e.g. "apt-get install --no-install-recommends ${packages}".`,
  );
}

/** The path as Windows programs in Wine know it: the root of the file system is drive Z. */
export function windowsPath(path) {
  return `Z:${path.replaceAll('/', '\\')}`;
}

export class Wine {
  /** Where the prefix is. */
  folder;
  #env;

  /** @param folder where the prefix is kept between runs */
  constructor(folder) {
    this.folder = folder;
    this.#env = {
      ...process.env,
      WINEPREFIX: folder,
      WINEDEBUG: '-all',
      // No offers to download Mono and Gecko.
      WINEDLLOVERRIDES: 'mscoree,mshtml=',
      // Node.js 22 refuses versions of Windows older than its own minimum.
      NODE_SKIP_PLATFORM_CHECK: '1',
    };
  }

  /** Makes the prefix unless an earlier run has: Windows 10, with the library that Wine lacks. */
  prepare() {
    const finished = join(this.folder, 'prepared');
    if (existsSync(finished)) return;
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    this.#tool('wineboot', ['--init']);
    this.#tool('wine', ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f']);
    const shim = join(this.folder, 'drive_c', 'windows', 'system32', 'bcryptprimitives.dll');
    if (!existsSync(shim)) this.#tool(compiler, ['-O2', '-shared', '-o', shim, shimSource, '-ladvapi32']);
    writeFileSync(finished, '');
  }

  /**
   * Runs a Windows program to its end and returns its exit code. Its output goes through a file, because Node.js under
   * Wine cannot write to the pipes of the outside; it is printed as it comes.
   */
  async run(program, args, { cwd, env = {} }) {
    const log = join(this.folder, 'output.log');
    const output = openSync(log, 'w+');
    try {
      const child = spawn('wine', [program, ...args], {
        cwd,
        env: { ...this.#env, ...env },
        stdio: ['ignore', output, output],
      });
      const reader = openSync(log, 'r');
      const follow = setInterval(() => printNew(reader), followMs);
      try {
        return await new Promise((resolve, reject) => {
          child.on('error', reject);
          child.on('exit', (code, signal) => resolve(code ?? `stopped by ${signal}`));
        });
      } finally {
        clearInterval(follow);
        printNew(reader);
        closeSync(reader);
      }
    } finally {
      closeSync(output);
    }
  }

  /** Ends every program of this prefix, and waits for its server. */
  stop() {
    const options = { env: this.#env, stdio: 'ignore' };
    spawnSync('wineserver', ['--kill'], options);
    spawnSync('wineserver', ['--wait'], options);
  }

  #tool(program, args) {
    const { status, error, stdout, stderr } = spawnSync(program, args, {
      env: this.#env,
      encoding: 'utf8',
    });
    if (status === 0) return;
    throw new Failure(`${program} ${args[0]}: ${error?.message ?? `${stdout}${stderr}`}`);
  }
}

function printNew(file) {
  const chunk = Buffer.alloc(64 * 1024);
  for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
    process.stdout.write(chunk.subarray(0, length));
  }
}
