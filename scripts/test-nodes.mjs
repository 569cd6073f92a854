// npm run test:nodes: the tests with each pinned release of Node.js, all with the one addon that is built already.
import { join } from 'node:path';
import { hostTarget } from '../packages/iocp-core/scripts/native-target.mjs';
import { nodeProgram, nodeVersions } from './node-versions.mjs';
import { countTests, forEach, root, run, vitest } from './steps.mjs';

const packages = ['iocp-core', 'tcp', 'udp', 'conformance'];
// What reads sources, and what is long and does not depend on the release.
const leftOut = ['test/repository/**', 'test/stress/**'];

/** What is pinned, but for the release that runs this: "npm test" is its test. */
const others = () =>
  Object.keys(nodeVersions).filter((major) => nodeVersions[major] !== process.versions.node);

/** @param majors the releases to test with, for example ['20', '24']; without any, all others that are pinned */
export async function testNodes(majors) {
  const args = [vitest, 'run', ...leftOut.flatMap((pattern) => ['--exclude', pattern])];
  await forEach(majors.length > 0 ? majors : others(), async (major) => {
    const program = nodeProgram(major, hostTarget);
    await countTests(`test:node${major}`, (env) =>
      forEach(packages, (name) => run(program, args, { cwd: join(root, 'packages', name), env })),
    );
  });
}
