// What addons are built for, named as Node.js names it: <platform>-<arch>. Node built-ins only.

/** The system this runs on. */
export const hostTarget = `${process.platform}-${process.arch}`;

/** The systems whose binaries are published. */
export const prebuiltTargets = ['linux-x64', 'linux-arm64', 'win32-x64'];

/** What a build for another system than this one takes; cmake/<target>.cmake names the compiler to CMake. */
const crossTargets = {
  'linux-arm64': {
    compiler: { program: 'aarch64-linux-gnu-g++', debian: 'g++-aarch64-linux-gnu' },
    emulator: {
      program: 'qemu-aarch64',
      debian: 'qemu-user',
      arguments: ['-L', '/usr/aarch64-linux-gnu'],
    },
  },
  'win32-x64': {
    compiler: { program: 'x86_64-w64-mingw32-g++-posix', debian: 'g++-mingw-w64-x86-64-posix' },
    emulator: {
      program: 'wine',
      debian: 'wine wine64',
      arguments: [],
    },
  },
};

export const crossTargetNames = Object.keys(crossTargets);

/** Whether there is native code for the system; where there is none, what is in JavaScript serves. */
export function hasNativeBackend(target) {
  return target.startsWith('linux-') || target.startsWith('win32-');
}

/** Compiler and emulator of a target, or undefined when it is this machine's own. */
export function crossTarget(target) {
  return target === hostTarget ? undefined : crossTargets[target];
}

/** How a program built for `target` is run here: what to pass to spawn. */
export function emulated(target, program, args) {
  const emulator = crossTarget(target)?.emulator;
  if (emulator === undefined) return { command: program, args };
  return { command: emulator.program, args: [...emulator.arguments, program, ...args] };
}
