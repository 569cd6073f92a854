import { describe, expect, it } from 'vitest';
import { type Finished, run } from './cli.js';

function expectUsageError(result: Finished, message: RegExp): void {
  expect(result.stderr).toMatch(message);
  expect(result.stderr).toMatch(/^Usage: iocp-echo/m);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.stdout).toBe('');
  expect(result.code).toBe(2);
}

describe('wrong arguments', () => {
  it.each([
    [['serve', '--nonsense'], /unknown option '--nonsense'/],
    [['serve', '--tcp', 'nowhere'], /'nowhere' is invalid.*127\.0\.0\.1:8080/],
    [['serve', '--tcp', '127.0.0.1:99999'], /0 to 65535/],
    [['serve', '--tcp', '::1:80'], /brackets/],
    [['serve', '--backend', 'kqueue'], /Allowed choices are auto, io_uring, epoll, iocp, node/],
    [['serve', '--unix', ''], /must not be empty/],
    [['serve', '--grace-ms', 'soon'], /whole number/],
    [['serve', 'something'], /too many arguments/],
    [['client'], /name one server/],
    [['client', '127.0.0.1:1', '--unix', '/x'], /name one server/],
    [['client', ':1', '--udp', ':2'], /name one server/],
    [['client', ':0'], /Port 0/],
    [['client', '--udp', ':0'], /Port 0/],
    [['client', ':1', '--tls', ':2'], /name one server/],
    [['client', ':1', '--insecure'], /are for --tls/],
    [['client', '--tls', ':1', '--ca', 'ca.pem', '--insecure'], /excludes --ca/],
    [['serve', '--tls', ':0'], /--tls needs --tls-cert FILE and --tls-key FILE, or --tls-self-signed/],
    [['serve', '--tls', ':0', '--tls-cert', 'cert.pem'], /--tls needs/],
    [['serve', '--tls', ':0', '--tls-cert', 'c', '--tls-key', 'k', '--tls-self-signed'], /excludes/],
    [['serve', '--wss', ':0'], /--wss needs --tls-cert FILE and --tls-key FILE, or --tls-self-signed/],
    [['serve', '--ws-deflate'], /--ws-deflate is for --ws HOST:PORT or --wss HOST:PORT/],
    [['client', 'ws://'], /Write it like ws:/],
    [['client', 'ws://127.0.0.1:1/#part'], /Write it like ws:/],
    [['client', 'ws://127.0.0.1:1', '--insecure'], /are for --tls HOST:PORT and wss:/],
    [['client', 'wss://127.0.0.1:1', '--unix', '/x'], /name one server/],
    [['serve', '--tls-self-signed'], /--tls HOST:PORT, which is missing/],
    [['serve', '--udp', 'nowhere'], /'nowhere' is invalid/],
    [['demo', '--tcp', 'x'], /'x' is invalid/],
    [['bench', 'quic'], /Allowed choices are tcp, udp, tls, ws/],
    [['bench', 'tcp', '--rounds', '0'], /from 1 to 100/],
    [['bench', 'tcp', '--seconds', '-3'], /above 0/],
    [['srve'], /unknown command 'srve'.*\n.*Did you mean serve/],
  ])('%j exits 2 with usage', async (args, message) => {
    expectUsageError(await run(args), message);
  });

  it('no command at all shows what there is, and exits 2', async () => {
    const { code, stderr } = await run([]);
    expect(stderr).toMatch(/serve.*client.*doctor/s);
    expect(code).toBe(2);
  });

  it('a backend that IOCP_BACKEND names wrongly is one line', async () => {
    const { code, stderr } = await run(['serve', '--tcp', '127.0.0.1:0'], '', { IOCP_BACKEND: 'kqueue' });
    expect(stderr).toMatch(/^iocp-echo: .*IOCP_BACKEND.*\n$/);
    expect(code).toBe(1);
  });
});

describe('help', () => {
  it.each([[[]], [['serve']], [['client']], [['demo']], [['doctor']], [['bench']]])(
    'of %j has examples',
    async (args) => {
      const { code, stdout } = await run([...args, '--help']);
      expect(stdout).toMatch(/Examples:\n {2}\$ iocp-echo /);
      expect(code).toBe(0);
    },
  );

  it('--version is a version', async () => {
    const { code, stdout } = await run(['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
    expect(code).toBe(0);
  });
});
