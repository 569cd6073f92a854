import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest, nodeHasReusePort, onWindows, pathKind, underWine } from '../../system.shared.js';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** What each program must have printed. */
const expectations: Readonly<Record<string, RegExp>> = {
  'async-iteration.mjs': /one -> ONE\n.*two -> TWO\n.*three -> THREE\n.*the loop has ended/s,
  'custom-protocol-on-the-port.mjs': /\+ 1 = 1\n.*\+ 20 = 21\n.*\+ 300 = 321\n.*its sum was 321/s,
  'echo-server.mjs': /client: got "hello\\n"\n.*6 bytes echoed/s,
  'http-over-iocp.mjs': /200 You asked for \/hello from 127\.0\.0\.1\n200 You asked for \/completion-ports/,
  'https-over-iocp.mjs':
    /200 somebody asked for \/hello over TLSv1\.3\n200 client asked for \/secrets over TLSv1\.3/,
  'proxy.mjs': /4194304 of 4194304 bytes came back.*\n.*forwarded 4194304 bytes/,
  'starttls.mjs':
    /client: got "welcome"\nserver: STARTTLS, and the first record came with it\nclient: got "you said "hello" over TLSv1\.3"/,
  'udp-echo.mjs':
    /(client: got "(one|two|three)" from 127\.0\.0\.1:\d+\n){3}server: 3 datagrams received, 3 sent back/,
  'unix-socket.mjs': /client: got "through the file system\\n"/,
  'websocket-chat.mjs':
    /Bob hears: Is anybody out here\?\nCid hears: Is anybody out here\?\nAnn hears: Over here, by the pond!\n4 hear the server\nDan hears: The house closes now\.\nclosed with 1001/,
  'websocket-with-http.mjs': /200 You asked for \/hello\necho: and back\nrefused: 404/,
  'workers.mjs': /4 threads listen on port \d+\nthread \d+ served \d+ of 40 clients/,
};

const programs = readdirSync(folder).filter((name) => name.endsWith('.mjs'));

describe.each(backendsUnderTest)('on %s', (backend) => {
  const lacking = new Set([
    // Several listeners on one port: Windows has none, `node:net` knows them from Node.js 22.12 and 23.1 on.
    ...(onWindows || (backend === 'node' && !nodeHasReusePort) ? ['workers.mjs'] : []),
    // Wine refuses what Node's own fetch asks of a socket, whoever the server is.
    ...(underWine ? ['websocket-with-http.mjs'] : []),
    ...(pathKind(backend) === 'unix' ? [] : ['unix-socket.mjs']),
  ]);
  const runnable = programs.filter((name) => !lacking.has(name));
  it.each(runnable)('%s runs to its end', { timeout: 30_000 }, (program) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, IOCP_BACKEND: backend },
      timeout: 25_000,
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(expectations[program] ?? expect.fail(`say above what ${program} must print`));
    expect(status).toBe(0);
  });
});
