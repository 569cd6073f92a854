/** What tests need to know about the system they run on. */

import { basename, join } from 'node:path';

/** As `PortOptions` names them. */
export type Backend = 'io_uring' | 'epoll' | 'iocp' | 'node';

/** Backends that must work on each platform. One that does not makes its tests fail: skipping would hide it. */
const platformBackends: Partial<Record<NodeJS.Platform, readonly Backend[]>> = {
  linux: ['io_uring', 'epoll', 'node'],
  win32: ['iocp', 'node'],
};

/** The backends of this platform. */
export const systemBackends = platformBackends[process.platform] ?? ['node'];

/**
 * Those that are left out: machines where one is forbidden name it in `IOCP_TEST_WITHOUT` (several with commas). Their
 * tests are to be reported as skipped.
 */
const without = (process.env.IOCP_TEST_WITHOUT ?? '').split(',');

/** The backends to test. */
export const backendsUnderTest: readonly Backend[] = systemBackends.filter((name) => !without.includes(name));

/**
 * Why tests are skipped on a backend, or undefined when they run.
 * @param nativeOnly why the backend `node` cannot be held to them, for tests that are about native code
 */
export function exclusionOf(backend: Backend, nativeOnly?: string): string | undefined {
  if (without.includes(backend)) return 'excluded by IOCP_TEST_WITHOUT';
  return backend === 'node' ? nativeOnly : undefined;
}

export const onWindows = process.platform === 'win32';

/** Set where Windows is Wine: what it does differently from Windows is said where this is used. */
export const underWine = process.env.IOCP_TEST_WINE !== undefined;

/**
 * How often a test of a reset may be tried again. Wine shuts a socket down before it closes it: when the peer of one that
 * is reset is quick enough, it sees an end.
 */
export const resetRetries = underWine ? 5 : 0;

/** How often a test that starts processes may be tried again. Wine fails to start one now and then: `spawn UNKNOWN`. */
export const spawnRetries = underWine ? 3 : 0;

/**
 * Where a backend can connect by a path. On Windows `node:net` has named pipes for that. The addon has the Unix sockets of
 * Windows, but Wine, which is what these tests know of Windows, has none.
 */
export function pathKind(backend: Backend): 'unix' | 'pipe' | 'none' {
  if (!onWindows) return 'unix';
  return backend === 'node' ? 'pipe' : 'none';
}

/** The addon's sockets where they are Wine's, which have neither the times of keep-alive nor `tcpInfo()`. */
export function isWineSocket(backend: Backend): boolean {
  return backend === 'iocp' && underWine;
}

/** Whether a datagram socket is refused an address that is not this machine's: Wine takes any. */
export const refusesForeignAddresses = !underWine;

/** How a group is left that was not joined: Wine has no better word. */
export const noMemberCode = underWine ? 'EINVAL' : 'EADDRNOTAVAIL';

/** Whether a datagram socket that is disconnected keeps the port that the system chose: Wine takes it away, as Linux does. */
export const keepsPortWhenDisconnected = !underWine;

/**
 * Whether one datagram can have a type of service and a source: Wine ignores the source, and has nothing for the type of
 * service.
 */
export const controlsSingleDatagrams = !underWine;

/** Whether a socket hears on after it was told that nobody has its peer's port: in Wine its receives wait for ever. */
export const hearsOnAfterAnswer = !underWine;

/**
 * Whether a connected datagram socket is told that nobody has its peer's port. On Windows libuv keeps it to itself, but does
 * not recognize it under the name that Wine has for it.
 */
export function isToldOfUnreachable(backend: Backend): boolean {
  return !onWindows || underWine || backend !== 'node';
}

/** A path to listen at, in a folder that is there; named pipes have a space of their own. */
export function socketPath(folder: string, name: string): string {
  return onWindows ? `\\\\.\\pipe\\${basename(folder)}-${name}` : join(folder, name);
}

/** Whether this Node.js has the option `reusePort` of `server.listen`, which the backend `node` needs. */
export const nodeHasReusePort = (() => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
})();
