// npm run test:windows: the tests with Node.js for Windows, under Wine.
import { basename, join } from 'node:path';
import { nodeProgram } from '../node-versions.mjs';
import { buildAddons, countTests, essentialTests, Failure, root, step, without } from '../steps.mjs';
import { readFiles } from '../test-results.mjs';
import { refreshTree } from './tree.mjs';
import { checkWine, Wine, windowsPath } from './wine.mjs';

const usage =
  'usage: npm run test:windows -- [--node 20|22] [--backend iocp|node] [--package <folder>]... [arguments for vitest]';

/** All but testkit, whose own tests are of JavaScript that knows no system. */
const packages = [
  'packages/iocp-core',
  'packages/tcp',
  'packages/udp',
  'packages/tls',
  'packages/websocket',
  'packages/conformance',
  'apps/echo',
  'examples',
];
const backends = ['iocp', 'node'];
/** Those whose tests run once for each backend, and for which, unless an argument says so: "node" is JavaScript, and long here. */
const backendsOf = {
  'packages/iocp-core': backends,
  'packages/tcp': backends,
  'packages/udp': backends,
  'packages/websocket': backends,
  'packages/conformance': ['iocp'],
};
// Wine 8 cannot run newer ones.
const nodeMajors = ['20', '22'];

/** Files of JavaScript that takes long under Wine, where processes start slowly. */
const leftOut = ['test/engine-conformance.test.ts', 'test/stack.test.ts', 'test/usage.test.ts'];

/** Files that have nothing to run on Windows, and why. Any other file in which no test runs fails the run. */
const notOnWindows = {
  'apps/echo/test/page.test.ts': 'the browser is one for Linux',
  'packages/conformance/test/descriptors.test.ts': 'Windows has no limit of descriptors to set',
  'packages/conformance/test/forbidden/forbidden.test.ts': 'Windows has neither io_uring nor seccomp',
  'packages/iocp-core/test/backend/node/datagram-multicast.test.ts':
    'the loopback of Windows need not carry multicasts',
  'packages/udp/test/allocation.test.ts': 'Wine is too slow for it, and it is about JavaScript',
  'packages/tcp/test/exhaustion.test.ts': 'Windows has no limit of descriptors to set',
  'packages/tls/test/programs/openssl.test.ts': 'the program is one for Linux',
  'packages/tls/test/programs/python.test.ts': 'the program is one for Linux',
  'packages/tls/test/programs/sslscan.test.ts': 'the program is one for Linux',
};

/** The prefix and the copy of the repository, kept between runs. */
const cache = join(root, 'build-windows');

function parse(args) {
  const options = { major: '20', backend: undefined, chosen: [], forVitest: [] };
  const rest = [...args];
  const value = (name, allowed) => {
    const given = rest.shift();
    if (!allowed.includes(given)) throw new Failure(`${name} takes ${allowed.join(', ')}.\n${usage}`);
    return given;
  };
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === '--node') options.major = value(arg, nodeMajors);
    else if (arg === '--backend') options.backend = value(arg, backends);
    else if (arg === '--package') options.chosen.push(value(arg, packages));
    else if (arg !== '--') options.forVitest.push(arg);
  }
  if (options.chosen.length === 0) options.chosen = packages;
  return options;
}

/** Runs the tests under Wine: of all packages and backends, unless the arguments say otherwise. */
export async function testWindows(args) {
  const { major, backend, chosen, forVitest } = parse(args);
  checkWine();
  const wine = new Wine(join(cache, 'prefix'));
  const tree = join(cache, 'tree');
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    wine.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupt);
  try {
    await step('preparing Wine', async () => wine.prepare());
    const native = ['--target', 'win32-x64', ...(chosen === packages ? ['--tests'] : [])];
    await step('building for Windows', () => buildAddons(native, { WINEPREFIX: wine.folder }));
    await step('copying for Windows', () => refreshTree(tree));
    const program = nodeProgram(major, 'win32-x64');
    const vitest = windowsPath(join(tree, 'node_modules', 'vitest', 'vitest.mjs'));
    await countTests(`test:windows:${major}`, async ({ IOCP_TEST_RESULTS: results }) => {
      const asked = backend === undefined ? undefined : [backend];
      const isPartial = forVitest.length > 0;
      const problems = [];
      for (const name of chosen) {
        if (interrupted) throw new Failure('interrupted');
        const extra = isPartial
          ? [...forVitest, '--passWithNoTests']
          : [...without(leftOut), ...essentialTests(basename(name))];
        const env = { ...settings(asked ?? backendsOf[name]), IOCP_TEST_RESULTS: windowsPath(results) };
        const code = await wine.run(program, [vitest, 'run', ...extra], { cwd: join(tree, name), env });
        if (code !== 0) problems.push(`${name}: exit code ${code}`);
      }
      if (!isPartial) problems.push(...whatDidNotRun(results, chosen, asked));
      if (problems.length > 0) throw new Failure(problems.join('\n'));
    });
  } finally {
    wine.stop();
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt);
  }
}

/** What the tests are to know. The tests of backends that are not wanted are reported as skipped. */
function settings(wanted = backends) {
  return {
    NO_COLOR: '1',
    IOCP_TEST_WINE: '1',
    // Programs for Linux are out of reach.
    IOCP_TEST_REQUIRE_PROGRAMS: undefined,
    IOCP_TEST_WITHOUT: backends.filter((name) => !wanted.includes(name)).join(',') || undefined,
  };
}

/** A run is worth something only if everything ran: every file, and every backend in every package that has them. */
function whatDidNotRun(results, chosen, asked) {
  const problems = [];
  const files = readFiles(results).map(({ name, tests }) => ({
    // From Z:\...\tree\packages\... or with forward slashes, as vitest gives it.
    name: name.replaceAll('\\', '/').split('/build-windows/tree/')[1],
    ran: tests.filter(({ status }) => status === 'passed' || status === 'failed'),
  }));
  for (const { name, ran } of files) {
    if (ran.length === 0 && notOnWindows[name] === undefined) problems.push(`${name}: no test ran`);
  }
  for (const name of chosen.filter((folder) => backendsOf[folder] !== undefined)) {
    const ran = files.filter((file) => file.name.startsWith(`${name}/`)).flatMap((file) => file.ran);
    for (const each of asked ?? backendsOf[name]) {
      const belongs = (title) => title === each || title.endsWith(` on ${each}`);
      if (!ran.some(({ ancestorTitles }) => ancestorTitles.some(belongs))) {
        problems.push(`${name}: no test ran on ${each}`);
      }
    }
  }
  return problems;
}
