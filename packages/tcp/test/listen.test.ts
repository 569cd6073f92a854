import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isWineSocket, nodeHasReusePort, onWindows, pathKind } from '../../../system.shared.js';
import type { TcpConnection } from '../src/index.js';
import { hasIpv6 } from './addresses.js';
import {
  codeOf,
  collect,
  dialNet,
  echoHandlers,
  onEachBackend,
  Recorder,
  resetOf,
  run,
  serveNet,
  until,
} from './support.js';

onEachBackend('listen', (fixture) => {
  test('address() tells the port the system chose, also after the close', async () => {
    const listener = await fixture.listen({});
    const address = listener.address();
    expect(address).toMatchObject({ family: 'IPv4', address: '127.0.0.1' });
    expect(address.port).toBeGreaterThan(0);
    await listener.close();
    expect(listener.address()).toEqual(address);
    expect(listener.closed).toBe(true);
  });

  test.runIf(hasIpv6)('takes IPv4 and IPv6 by default, and IPv6 alone when asked to', async () => {
    const both = await fixture.listen({ host: undefined }, echoHandlers);
    expect(both.address()).toMatchObject({ family: 'IPv6', address: '::' });
    for (const host of ['127.0.0.1', '::1']) {
      const socket = await dialNet(both, { host });
      socket.end(host);
      expect(String(await collect(socket))).toBe(host);
    }
    await both.close();
    const one = await fixture.listen({ host: '::', ipv6Only: true });
    await expect(dialNet(one, { host: '127.0.0.1' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    (await dialNet(one, { host: '::1' })).destroy();
    await one.close();
  });

  test('resolves a name', async () => {
    const listener = await fixture.listen({ host: 'localhost' });
    expect(['127.0.0.1', '::1']).toContain(listener.address().address);
    await listener.close();
  });

  test('a name nobody knows, an address that is not ours, a directory that does not exist', async () => {
    await expect(fixture.listen({ host: 'nobody.invalid' })).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
      syscall: 'getaddrinfo',
      address: 'nobody.invalid',
    });
    await expect(fixture.listen({ host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      address: '192.0.2.1',
    });
    await expect(fixture.listen({ path: '/no/such/directory/x.sock' })).rejects.toMatchObject({
      code: pathKind(fixture.backend) === 'none' ? 'EAFNOSUPPORT' : 'ENOENT',
      address: '/no/such/directory/x.sock',
    });
  });

  test('an address in use says so, with everything that helps', async () => {
    const { port } = await serveNet(fixture, () => {});
    const error = await fixture.listen({ host: '127.0.0.1', port }).catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'IoError',
      code: 'EADDRINUSE',
      errno: -98,
      address: '127.0.0.1',
      port,
    });
    expect(error.syscall).toMatch(/bind|listen/);
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('in use');
  });

  const hasReusePort = !onWindows && (fixture.backend !== 'node' || nodeHasReusePort);
  test.runIf(hasReusePort)(
    'reusePort lets several listen on one port and share its connections',
    async () => {
      const options = { reusePort: true };
      const served = new Map<string, number>();
      const count = (name: string) => ({
        open(connection: TcpConnection) {
          served.set(name, (served.get(name) ?? 0) + 1);
          connection.end();
        },
      });
      const first = await fixture.listen(options, count('first'));
      const second = await fixture.listen({ ...options, port: first.address().port }, count('second'));
      // The kernel chooses by a hash of the addresses: 64 connections to one of two would be a miracle.
      for (let index = 0; index < 64; index++) await collect((await dialNet(first)).on('error', () => {}));
      expect([...served.keys()].sort()).toEqual(['first', 'second']);
      await Promise.all([first.close(), second.close()]);
    },
  );

  test.runIf(!hasReusePort)('reusePort is refused where Node.js or the system does not know it', async () => {
    expect(await codeOf(fixture.listen({ reusePort: true }))).toMatch(/^(ENOPROTOOPT|EOPNOTSUPP)$/);
  });

  test.skipIf(onWindows)(
    'a Unix socket leaves no file behind, but never removes the file of another',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
      fixture.after(() => rmSync(directory, { recursive: true }));
      const path = join(directory, 'x.sock');
      const first = await fixture.listen({ path });
      expect(existsSync(path)).toBe(true);
      expect(await codeOf(fixture.listen({ path }))).toBe('EADDRINUSE');
      await first.close();
      expect(existsSync(path)).toBe(false);
      const second = await fixture.listen({ path });
      rmSync(path);
      writeFileSync(path, 'somebody else');
      await second.close();
      expect(existsSync(path)).toBe(true);
    },
  );

  test.skipIf(isWineSocket(fixture.backend))('options of the listener reach its connections', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({ keepAlive: { idleMs: 30_500 } }, recorder.handlers);
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    expect(connection.getOption('noDelay')).toBe(true);
    expect(connection.getOption('keepAlive')).toBe(true);
    expect(connection.getOption('keepAliveIdle')).toBe(31);
    socket.destroy();
    await listener.close();
  });

  // `node:net` sets no others: see the backend's own test.
  test.runIf(fixture.backend !== 'node' && !onWindows)('and so do those of the system', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen(
      {
        keepAlive: { intervalMs: 5000, count: 4 },
        userTimeoutMs: 12_345,
        receiveBufferBytes: 50_000,
        socketOptions: { tos: 8 },
      },
      recorder.handlers,
    );
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    expect(connection.getOption('keepAliveInterval')).toBe(5);
    expect(connection.getOption('keepAliveCount')).toBe(4);
    expect(connection.getOption('userTimeout')).toBe(12_345);
    expect(connection.getOption('receiveBuffer')).toBe(100_000);
    socket.destroy();
    await listener.close();
  });
});

