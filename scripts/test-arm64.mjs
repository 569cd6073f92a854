// npm run test:arm64: the tests on Linux for arm64, emulated by qemu-user. vitest itself, which only bundles and reports,
// runs on this machine's own Node.js; the processes it starts for the test files are the ones for arm64.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emulated, hostTarget, missingBuildTools } from '../packages/iocp-core/native-build/index.mjs';
import { nodeProgram } from './node-versions.mjs';
import {
  buildAddons,
  countTests,
  essentialTests,
  Failure,
  forEach,
  node,
  root,
  step,
  vitest,
  without,
} from './steps.mjs';

const target = 'linux-arm64';
/** What is of native code, by package; the emulator is slow. UDP's own tests are mostly of options that it does not know. */
const testsOf = {
  'iocp-core': [],
  tls: ['test/native'],
  websocket: essentialTests('websocket'),
  conformance: ['test/driver', 'test/datagram-driver', 'test/channel-sockets', 'test/worker'],
};
const standIn = fileURLToPath(new URL('./node-stand-in.cjs', import.meta.url));

/** Files in which nothing depends on the processor. */
const leftOutFiles = ['test/layer/**', 'test/addon/**', 'test/backend/node/**'];

/** Every test but this: the emulator cuts TCP_INFO short. */
const withoutIt = "^(?!.*Linux's own options and facts)";

/** A program that stands for node: it starts the one for arm64, and calls itself by its own name there. */
function writeStandIn() {
  const folder = join(root, 'node_modules', '.cache', 'test-arm64');
  const { command, args } = emulated(target, nodeProgram(20, target), ['--require', standIn]);
  const quoted = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'node');
  writeFileSync(file, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  return file;
}

/** @param args arguments for vitest */
export async function testArm64(args) {
  if (hostTarget === target) throw new Failure('This machine is arm64: "npm test" is the test.');
  const missing = missingBuildTools(target, true);
  if (missing.length > 0) throw new Failure(missing.join('\n'));
  await step('building and testing native code for arm64', () =>
    buildAddons(['--target', target, '--tests']),
  );
  let program;
  await step('getting Node.js for arm64', async () => {
    program = writeStandIn();
  });
  // qemu-user does not have io_uring_setup(2), and "node" is JavaScript.
  const env = { IOCP_TEST_NODE: program, IOCP_TEST_WITHOUT: 'io_uring,node' };
  const options = ['--testTimeout=60000', '--hookTimeout=60000', '--testNamePattern', withoutIt];
  options.push(...without(leftOutFiles));
  await countTests('test:arm64', (results) =>
    forEach(Object.keys(testsOf), (name) =>
      node(['--require', standIn, vitest, 'run', ...options, ...(args.length > 0 ? args : testsOf[name])], {
        cwd: join(root, 'packages', name),
        env: { ...env, ...results },
      }),
    ),
  );
}
