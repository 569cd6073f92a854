import { describe } from 'vitest';

/** A native backend, as `PortOptions` names it. */
export type Backend = 'io_uring' | 'epoll';

/** Backends that must work on each platform. One that does not makes its tests fail: skipping would hide it. */
const platformBackends: Partial<Record<NodeJS.Platform, readonly Backend[]>> = {
  linux: ['io_uring', 'epoll'],
};

/**
 * Machines where a backend is forbidden name it in `IOCP_TEST_WITHOUT` (several with commas); its tests are then
 * reported as skipped.
 */
const without = new Set((process.env.IOCP_TEST_WITHOUT ?? '').split(',').filter((name) => name !== ''));

/** Runs `body` in a `describe` block for each backend of this platform. */
export function describeBackends(body: (backend: Backend) => void): void {
  const backends = platformBackends[process.platform];
  if (backends === undefined)
    throw new Error(`No backend is known for ${process.platform}: add it to platformBackends`);
  for (const backend of backends) {
    if (without.has(backend))
      describe.skip(`${backend} (excluded by IOCP_TEST_WITHOUT)`, () => body(backend));
    else describe(backend, () => body(backend));
  }
}