onEachBackend('connectionsMax', (fixture) => {
  test("policy 'pause': the rest waits in the backlog until there is room", async () => {
    let most = 0;
    const listener = await fixture.listen(
      { connectionsMax: 2 },
      {
        open() {
          most = Math.max(most, listener.connections);
        },
        data(connection, bytes) {
          connection.write(bytes);
        },
      },
    );
    const sockets = await Promise.all(Array.from({ length: 9 }, () => dialNet(listener)));
    const replies = sockets.map(async (socket, index) => {
      socket.write(`${index}`);
      const [reply] = await once(socket, 'data');
      expect(String(reply)).toBe(`${index}`);
      socket.end();
      await once(socket, 'close');
    });
    await until(() => listener.connections === 2 && listener.stats.acceptPaused.length > 0);
    expect(listener.stats.acceptPaused).toEqual(['connections-max']);
    await Promise.all(replies);
    await until(() => listener.connections === 0);
    expect(most).toBe(2);
    expect(listener.stats).toMatchObject({ accepted: 9, dropped: 0, acceptPaused: [] });
    await listener.close();
  });

  test("policy 'drop': the rest is reset, counted and reported", async () => {
    const dropped: (number | undefined)[] = [];
    const listener = await fixture.listen(
      { connectionsMax: 1, connectionsPolicy: 'drop' },
      {
        ...echoHandlers,
        drop(peer) {
          dropped.push(peer?.port);
        },
      },
    );
    const kept = await dialNet(listener);
    await until(() => listener.connections === 1);
    for (let index = 0; index < 3; index++) {
      const socket = net.connect(listener.address().port, '127.0.0.1');
      await resetOf(socket);
    }
    expect(listener.stats).toMatchObject({ dropped: 3, accepted: 1, connections: 1, acceptPaused: [] });
    expect(dropped).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
    kept.write('still served');
    expect(String((await once(kept, 'data'))[0])).toBe('still served');
    kept.end();
    await until(() => listener.connections === 0);
    const next = await dialNet(listener);
    next.end('next');
    expect(String(await collect(next))).toBe('next');
    await listener.close();
  });
});

onEachBackend('processes', (fixture) => {
  const program = (name: string): string => fileURLToPath(new URL(`./programs/${name}`, import.meta.url));

  test('unref() lets the process end, ref() keeps it', async () => {
    const { code, stdout, stderr } = await run(process.execPath, [
      program('unref.mjs'),
      fixture.port.info.backend,
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.toString().trim().split('\n')).toEqual([
      'listening',
      'served while unref is undone',
      'exit',
    ]);
  });

  // Node.js 20 forgets symbolic links when what it looked at last, by fs.stat, was a socket.
  test.skipIf(onWindows)('a listener on a Unix socket does not change what is imported', async () => {
    const args = [program('import-while-listening.mjs'), fixture.backend];
    expect(String((await run(process.execPath, args)).stdout)).toBe('real/after.mjs\n');
  });

  test.skipIf(onWindows)('without privileges a low port is EACCES', async () => {
    const { stdout } = await run(process.execPath, [program('privileged.mjs'), fixture.backend]);
    const error = JSON.parse(stdout.toString());
    expect(error).toMatchObject({ code: 'EACCES', address: '127.0.0.1', port: 1 });
    expect(error.message).toContain('127.0.0.1:1');
  });
});
