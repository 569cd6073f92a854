// Sums the JSON results that vitest left in a folder (IOCP_TEST_RESULTS), or in the folders in it.
// As a program: node scripts/test-results.mjs <folder>
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const reasonLines = 12;

/**
 * For example "120 passed, 0 failed", or "118 passed, 1 failed, 1 skipped". A file that does not load and a process
 * that dies fail a run without any failed test, so this says what was counted; the exit code says whether all is well.
 */
export function readResults(folder) {
  const results = readRuns(folder);
  const sum = (count) => results.reduce((total, result) => total + count(result), 0);
  const passed = sum((result) => result.numPassedTests);
  const failed = sum((result) => result.numFailedTests);
  const skipped = sum((result) => result.numPendingTests + result.numTodoTests);
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** For each test that failed its names, outermost first, and the beginning of the reason. */
export function readFailures(folder) {
  return readFiles(folder).flatMap(({ name, tests }) =>
    tests
      .filter((test) => test.status === 'failed')
      .map((test) => {
        const titles = [basename(name), ...test.ancestorTitles, test.title].join(' > ');
        const [reason = ''] = test.failureMessages ?? [];
        return `${titles}\n${reason.split('\n').slice(0, reasonLines).join('\n')}`;
      }),
  );
}

/** The test files of all runs with their tests, each `{ status, ancestorTitles, title, … }` as vitest's JSON has it. */
export function readFiles(folder) {
  return readRuns(folder)
    .flatMap((run) => run.testResults)
    .map((file) => ({ name: file.name, tests: file.assertionResults }));
}

function readRuns(folder) {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
  return files
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2];
  if (folder === undefined) {
    console.error('usage: node scripts/test-results.mjs <folder>');
    process.exitCode = 1;
  } else {
    console.log(readResults(folder));
  }
}
