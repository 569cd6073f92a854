// npm run test:windows: the tests with Node.js for Windows, under Wine.
import { join } from 'node:path';
import { nodeProgram } from '../node-versions.mjs';
import { buildNative, countTests, Failure, node, root, step } from '../steps.mjs';
import { readFiles } from '../test-results.mjs';
import { refreshTree } from './tree.mjs';
import { checkWine, Wine, windowsPath } from './wine.mjs';

const usage =
  'usage: npm run test:windows -- [--node 20|22] [--backend iocp|node] [--package <folder>] [arguments for vitest]';

const packages = [
  'packages/iocp-core',
  'packages/tcp',
  'packages/udp',
  'packages/testkit',
  'packages/conformance',
  'apps/echo',
  'examples',
];
/** Those whose tests run once for each backend. */
const testsEachBackend = new Set([
  'packages/iocp-core',
  'packages/tcp',
  'packages/udp',
  'packages/conformance',
]);
const backends = ['iocp', 'node'];
// Wine 8 cannot run newer ones.
const nodeMajors = ['20', '22'];

/** Files that have nothing to run on Windows, and why. Any other file in which no test runs fails the run. */
const notOnWindows = {
  'packages/conformance/test/descriptors.test.ts': 'Windows has no limit of descriptors to set',
  'packages/conformance/test/forbidden/forbidden.test.ts': 'Windows has neither io_uring nor seccomp',
  'packages/iocp-core/test/backend/node/datagram-multicast.test.ts':
    'the loopback of Windows need not carry multicasts',
  'packages/udp/test/allocation.test.ts': 'Wine is too slow for it, and it is about JavaScript',
  'packages/tcp/test/exhaustion.test.ts': 'Windows has no limit of descriptors to set',
};

/** The prefix and the copy of the repository, kept between runs. */
const cache = join(root, 'build-windows');

function parse(args) {
  const options = { major: '20', backend: undefined, chosen: packages, forVitest: [] };
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
    else if (arg === '--package') options.chosen = [value(arg, packages)];
    else if (arg !== '--') options.forVitest.push(arg);
  }
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
    if (backend !== 'node') {
      const native = [buildNative, '--target', 'win32-x64', ...(chosen === packages ? ['--tests'] : [])];
      await step('building for Windows', () =>
        node(native, { quiet: true, env: { WINEPREFIX: wine.folder } }),
      );
    }
    await step('copying for Windows', () => refreshTree(tree));
    const program = nodeProgram(major, 'win32-x64');
    const vitest = windowsPath(join(tree, 'node_modules', 'vitest', 'vitest.mjs'));
    await countTests(`test:windows:${major}`, async ({ IOCP_TEST_RESULTS: results }) => {
      const env = { ...settings(backend), IOCP_TEST_RESULTS: windowsPath(results) };
      const isPartial = forVitest.length > 0;
      const problems = [];
      for (const name of chosen) {
        if (interrupted) throw new Failure('interrupted');
        const extra = isPartial ? [...forVitest, '--passWithNoTests'] : [];
        const code = await wine.run(program, [vitest, 'run', ...extra], { cwd: join(tree, name), env });
        if (code !== 0) problems.push(`${name}: exit code ${code}`);
      }
      if (!isPartial) problems.push(...whatDidNotRun(results, chosen, backend));
      if (problems.length > 0) throw new Failure(problems.join('\n'));
    });
  } finally {
    wine.stop();
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt);
  }
}

/** What the tests are to know. Of one backend alone, the tests of the others are reported as skipped. */
function settings(backend) {
  return {
    NO_COLOR: '1',
    IOCP_TEST_WINE: '1',
    // Programs for Linux are out of reach.
    IOCP_TEST_REQUIRE_PROGRAMS: undefined,
    IOCP_TEST_WITHOUT:
      backend === undefined ? undefined : backends.filter((name) => name !== backend).join(','),
  };
}

/** A run is worth something only if everything ran: every file, and every backend in every package that has them. */
function whatDidNotRun(results, chosen, backend) {
  const problems = [];
  const files = readFiles(results).map(({ name, tests }) => ({
    // From Z:\...\tree\packages\... or with forward slashes, as vitest gives it.
    name: name.replaceAll('\\', '/').split('/build-windows/tree/')[1],
    ran: tests.filter(({ status }) => status === 'passed' || status === 'failed'),
  }));
  for (const { name, ran } of files) {
    if (ran.length === 0 && notOnWindows[name] === undefined) problems.push(`${name}: no test ran`);
  }
  for (const name of chosen.filter((folder) => testsEachBackend.has(folder))) {
    const ran = files.filter((file) => file.name.startsWith(`${name}/`)).flatMap((file) => file.ran);
    for (const each of backend === undefined ? backends : [backend]) {
      const belongs = (title) => title === each || title.endsWith(` on ${each}`);
      if (!ran.some(({ ancestorTitles }) => ancestorTitles.some(belongs))) {
        problems.push(`${name}: no test ran on ${each}`);
      }
    }
  }
  return problems;
}
