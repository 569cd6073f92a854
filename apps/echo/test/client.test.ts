import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backendsUnderTest, resetRetries } from '../../../system.shared.js';
import { mainFile, Running, run, start, startDatagramServer, startServer, startTlsServer } from './cli.js';

/** A server that does as it is told, on a free port. */
async function serveWith(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends every byte as a packet of its own. */
async function echoByBytes(socket: Socket): Promise<void> {
  socket.setNoDelay();
  for await (const chunk of socket) {
    for (const byte of chunk) await new Promise((sent) => socket.write(Uint8Array.of(byte), sent));
  }
}

describe('client in a pipe', () => {
  it('gets a reply to every line', async () => {
    const { port } = await startServer();
    const lines = Array.from(
      { length: 5000 },
      (_, index) => `line ${index} ${'x'.repeat(index % 100)}\n`,
    ).join('');
    const { code, stdout, stderr } = await run(['client', `127.0.0.1:${port}`], lines);
    expect(stdout).toBe(lines);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it.each(backendsUnderTest)('keeps UTF-8 whole when replies come byte by byte (%s)', async (backend) => {
    const address = await serveWith((socket) => void echoByBytes(socket).catch(() => undefined));
    const text = 'Grüße, 世界 👋🏽\nzweite Zeile €\n';
    const { code, stdout } = await run(['client', address, '--backend', backend], text);
    expect(stdout).toBe(text);
    expect(code).toBe(0);
  });

  it('takes UTF-8 that comes to it in pieces, and a last line without an end', async () => {
    const { port } = await startServer();
    const client = start(['client', `127.0.0.1:${port}`]);
    const input = client.child.stdin;
    const bytes = Buffer.from('€ 👋\n ü');
    for (const byte of bytes.subarray(0, -1)) {
      await new Promise((written) => input?.write(Uint8Array.of(byte), written));
    }
    await client.seen(/€ 👋\n/);
    input?.end(bytes.subarray(-1));
    const { code, stdout } = await client.finished();
    expect(stdout).toBe('€ 👋\n ü\n');
    expect(code).toBe(0);
  });

  it('leaves at "exit", after its reply', async () => {
    const { port } = await startServer();
    const { code, stdout } = await run(['client', `127.0.0.1:${port}`], 'one\nexit\nnever sent\n');
    expect(stdout).toBe('one\nexit\n');
    expect(code).toBe(0);
  });

  it('leaves at "exit" even when the pipe stays open', async () => {
    const { port } = await startServer();
    const client = start(['client', `127.0.0.1:${port}`]);
    client.child.stdin?.write('exit\n');
    expect(await client.finished()).toMatchObject({ code: 0, stdout: 'exit\n', stderr: '' });
  });

  it('without any input ends in order', async () => {
    const { port } = await startServer();
    expect(await run(['client', `127.0.0.1:${port}`])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('says so when the server goes away first', async () => {
    const address = await serveWith((socket) => {
      let lines = '';
      socket.on('data', (bytes) => {
        lines += bytes;
        if (lines.endsWith('two\n')) socket.end('one\n');
      });
    });
    const client = start(['client', address]);
    client.child.stdin?.write('one\ntwo\n');
    const { code, stdout, stderr } = await client.finished();
    expect(stdout).toBe('one\n');
    expect(stderr).toBe('iocp-echo: the server closed the connection, and a line was not answered\n');
    expect(code).toBe(1);
  });

  it('says so when the server resets the connection', { retry: resetRetries }, async () => {
    const address = await serveWith((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const client = start(['client', address]);
    client.child.stdin?.write('one\n');
    const { code, stderr } = await client.finished();
    expect(stderr).toMatch(/^iocp-echo: the connection broke: .*ECONNRESET.*\n$/);
    expect(code).toBe(1);
  });

  it('says so when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const { code, stderr } = await run(['client', `127.0.0.1:${port}`], 'x\n');
    expect(stderr).toMatch(new RegExp(`^iocp-echo: .*ECONNREFUSED.*127\\.0\\.0\\.1:${port}.*\\n$`));
    expect(code).toBe(1);
  });

  it('says so when a Unix socket does not exist', async () => {
    const { code, stderr } = await run(['client', '--unix', '/nonexistent/echo.sock'], 'x\n');
    // The addon on a Windows without Unix sockets, as Wine is: EAFNOSUPPORT.
    expect(stderr).toMatch(/^iocp-echo: .*(ENOENT|EAFNOSUPPORT).*\n$/);
    expect(code).toBe(1);
  });
});

describe.each(backendsUnderTest)('client --udp on %s', (backend) => {
  it('gets a reply to every line', async () => {
    const { port } = await startDatagramServer('--backend', backend);
    const lines = Array.from({ length: 200 }, (_, index) => `Zeile ${index} €\n`).join('');
    const args = ['client', '--udp', `127.0.0.1:${port}`, '--backend', backend];
    expect(await run(args, lines)).toMatchObject({ code: 0, stdout: lines, stderr: '' });
  });

  it('says so when nobody answers', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const args = ['client', '--udp', `127.0.0.1:${silent.address().port}`, '--backend', backend];
    const { code, stderr } = await run(args, 'anybody?\n');
    expect(stderr).toMatch(/^iocp-echo: no reply within 2 s: .*\n$/);
    expect(code).toBe(1);
  });

  it('says so when nobody listens', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    const args = ['client', '--udp', `127.0.0.1:${port}`, '--backend', backend];
    const { code, stderr } = await run(args, 'x\n');
    // Wine does not pass on that a port is unreachable.
    expect(stderr).toMatch(/^iocp-echo: .*(ECONNREFUSED|no reply within).*\n$/);
    expect(code).toBe(1);
  });
});

// script(1) of util-linux gives a program a terminal.
const hasTerminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;

describe.skipIf(!hasTerminal)('client on a terminal', () => {
  function startOnTerminal(args: string): Running {
    const command = `'${process.execPath}' '${mainFile}' client ${args}`;
    return new Running('script', ['-qefc', command, '/dev/null'], { env: { ...process.env, TERM: 'dumb' } });
  }

  it('prompts, shows the reply, and leaves at "exit" after its reply', async () => {
    const { port } = await startServer();
    const client = startOnTerminal(`127.0.0.1:${port}`);
    await client.seen(/Connected to .*> /s);
    client.child.stdin?.write('grüß dich\n');
    // The terminal echoes the line, the server replies with it, and the prompt is back.
    await client.seen(/> grüß dich[\r\n]+grüß dich[\r\n]+> /);
    client.child.stdin?.write('exit\n');
    const { code, stdout } = await client.finished();
    expect(stdout).toMatch(/> exit[\r\n]+exit[\r\n]+$/);
    expect(code).toBe(0);
  });

  it('says which TLS protects it', async () => {
    const { port } = await startTlsServer();
    const client = startOnTerminal(`--tls 127.0.0.1:${port} --insecure`);
    await client.seen(/Connected to 127\.0\.0\.1:\d+, TLSv1\.3, TLS_\w+ \(\w+\)\..*> /s);
    client.child.stdin?.write('exit\n');
    expect((await client.finished()).code).toBe(0);
  });

  it('says so when the server goes away while it prompts', async () => {
    const { server, port } = await startServer();
    const client = startOnTerminal(`127.0.0.1:${port}`);
    await client.seen(/> /);
    server.child.kill('SIGKILL');
    const { code, stdout } = await client.finished();
    expect(stdout).toMatch(/iocp-echo: the (server closed the connection|connection broke)/);
    expect(code).toBe(1);
  });
});
