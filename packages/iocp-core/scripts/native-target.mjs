// What the addon is built for, named as Node.js names it: <platform>-<arch>. Node built-ins only.

/** The system this runs on. */
export const hostTarget = `${process.platform}-${process.arch}`;

/** The systems whose binaries are published with the package. */
export const prebuiltTargets = ['linux-x64', 'linux-arm64', 'win32-x64'];

/** What a build for another system than this one takes; cmake/<target>.cmake names the compiler to CMake. */
const crossTargets = {
  'linux-arm64': {
    compiler: { program: 'aarch64-linux-gnu-g++', debian: 'g++-aarch64-linux-gnu' },
    emulator: {
      program: 'qemu-aarch64',
      debian: 'qemu-user',
      arguments: ['-L', '/usr/aarch64-linux-gnu'],
      // IP_BIND_ADDRESS_NO_PORT, SO_MEMINFO and most options for datagrams are unknown to it, options that are texts are
      // refused, TCP_INFO is cut short, and the error queue has no errors.
      leavesOut: [
        'net: an open socket knows its way',
        'net: options of Linux are set and read',
        'net: tcp_info has numbers',
        'net: UDP options ',
        'net: a multicast interface is chosen',
        'net: members ',
        'net: IPv6 groups are joined and left',
        'net: wrong memberships are refused',
        'net: who is no member does not leave',
        'net: the network answers ',
        'net: the machine answers itself',
        'net: dropped datagrams are counted',
      ],
    },
  },
  'win32-x64': {
    compiler: { program: 'x86_64-w64-mingw32-g++-posix', debian: 'g++-mingw-w64-x86-64-posix' },
    emulator: {
      program: 'wine',
      debian: 'wine wine64',
      arguments: [],
      // It binds datagram sockets to addresses that the machine does not have, and their port is lost with the connection.
      leavesOut: ['net: a UDP socket at foreign addresses is refused', 'net: a UDP socket is disconnected'],
    },
  },
};

export const crossTargetNames = Object.keys(crossTargets);

/** Whether there is a native backend for the system; where there is none, the backend in JavaScript serves. */
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
