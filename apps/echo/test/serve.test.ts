import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { backendsUnderTest, onWindows } from '../../../system.shared.js';
import { start, startDatagramServer, startServer } from './cli.js';

// Windows has no signals that one process could send another: there the tests that end a server with one are skipped.
const folder = mkdtempSync(join(tmpdir(), 'iocp-echo-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function dial(where: number | string, options = {}): Promise<Socket> {
  const socket =
    typeof where === 'string'
      ? connect({ path: where, ...options })
      : connect({ port: where, host: '127.0.0.1', ...options });
  // A connection that the server has to abort is reset.
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A connection that the server has accepted: it has answered. */
async function dialAccepted(port: number): Promise<Socket> {
  const socket = await dial(port, { allowHalfOpen: true });
  socket.write('before');
  await once(socket, 'data');
  return socket;
}

async function expectEcho(socket: Socket, bytes: Buffer): Promise<void> {
  const pieces: Buffer[] = [];
  socket.end(bytes);
  for await (const piece of socket) pieces.push(piece);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
}

describe.each(backendsUnderTest)('serve --backend %s', (backend) => {
  it('says as JSON where it listens, and echoes', async () => {
    const { server, port } = await startServer('--backend', backend);
    const event = JSON.parse(server.stdout);
    expect(event).toMatchObject({ event: 'listening', protocol: 'tcp', host: '127.0.0.1', port, backend });
    await Promise.all(
      [1, 100, 1_000_000].map(async (length) => expectEcho(await dial(port), randomBytes(length))),
    );
  });

  it.skipIf(onWindows)('listens on several addresses and a Unix socket', async () => {
    const path = join(folder, `${backend}.sock`);
    const server = start([
      'serve',
      '--tcp',
      '127.0.0.1:0',
      '--tcp',
      'localhost:0',
      '--unix',
      path,
      '--backend',
      backend,
    ]);
    const [, first] = await server.seen(/^listening on tcp 127\.0\.0\.1:(\d+) /m);
    await server.seen(
      new RegExp(
        `^listening on tcp (127.0.0.1|\\[::1\\]):\\d+ \\(${backend}\\)\\nlistening on unix .*sock`,
        'm',
      ),
    );
    await expectEcho(await dial(Number(first)), Buffer.from('over TCP'));
    await expectEcho(await dial(path), Buffer.from('over a file'));
    server.child.kill('SIGTERM');
    expect((await server.finished()).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it.skipIf(onWindows).each(['SIGINT', 'SIGTERM'] as const)('%s drains and exits 0', async (signal) => {
    const { server, port } = await startServer('--backend', backend);
    const socket = await dialAccepted(port);
    socket.once('end', () => socket.end());
    server.child.kill(signal);
    await server.seen(/"stopping"/);
    await once(socket, 'end');
    const { code, stdout } = await server.finished();
    expect(stdout).toMatch(/"stopped","connectionsTotal":1,"datagramsTotal":0,"bytesTotal":6/);
    expect(code).toBe(0);
  });

  it.skipIf(onWindows)('a signal in the middle of a transfer loses nothing', async () => {
    const { server, port } = await startServer('--backend', backend);
    const socket = await dial(port);
    const bytes = randomBytes(16_000_000);
    const echoed = expectEcho(socket, bytes);
    await once(socket, 'readable');
    server.child.kill('SIGTERM');
    await echoed;
    expect((await server.finished()).code).toBe(0);
  });

  it.skipIf(onWindows)('ends connections whose peers do not, after the time for that', async () => {
    const { server, port } = await startServer('--backend', backend, '--grace-ms', '50');
    await dialAccepted(port);
    server.child.kill('SIGTERM');
    expect((await server.finished()).code).toBe(0);
  });

  it.skipIf(onWindows)('a second signal forces', async () => {
    const { server, port } = await startServer('--backend', backend);
    await dialAccepted(port);
    server.child.kill('SIGTERM');
    await server.seen(/"stopping"/);
    server.child.kill('SIGINT');
    expect((await server.finished()).code).toBe(130);
  });

  it('echoes datagrams, the empty and the longest included', async () => {
    const { server, port } = await startDatagramServer('--backend', backend);
    expect(JSON.parse(server.stdout)).toMatchObject({ event: 'listening', protocol: 'udp', port, backend });
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    for (const length of [0, 1, 1200, 65_507]) {
      const bytes = randomBytes(length);
      const replied = once(socket, 'message');
      socket.send(bytes, port, '127.0.0.1');
      expect(bytes.equals((await replied)[0])).toBe(true);
    }
    if (onWindows) return;
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.finished();
    expect(stdout).toMatch(/"connectionsTotal":0,"datagramsTotal":4,"bytesTotal":66708/);
    expect(code).toBe(0);
  });

  it('a UDP port in use is one line and exit code 1', async () => {
    const other = createSocket('udp4').bind(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address();
    const server = start(['serve', '--udp', `127.0.0.1:${port}`, '--backend', backend]);
    const { code, stderr } = await server.finished();
    expect(stderr).toMatch(new RegExp(`^iocp-echo: .*EADDRINUSE.*127\\.0\\.0\\.1:${port}.*in use.*\\n$`));
    expect(code).toBe(1);
  });

  it('a port in use is one line and exit code 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const server = start(['serve', '--tcp', `127.0.0.1:${port}`, '--backend', backend]);
    const { code, stdout, stderr } = await server.finished();
    expect(stderr).toMatch(new RegExp(`^iocp-echo: .*EADDRINUSE.*127\\.0\\.0\\.1:${port}.*in use.*\\n$`));
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });
});

describe('serve', () => {
  it.skipIf(onWindows)('--quiet prints nothing', async () => {
    const path = join(folder, 'quiet.sock');
    const server = start(['serve', '--unix', path, '--quiet']);
    await expect.poll(() => existsSync(path)).toBe(true);
    await expectEcho(await dial(path), Buffer.from('hush'));
    server.child.kill('SIGTERM');
    expect(await server.finished()).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('an address of another machine is one line', async () => {
    const { code, stderr } = await start(['serve', '--tcp', '192.0.2.1:0']).finished();
    expect(stderr).toMatch(/^iocp-echo: .*EADDRNOTAVAIL.*\n$/);
    expect(code).toBe(1);
  });
});
