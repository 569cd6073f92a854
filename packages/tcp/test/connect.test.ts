import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { onWindows } from '../../../system.shared.js';
import type { LookupFunction } from '../src/index.js';
import { blackHole, freePort, resolvesTo } from './addresses.js';
import { collect, hasProgram, onEachBackend, Recorder, serveNet } from './support.js';

onEachBackend('connect', (fixture) => {
  test('knows the addresses of both ends, also after the close', async () => {
    const { server, port } = await serveNet(fixture, (socket) => socket.end());
    const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
    const client = await fixture.connect({ port });
    const peer = await accepted;
    expect(client.info).toEqual({
      protocols: ['tcp'],
      localAddress: '127.0.0.1',
      localPort: peer.remotePort,
      remoteAddress: '127.0.0.1',
      remotePort: port,
      family: 'IPv4',
    });
    await client.close();
    expect(client.localPort).toBe(peer.remotePort);
    expect(client.remoteAddress).toBe('127.0.0.1');
    expect(client.family).toBe('IPv4');
  });

  test('hands the connection to handlers, open first', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end('hello'));
    const recorder = new Recorder();
    const client = await fixture.connect({ port }, recorder.handlers);
    expect(recorder.connection).toBe(client);
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('hello');
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
  });

  test('from a local address and port', async () => {
    const { server, port } = await serveNet(fixture, (socket) => socket.end());
    const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
    const localPort = await freePort('127.0.0.2');
    const client = await fixture.connect({ port, localAddress: '127.0.0.2', localPort });
    const peer = await accepted;
    expect([peer.remoteAddress, peer.remotePort]).toEqual(['127.0.0.2', localPort]);
    await client.close();
  });

  test('from a local address that is in use or not ours', async () => {
    const { port } = await serveNet(fixture, () => {});
    await expect(fixture.connect({ port, localPort: port })).rejects.toMatchObject({
      code: expect.stringMatching(/EADDRINUSE|EADDRNOTAVAIL/),
    });
    await expect(fixture.connect({ port, localAddress: '192.0.2.1' })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    });
  });

  test('refused: one address gives a plain error with everything that helps', async () => {
    const port = await freePort();
    const error = await fixture.connect({ port }).catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'IoError',
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '127.0.0.1',
      port,
    });
    expect(error.message).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(error.message).toContain('nothing listens');
  });

  test('unreachable', async () => {
    await expect(fixture.connect({ host: '255.255.255.255', port: 9 })).rejects.toMatchObject({
      code: 'ENETUNREACH',
      syscall: 'connect',
      address: '255.255.255.255',
      port: 9,
    });
  });

  test.skipIf(onWindows)('a Unix socket that is not there, and one whose listener has gone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'x.sock');
    await expect(fixture.connect({ path })).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'connect',
      address: path,
    });
    const left = await fixture.port.listen({ path });
    await new Promise<void>((resolve) => {
      fixture.port.submitClose(left, { asyncResource: null, onCompletion: () => resolve() });
    });
    await expect(fixture.connect({ path })).rejects.toMatchObject({ code: 'ECONNREFUSED', address: path });
  });

  test('no answer within timeoutMs', async () => {
    const port = await blackHole(fixture, '127.0.0.1');
    const error = await fixture.connect({ port, timeoutMs: 40 }).catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'IoError',
      code: 'ETIMEDOUT',
      syscall: 'connect',
      address: '127.0.0.1',
      port,
    });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('40 ms');
  });

  test('timeoutMs counts the lookup, too', async () => {
    const lookup: LookupFunction = () => {};
    const error = await fixture
      .connect({ host: 'slow.test', port: 80, lookup, timeoutMs: 20 })
      .catch((reason) => reason);
    expect(error).toMatchObject({
      code: 'ETIMEDOUT',
      syscall: 'getaddrinfo',
      address: 'slow.test',
      port: 80,
    });
  });
});

onEachBackend('names', (fixture) => {
  test('numeric hosts are not looked up', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end());
    const lookup = resolvesTo('192.0.2.1');
    await (await fixture.connect({ host: '127.0.0.1', port, lookup })).close();
    expect(lookup.calls).toEqual([]);
  });

  test("the system's resolver is asked by default", async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end());
    const client = await fixture.connect({ host: 'localhost', port });
    expect(client.remoteAddress).toBe('127.0.0.1');
    await client.close();
    await expect(fixture.connect({ host: 'nobody.invalid', port })).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
      syscall: 'getaddrinfo',
      address: 'nobody.invalid',
      port,
      cause: expect.any(Error),
    });
  });

  test('a lookup that fails, throws, gives nothing, or gives nonsense', async () => {
    const failing: LookupFunction = (_name, _options, callback) =>
      callback(Object.assign(new Error('broken'), { code: 'EAI_FAIL' }), []);
    await expect(fixture.connect({ host: 'x.test', port: 80, lookup: failing })).rejects.toMatchObject({
      code: 'EAI_FAIL',
      message: expect.stringContaining('broken'),
    });
    const mistake = new Error('mistake');
    const throwing: LookupFunction = () => {
      throw mistake;
    };
    await expect(fixture.connect({ host: 'x.test', port: 80, lookup: throwing })).rejects.toBe(mistake);
    await expect(fixture.connect({ host: 'x.test', port: 80, lookup: resolvesTo() })).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
    const nonsense = ((_name: string, _options: object, callback: (error: null, address: string) => void) =>
      callback(null, 'nonsense')) as unknown as LookupFunction;
    await expect(fixture.connect({ host: 'x.test', port: 80, lookup: nonsense })).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
    await expect(
      fixture.connect({ host: 'x.test', port: 80, lookup: resolvesTo('1.2.3.4.5') }),
    ).rejects.toMatchObject({ code: 'ERR_INVALID_IP_ADDRESS' });
  });

  test('family leaves the other addresses out', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end());
    const lookup = resolvesTo('::1', '127.0.0.1');
    const client = await fixture.connect({ host: 'x.test', port, lookup, family: 4 });
    expect(client.remoteAddress).toBe('127.0.0.1');
    await client.close();
    await expect(
      fixture.connect({ host: 'x.test', port, lookup: resolvesTo('::1'), localAddress: '127.0.0.1' }),
    ).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

onEachBackend('connect to other programs', (fixture) => {
  test.runIf(hasProgram('python3'))('a Python server that ends first', async () => {
    const script = `
import socket
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
peer.sendall(b'hello from python')
peer.shutdown(socket.SHUT_WR)
received = b''
while chunk := peer.recv(1000):
    received += chunk
print(received.decode())
`;
    const python = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    fixture.after(() => python.kill());
    const output = collect(python.stdout);
    const port = Number(await new Promise((resolve) => python.stdout.once('data', resolve)));
    const client = await fixture.connect({ port, allowHalfOpen: true });
    const received: Uint8Array[] = [];
    for await (const chunk of client) received.push(chunk);
    expect(Buffer.concat(received).toString()).toBe('hello from python');
    client.end('hello from us');
    await client.close();
    expect((await output).toString()).toContain('hello from us');
  });

  test.runIf(hasProgram('socat', '-V'))('socat as a server on a Unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'socat.sock');
    const socat = spawn('socat', [`UNIX-LISTEN:${path}`, 'EXEC:cat'], { stdio: 'inherit' });
    fixture.after(() => socat.kill());
    let client = await fixture.connect({ path }).catch(() => null);
    while (client === null) client = await fixture.connect({ path }).catch(() => null);
    client.write('through socat');
    expect(String(await client.read())).toBe('through socat');
    await client.close();
  });
});
