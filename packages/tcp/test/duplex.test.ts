import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { pattern, withSeed } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { isWineSocket, underWine } from '../../../system.shared.js';
import { collect, dialNet, hasProgram, onEachBackend, resetOf, run, serveNet } from './support.js';

onEachBackend('toDuplex', (fixture) => {
  test('pipeline through an echo, file to file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(directory, { recursive: true }));
    const whole = Buffer.from(pattern(3_000_000));
    writeFileSync(join(directory, 'in'), whole);
    const listener = await fixture.listen();
    const serving = (async () => {
      const connection = await listener.accept();
      const duplex = connection?.toDuplex();
      if (duplex !== undefined) await pipeline(duplex, duplex);
    })();
    const client = await fixture.connect({ port: listener.address().port, allowHalfOpen: true });
    const duplex = client.toDuplex();
    await Promise.all([
      pipeline(createReadStream(join(directory, 'in')), duplex),
      pipeline(duplex as Readable, createWriteStream(join(directory, 'out'))),
    ]);
    await serving;
    expect(readFileSync(join(directory, 'out')).equals(whole)).toBe(true);
  });

  test('destroy(error) resets the peer', async () => {
    const listener = await fixture.listen();
    const socket = await dialNet(listener);
    const duplex = (await listener.accept())?.toDuplex();
    const reset = resetOf(socket);
    duplex?.on('error', () => {});
    duplex?.destroy(new Error('enough'));
    await reset;
  });

  // Under Wine a reset comes as an end first, and that is no error.
  test.skipIf(underWine)('the reset of a peer is an error event', async () => {
    const listener = await fixture.listen();
    const socket = await dialNet(listener);
    const duplex = (await listener.accept())?.toDuplex() as Readable;
    const failed = once(duplex, 'error');
    socket.resetAndDestroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test.skipIf(isWineSocket(fixture.backend))('knows addresses and takes socket options', async () => {
    const listener = await fixture.listen();
    const socket = await dialNet(listener);
    const connection = await listener.accept();
    const duplex = connection?.toDuplex() as unknown as import('node:net').Socket;
    expect(duplex.remotePort).toBe(socket.localPort);
    expect(duplex.localPort).toBe(listener.address().port);
    expect(duplex.remoteFamily).toBe('IPv4');
    duplex.setNoDelay(false).setKeepAlive(true, 7000).unref().ref();
    expect(connection?.getOption('noDelay')).toBe(false);
    expect(connection?.getOption('keepAlive')).toBe(true);
    expect(connection?.getOption('keepAliveIdle')).toBe(7);
    socket.end();
    duplex.resume();
    await once(duplex, 'close');
    // Too late, and no reason to throw at code that was written for net.Socket.
    duplex.setNoDelay(true).setKeepAlive(true).unref().ref();
  });
});

/** Answers with method, path, remote port and the length of the body. */
function describeRequests(): http.Server {
  return http.createServer(async (request, response) => {
    const body = await collect(request);
    response.setHeader('content-type', 'application/json');
    const { method, url } = request;
    response.end(JSON.stringify({ method, url, from: request.socket.remoteAddress, bytes: body.length }));
  });
}

onEachBackend('http over our listener', (fixture) => {
  test('requests of node:http, kept alive and pipelined bodies', async () => {
    const listener = await fixture.listen();
    listener.attachTo(describeRequests());
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    fixture.after(() => agent.destroy());
    const ports = new Set<number | undefined>();
    await withSeed(async (random) => {
      for (let index = 0; index < 20; index++) {
        const body = random.bytes(random.integer(0, 200_000));
        const request = http.request({
          host: '127.0.0.1',
          port: listener.address().port,
          path: `/${index}`,
          method: 'POST',
          agent,
        });
        request.end(body);
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        ports.add(response.socket.localPort);
        const answer = JSON.parse((await collect(response)).toString());
        expect(answer).toEqual({ method: 'POST', url: `/${index}`, from: '127.0.0.1', bytes: body.length });
      }
    });
    expect(ports.size).toBe(1);
    expect(listener.stats.accepted).toBe(1);
  });

  test.runIf(hasProgram('curl'))('curl, two requests over one connection', async () => {
    const listener = await fixture.listen();
    listener.attachTo(describeRequests());
    const base = `http://127.0.0.1:${listener.address().port}`;
    const sent = Buffer.alloc(1_000_000, 'c');
    const args = [
      '--silent',
      '--show-error',
      '--data-binary',
      '@-',
      `${base}/one`,
      '--next',
      '--silent',
      `${base}/two`,
    ];
    const { code, stdout, stderr } = await run('curl', args, sent);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.toString()).toBe(
      '{"method":"POST","url":"/one","from":"127.0.0.1","bytes":1000000}' +
        '{"method":"GET","url":"/two","from":"127.0.0.1","bytes":0}',
    );
    expect(listener.stats.accepted).toBe(1);
  });

  test('a client of ours under http.Agent.createConnection', async () => {
    const server = describeRequests();
    const { port } = await serveNet(fixture, (socket) => server.emit('connection', socket));
    const client = await fixture.connect({ port });
    const request = http.request({ path: '/ours', createConnection: () => client.toDuplex() });
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(JSON.parse((await collect(response)).toString())).toMatchObject({ method: 'GET', url: '/ours' });
  });
});

onEachBackend('tls over our connections', (fixture) => {
  test('tls.Server and tls.connect({ socket }), both ends ours', async () => {
    // A shared key instead of certificates: nothing to generate, nothing that expires.
    const psk = Buffer.from('d731ef57be09e5204f0b205b60627028', 'hex');
    const server = tls.createServer(
      { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => psk },
      (socket) => {
        socket.pipe(socket);
      },
    );
    const listener = await fixture.listen();
    listener.attachTo(server);
    const client = await fixture.connect({ port: listener.address().port });
    const secure = tls.connect({
      socket: client.toDuplex(),
      ciphers: 'PSK',
      maxVersion: 'TLSv1.2',
      pskCallback: () => ({ psk, identity: 'us' }),
      checkServerIdentity: () => undefined,
    });
    await once(secure, 'secureConnect');
    const whole = Buffer.from(pattern(500_000));
    secure.end(whole);
    expect((await collect(secure)).equals(whole)).toBe(true);
    expect(client.bytesWritten).toBeGreaterThan(whole.length);
  });
});

onEachBackend('toWeb', (fixture) => {
  test('streams both ways to a node:net peer', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
    const client = await fixture.connect({ port, allowHalfOpen: true });
    const { readable, writable } = client.toWeb();
    const writer = writable.getWriter();
    const sending = (async () => {
      for (let part = 0; part < 20; part++) await writer.write(Buffer.alloc(50_000, part));
      await writer.close();
    })();
    let bytes = 0;
    const reader = readable.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) bytes += read.value.length;
    await sending;
    expect(bytes).toBe(1_000_000);
    await client.close();
  });
});
