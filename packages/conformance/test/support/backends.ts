import { describe } from 'vitest';
import { type Backend, exclusionOf, systemBackends } from '../../../../system.shared.js';

export type { Backend };

/**
 * Runs `body` in a `describe` block for each backend of this platform.
 * @param nativeOnly why the backend `node` cannot be held to these tests; they are reported as skipped there.
 */
export function describeBackends(body: (backend: Backend) => void, nativeOnly?: string): void {
  for (const backend of systemBackends) {
    const exclusion = exclusionOf(backend, nativeOnly);
    if (exclusion !== undefined) describe.skip(`${backend} (${exclusion})`, () => body(backend));
    else describe(backend, () => body(backend));
  }
}
