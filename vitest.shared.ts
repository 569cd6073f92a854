import { basename, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { underWine } from './system.shared.js';

/** Where scripts/run.mjs wants the results as JSON, to count them over all packages. */
const results = process.env.IOCP_TEST_RESULTS;

/** One configuration for every package: a process per test file, so that native state never leaks between files. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Under Wine programs start slowly, and system calls take long.
    testTimeout: underWine ? 90_000 : 5_000,
    hookTimeout: underWine ? 90_000 : 10_000,
    reporters: results
      ? ['default', ['json', { outputFile: join(results, `${basename(process.cwd())}.json`) }]]
      : ['default'],
    coverage: { provider: 'v8', reporter: ['text', 'lcov', 'json'], include: ['src/**'] },
  },
});
