import { spawnSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type Credentials, makeCertificate } from '@iocp/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { backendsUnderTest, onWindows } from '../../../system.shared.js';
import { Running, run, start, startTlsServer } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'iocp-echo-tls-'));
const file = (name: string): string => join(folder, name);
const serverFiles = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')];
let authority: Credentials;

beforeAll(async () => {
  authority = await makeCertificate({ usage: 'authority', commonName: 'Echo CA' });
  const server = await makeCertificate({ names: ['localhost'], issuer: authority });
  writeFileSync(file('ca.pem'), authority.cert);
  writeFileSync(file('cert.pem'), server.cert);
  writeFileSync(file('key.pem'), server.key);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function dial(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function expectEcho(socket: TLSSocket, bytes: Buffer): Promise<void> {
  const pieces: Buffer[] = [];
  socket.end(bytes);
  for await (const piece of socket) pieces.push(piece);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
}

describe.each(backendsUnderTest)('serve --tls on %s', (backend) => {
  it('with a certificate made for the run says so, and echoes', async () => {
    const { server, port } = await startTlsServer('--backend', backend);
    expect(JSON.parse(/^.*"listening".*$/m.exec(server.stdout)?.[0] ?? '')).toMatchObject({
      event: 'listening',
      protocol: 'tls',
      host: '127.0.0.1',
      port,
      backend,
    });
    const [line] = await server.seen(/^.*"certificate".*$/m);
    for (const length of [1, 100, 1_000_000]) {
      const socket = await dial(port, { rejectUnauthorized: false });
      expect(socket.getProtocol()).toBe('TLSv1.3');
      expect(JSON.parse(line).fingerprint256).toBe(socket.getPeerCertificate().fingerprint256);
      await expectEcho(socket, randomBytes(length));
    }
  });

  it('with a certificate from files, for TLS 1.2 and 1.3', async () => {
    const { port } = await startTlsServer('--backend', backend, ...serverFiles);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await dial(port, { ca: authority.cert, servername: 'localhost', maxVersion });
      expect(socket.authorized).toBe(true);
      expect(socket.getProtocol()).toBe(maxVersion);
      await expectEcho(socket, Buffer.from(maxVersion));
    }
  });

  it.skipIf(onWindows)('SIGTERM lets connections end in order, and counts what was echoed', async () => {
    const { server, port } = await startTlsServer('--backend', backend, ...serverFiles);
    const socket = await dial(port, { ca: authority.cert, servername: 'localhost' });
    socket.write('before');
    await once(socket, 'data');
    server.child.kill('SIGTERM');
    await once(socket, 'end');
    const { code, stdout } = await server.finished();
    expect(stdout).toMatch(/"stopped","connectionsTotal":1,"datagramsTotal":0,"bytesTotal":6/);
    expect(code).toBe(0);
  });
});

describe.each(backendsUnderTest)('client --tls on %s', (backend) => {
  it('trusts the authority it is given, and gets a reply to every line', async () => {
    const { port } = await startTlsServer('--backend', backend, ...serverFiles);
    const lines = Array.from({ length: 500 }, (_, index) => `Zeile ${index} €\n`).join('');
    const names = ['--ca', file('ca.pem'), '--servername', 'localhost'];
    const args = ['client', '--tls', `127.0.0.1:${port}`, ...names, '--backend', backend];
    expect(await run(args, lines)).toMatchObject({ code: 0, stdout: lines, stderr: '' });
  });

  it('--insecure trusts any', async () => {
    const { port } = await startTlsServer('--backend', backend);
    const args = ['client', '--tls', `127.0.0.1:${port}`, '--insecure', '--backend', backend];
    expect(await run(args, 'hello\n')).toMatchObject({ code: 0, stdout: 'hello\n', stderr: '' });
  });
});

describe('client --tls', () => {
  it('trusts nobody unasked', async () => {
    const { port } = await startTlsServer();
    const { code, stdout, stderr } = await run(['client', '--tls', `localhost:${port}`], 'secret\n');
    expect(stderr).toMatch(/^iocp-echo: .*self.signed certificate.*\n$/i);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  it('refuses a certificate for another name', async () => {
    const { port } = await startTlsServer(...serverFiles);
    const names = ['--ca', file('ca.pem'), '--servername', 'other.test'];
    const { code, stderr } = await run(['client', '--tls', `127.0.0.1:${port}`, ...names], 'secret\n');
    expect(stderr).toMatch(/^iocp-echo: .*other\.test.*\n$/);
    expect(code).toBe(1);
  });

  it('says so when the server does not speak TLS', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('220 hello\r\n'));
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await run(['client', '--tls', `127.0.0.1:${port}`], 'x\n');
    expect(stderr).toMatch(/^iocp-echo: .*wrong version number.*\n$/i);
    expect(code).toBe(1);
  });

  it.each([
    [['client', '--tls', ':1', '--ca', '/nonexistent/ca.pem'], /ENOENT.*ca\.pem/],
    [['serve', '--tls', ':0', '--tls-cert', '/nonexistent/cert.pem', '--tls-key', '/x'], /ENOENT.*cert\.pem/],
  ])('%j: a file that is not there is one line', async (args, message) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^iocp-echo: .*\n$/);
    expect(code).toBe(1);
  });

  it('a key that does not belong to the certificate is one line', async () => {
    writeFileSync(file('other-key.pem'), authority.key);
    const args = ['serve', '--tls', ':0', '--tls-cert', file('cert.pem'), '--tls-key', file('other-key.pem')];
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(/^iocp-echo: .*key values mismatch.*\n$/);
    expect(code).toBe(1);
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl && process.env.IOCP_TEST_REQUIRE_PROGRAMS) throw new Error('openssl is missing');

describe.skipIf(!hasOpenssl)("OpenSSL's own programs", () => {
  it.each(['-tls1_2', '-tls1_3'])('s_client %s talks to our server', async (version) => {
    const { port } = await startTlsServer(...serverFiles);
    const trust = ['-CAfile', file('ca.pem'), '-verify_return_error', '-verify_hostname', 'localhost'];
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', ...trust];
    const client = new Running('openssl', [...args, version, '-quiet', '-no_ign_eof']);
    client.child.stdin?.write('hello\n');
    await client.seen(/^hello\n/);
    client.child.stdin?.end();
    expect(await client.finished()).toMatchObject({ code: 0, stdout: 'hello\n' });
  });

  it('s_server -rev answers our client', async () => {
    const credentials = ['-cert', file('cert.pem'), '-key', file('key.pem')];
    const server = new Running('openssl', ['s_server', '-accept', '127.0.0.1:0', ...credentials, '-rev']);
    const [, port] = await server.seen(/^ACCEPT 127\.0\.0\.1:(\d+)/m);
    const names = ['--ca', file('ca.pem'), '--servername', 'localhost'];
    const client = start(['client', '--tls', `127.0.0.1:${port}`, ...names]);
    client.child.stdin?.end('hello\n');
    expect(await client.finished()).toMatchObject({ code: 0, stdout: 'olleh\n', stderr: '' });
  });
});

it('the certificate made for a run is for this machine', async () => {
  const { port } = await startTlsServer();
  const socket = await dial(port, { rejectUnauthorized: false });
  const certificate = new X509Certificate(socket.getPeerCertificate().raw);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
});
