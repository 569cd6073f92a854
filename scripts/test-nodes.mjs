// npm run test:nodes: the tests with each pinned release of Node.js, all with the same addons, which are built already.
import { join } from 'node:path';
import { hostTarget } from '../packages/iocp-core/native-build/index.mjs';
import { nodeProgram, nodeVersions } from './node-versions.mjs';
import { countTests, essentialTests, forEach, root, run, vitest, without } from './steps.mjs';

/** What touches what a release may change: its C interfaces, its streams, its OpenSSL. */
const packages = ['iocp-core', 'tls', 'websocket'];
/** And these in the newest one, which is the farthest from the one that "npm test" runs in. */
const packagesInNewest = ['iocp-core', 'tcp', 'udp', 'tls', 'websocket', 'conformance'];
// What reads sources, and what is long and does not depend on the release.
const leftOut = [
  'test/repository/**',
  'test/stress/**',
  'test/programs/**',
  'test/stack.test.ts',
  'test/datagram-channels.test.ts',
  'test/tls-connections.test.ts',
  'test/websocket-slow-consumers.test.ts',
];

/** What is pinned, but for the release that runs this: "npm test" is its test. */
const others = () =>
  Object.keys(nodeVersions).filter((major) => nodeVersions[major] !== process.versions.node);

/** @param majors the releases to test with, for example ['20', '24'], with all there is; without any, all others that are pinned */
export async function testNodes(majors) {
  const args = [vitest, 'run', ...without(leftOut)];
  const newest = Object.keys(nodeVersions).at(-1);
  await forEach(majors.length > 0 ? majors : others(), async (major) => {
    const chosen = major === newest || majors.length > 0 ? packagesInNewest : packages;
    const program = nodeProgram(major, hostTarget);
    await countTests(`test:node${major}`, (env) =>
      forEach(chosen, (name) =>
        run(program, [...args, ...essentialTests(name)], { cwd: join(root, 'packages', name), env }),
      ),
    );
  });
}
