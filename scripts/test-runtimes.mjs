// npm run test:runtimes: the built packages under Bun and Deno, where backend and TLS engine are `node` (Linux x64).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { hostTarget } from '../packages/iocp-core/native-build/index.mjs';
import { fetchedProgram } from './node-versions.mjs';
import { Failure, forEach, root, step } from './steps.mjs';

/** The package with the program itself: nothing is installed, and no script of it runs. */
const runtimes = {
  bun: { name: '@oven/bun-linux-x64', version: '1.4.5', program: 'bin/bun', args: ['run'] },
  deno: {
    name: '@deno/linux-x64-glibc',
    version: '2.9.6',
    program: 'deno',
    args: ['run', '--allow-all', '--quiet'],
  },
};
const deadlineMs = 60_000;

/** @param names the runtimes to test with; without any, all of them */
export async function testRuntimes(names) {
  if (hostTarget !== 'linux-x64') throw new Failure('test:runtimes has programs for Linux x64 only.');
  await forEach(names.length > 0 ? names : Object.keys(runtimes), (name) =>
    step(`an exchange under ${name}`, () => exchangeUnder(name)),
  );
}

function exchangeUnder(name) {
  const runtime = runtimes[name];
  if (runtime === undefined) throw new Failure(`No ${name} is pinned: there are ${Object.keys(runtimes)}.`);
  const program = fetchedProgram(runtime.name, runtime.version, runtime.program);
  const said = execFileSync(program, [...runtime.args, 'test/fixtures/exchange.mjs'], {
    cwd: join(root, 'packages', 'conformance'),
    encoding: 'utf8',
    timeout: deadlineMs,
  }).trim();
  if (said !== 'node node') throw new Failure(`it ran on ${said}`);
}
