import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backendsUnderTest, onWindows } from '../../../system.shared.js';
import { run, start } from './cli.js';

describe('demo', () => {
  it.each(backendsUnderTest)('--once shows an exchange on %s and ends', async (backend) => {
    const { code, stdout, stderr } = await run([
      'demo',
      '--once',
      '--tcp',
      '127.0.0.1:0',
      '--backend',
      backend,
    ]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^Echo server listening on tcp 127\.0\.0\.1:\d+\n/);
    expect(stdout).toContain(`on ${backend}, kernel `);
    expect(stdout).toMatch(/Client > Server +\d+ bytes +"Hello.*\n +48 65 6c 6c 6f/);
    expect(stdout).toMatch(/Server > Client +\d+ bytes +"Hello.*the same bytes/);
    expect(code).toBe(0);
  });

  it.skipIf(onWindows)('serves on until a signal', async () => {
    const demo = start(['demo', '--tcp', '127.0.0.1:0']);
    const [, port] = await demo.seen(/listening on tcp 127\.0\.0\.1:(\d+).*Serving until Ctrl-C/s);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('still there?');
    expect(String((await once(socket, 'data'))[0])).toBe('still there?');
    demo.child.kill('SIGINT');
    await once(socket, 'close');
    expect((await demo.finished()).code).toBe(0);
  });

  it('a port that was asked for and is taken is an error', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await run(['demo', '--once', '--tcp', `127.0.0.1:${port}`]);
    expect(stderr).toMatch(/^iocp-echo: .*EADDRINUSE.*\n$/);
    expect(code).toBe(1);
  });

  it('the default port is left to others when it is taken', async () => {
    const other = createServer().listen(8080, '127.0.0.1');
    onTestFinished(() => void other.close());
    // Taken by this test, or by somebody else already: both will do.
    await once(other, 'listening').catch(() => undefined);
    const { code, stdout } = await run(['demo', '--once']);
    expect(stdout).toMatch(
      /^Echo server listening on tcp 127\.0\.0\.1:\d+ \(8080 is in use, so this is a free port\)\n/,
    );
    expect(code).toBe(0);
  });
});
