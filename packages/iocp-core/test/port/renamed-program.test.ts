/** Programs that bundle Node.js give node.exe a name of their own, and the addon finds it all the same. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { backendsUnderTest } from '../../../../system.shared.js';

const built = fileURLToPath(new URL('../../dist/index.cjs', import.meta.url));
const openPort = `
  const { CompletionPort } = require(${JSON.stringify(built)});
  const port = new CompletionPort({ backend: 'iocp' });
  console.log(port.info.backend);
  port.close();
`;

// Elsewhere symbols are found whatever the program is called.
test.runIf(backendsUnderTest.includes('iocp'))('the addon loads in a node.exe of another name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iocp-renamed-'));
  try {
    const program = join(folder, 'game-server.exe');
    copyFileSync(process.execPath, program);
    expect(execFileSync(program, ['-e', openPort], { encoding: 'utf8' })).toBe('iocp\n');
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
