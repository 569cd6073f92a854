// npm run test:arm64: the tests on Linux for arm64, emulated by qemu-user. vitest itself, which only bundles and reports,
// runs on this machine's own Node.js; the processes it starts for the test files are the ones for arm64.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingBuildTools } from '../packages/iocp-core/scripts/build-tools.mjs';
import { emulated, hostTarget } from '../packages/iocp-core/scripts/native-target.mjs';
import { nodeProgram } from './node-versions.mjs';
import { buildNative, countTests, Failure, forEach, node, root, step, vitest } from './steps.mjs';

const target = 'linux-arm64';
/** UDP is tested there by the suites of conformance; its own tests are mostly of options that the emulator does not know. */
const packages = ['iocp-core', 'tcp', 'conformance'];
const standIn = fileURLToPath(new URL('./node-stand-in.cjs', import.meta.url));

/** Files that are not run. */
const leftOutFiles = [
  // Nothing there depends on the processor.
  'test/repository/**',
  'test/layer/**',
  'test/backend/node/**',
  'test/channel-memory.test.ts',
  'test/channel-from-duplex.test.ts',
  // Measures the emulator.
  'test/stress/**',
  // The emulator knows no seccomp.
  'test/forbidden/**',
];

/** Tests of what the emulator does not do. */
const leftOutTests = [
  // TCP_INFO is cut short.
  "Linux's own options and facts",
  'tcpInfo\\(\\) tells what the kernel counts',
  'a large send that moves slowly is no silence',
  // IP_BIND_ADDRESS_NO_PORT is not known.
  'from a local address that is in use or not ours',
  // Nor are options of datagram sockets, the queue of answers and memberships.
  'epoll options are set and read back',
  '(receiveTtl|busyPoll) is refused where it is not known',
  'what the network answers to datagrams can be taken',
  'what finds no room is dropped, and counted',
  'members of a group get what is sent to it',
  'a member may want one sender only',
];
const withoutThem = `^(?!.*(${leftOutTests.join('|')}))`;

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
    node([buildNative, '--target', target, '--tests'], { quiet: true }),
  );
  let program;
  await step('getting Node.js for arm64', async () => {
    program = writeStandIn();
  });
  // qemu-user does not have io_uring_setup(2), and "node" is JavaScript.
  const env = { IOCP_TEST_NODE: program, IOCP_TEST_WITHOUT: 'io_uring,node' };
  const options = ['--testTimeout=60000', '--hookTimeout=60000', '--testNamePattern', withoutThem];
  options.push(...leftOutFiles.flatMap((pattern) => ['--exclude', pattern]));
  await countTests('test:arm64', (results) =>
    forEach(packages, (name) =>
      node(['--require', standIn, vitest, 'run', ...options, ...args], {
        cwd: join(root, 'packages', name),
        env: { ...env, ...results },
      }),
    ),
  );
}
