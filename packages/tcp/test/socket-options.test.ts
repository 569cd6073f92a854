import { once } from 'node:events';
import { nextTurn, turns } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { isWineSocket, onWindows } from '../../../system.shared.js';
import { tcpTransport } from '../src/index.js';
import { collect, dialNet, echoHandlers, onEachBackend, Recorder, resetOf, serveNet } from './support.js';

onEachBackend('options of a connection', (fixture) => {
  const hasDetails = fixture.backend !== 'node' && !isWineSocket(fixture.backend);

  test('noDelay is on by default, at both ends, and can be switched', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const client = await fixture.connect({ port: listener.address().port });
    const accepted = await recorder.opened;
    expect([client.getOption('noDelay'), accepted.getOption('noDelay')]).toEqual([true, true]);
    client.setNoDelay(false);
    expect(client.getOption('noDelay')).toBe(false);
    client.setNoDelay();
    expect(client.getOption('noDelay')).toBe(true);
    const slow = await fixture.connect({ port: listener.address().port, noDelay: false });
    expect(slow.getOption('noDelay')).toBe(false);
  });

  test.runIf(fixture.backend === 'node')('node: what node:net cannot set is refused by code', async () => {
    const { port } = await serveNet(fixture, () => {});
    const client = await fixture.connect({ port });
    client.setKeepAlive({ idleMs: 10_000 });
    expect(client.getOption('keepAlive')).toBe(true);
    expect(client.getOption('keepAliveIdle')).toBe(10);
    const refused = expect.objectContaining({ code: 'ENOPROTOOPT' });
    expect(() => client.setKeepAlive({ count: 3 })).toThrow(refused);
    expect(() => client.setUserTimeout(1)).toThrow(refused);
    expect(() => client.setOption('tos', 16)).toThrow(refused);
    expect(() => client.getOption('ttl')).toThrow(refused);
    expect(() => client.tcpInfo()).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
    await expect(fixture.connect({ port, userTimeoutMs: 1 })).rejects.toMatchObject({ code: 'ENOPROTOOPT' });
  });

  test.runIf(hasDetails)('keep-alive with its times', async () => {
    const { port } = await serveNet(fixture, () => {});
    const client = await fixture.connect({ port });
    expect(client.getOption('keepAlive')).toBe(false);
    client.setKeepAlive({ idleMs: 10_000, intervalMs: 2500, count: 3 });
    expect(client.getOption('keepAlive')).toBe(true);
    expect(client.getOption('keepAliveIdle')).toBe(10);
    expect(client.getOption('keepAliveInterval')).toBe(3);
    expect(client.getOption('keepAliveCount')).toBe(3);
    client.setKeepAlive(false);
    expect(client.getOption('keepAlive')).toBe(false);
    expect(() => client.setKeepAlive('on' as unknown as boolean)).toThrow(/options/);
    expect(() => client.setKeepAlive({ count: 500 })).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  test.runIf(fixture.backend !== 'node' && !onWindows)(
    'TCP_USER_TIMEOUT, other options by name, and names nobody knows',
    async () => {
      const { port } = await serveNet(fixture, () => {});
      const client = await fixture.connect({ port, userTimeoutMs: 4321, socketOptions: { ttl: 33 } });
      expect(client.getOption('userTimeout')).toBe(4321);
      client.setUserTimeout(0);
      expect(client.getOption('userTimeout')).toBe(0);
      expect(client.getOption('ttl')).toBe(33);
      expect(client.setOption('tos', 16).getOption('tos')).toBe(16);
      expect(() => client.getOption('speed' as 'ttl')).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      );
      expect(() => client.setOption('ttl', 1000)).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
      expect(() => client.setUserTimeout(-1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
      expect(() => client.setNoDelay(1 as unknown as boolean)).toThrow(/enable/);
    },
  );

  test.runIf(hasDetails)('tcpInfo() tells what the kernel counts', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
    const client = await fixture.connect({ port });
    await client.send(Buffer.alloc(5000));
    let received = 0;
    while (received < 5000) received += (await client.read())?.length ?? 0;
    const info = client.tcpInfo();
    expect(info.receivedBytes).toBe(5000);
    expect(info.roundTripMicroseconds).toBeGreaterThan(0);
    expect(info.sendSegmentBytes).toBeGreaterThan(0);
  });

  test('after the close they are refused with a code', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end());
    const client = await fixture.connect({ port });
    await client.close();
    const expected = expect.objectContaining({ code: 'ERR_CHANNEL_CLOSED' });
    expect(() => client.setNoDelay()).toThrow(expected);
    expect(() => client.setKeepAlive()).toThrow(expected);
    expect(() => client.setUserTimeout(1)).toThrow(expected);
    expect(() => client.getOption('ttl')).toThrow(expected);
    expect(() => client.setOption('ttl', 9)).toThrow(expected);
    expect(() => client.tcpInfo()).toThrow(expected);
    client.ref().unref();
  });

  test.skipIf(onWindows)('what only TCP has is no matter on a Unix socket', async () => {
    const path = `\0iocp-options-${process.pid}-${fixture.port.info.backend}`;
    const options = { path, noDelay: true, keepAlive: true, userTimeoutMs: 5 };
    await fixture.listen(options, echoHandlers);
    const client = await fixture.connect(options);
    client.setNoDelay(false).setKeepAlive({ idleMs: 1000 }).setUserTimeout(100);
    client.end('x');
    expect(String(await client.read())).toBe('x');
    await client.close();
  });
});

onEachBackend('the idle timeout', (fixture) => {
  test('aborts a silent connection with ERR_CHANNEL_IDLE', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({ idleMs: 40 }, recorder.handlers);
    const socket = await dialNet(listener);
    const reset = resetOf(socket);
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'error ERR_CHANNEL_IDLE', 'close ERR_CHANNEL_IDLE']);
    await reset;
  });

  test('leaves a busy one alone, and calls the handler idle instead when there is one', async () => {
    let idle = 0;
    const recorder = new Recorder({
      data: (connection, bytes) => void connection.write(bytes),
      idle: () => idle++,
    });
    const listener = await fixture.listen({ idleMs: 60 }, recorder.handlers);
    const socket = await dialNet(listener);
    const begin = performance.now();
    while (performance.now() - begin < 300) {
      socket.write('x');
      await once(socket, 'data');
    }
    expect(idle).toBe(0);
    while (idle < 2) await turns(10);
    expect(recorder.events).toEqual(['open']);
    recorder.connection?.setIdleTimeout(0);
    socket.end();
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
  });

  // Without tcpInfo() a send counts when it is through.
  test.runIf(fixture.backend !== 'node' && !isWineSocket(fixture.backend))(
    'a large send that moves slowly is no silence',
    async () => {
      const recorder = new Recorder();
      const listener = await fixture.listen({ bufferedBytesMax: 1e8 }, recorder.handlers);
      const socket = await dialNet(listener);
      socket.pause();
      const connection = await recorder.opened;
      connection.write(Buffer.alloc(20_000_000));
      connection.end();
      connection.setIdleTimeout(200);
      let received = 0;
      socket.on('data', (chunk) => {
        received += chunk.length;
      });
      // An even pace, so that there is never silence, for several times as long as the timeout.
      const begin = performance.now();
      while (received < 20_000_000) {
        const allowed = ((performance.now() - begin) / 900) * 20_000_000;
        if (received < allowed) socket.resume();
        else socket.pause();
        await nextTurn();
      }
      socket.end();
      await recorder.closed;
      expect(received).toBe(20_000_000);
      expect(recorder.events).toEqual(['open', 'drain', 'end', 'close null']);
    },
  );
});

onEachBackend('tcpTransport', (fixture) => {
  test('connects and listens with defaults, over TCP and Unix sockets', async () => {
    void fixture;
    const path = `\0iocp-transport-${process.pid}-${fixture.port.info.backend}`;
    const tcp = { host: '127.0.0.1', port: 0 };
    for (const address of onWindows ? [tcp] : [tcp, { path }]) {
      const listener = await tcpTransport.listen(address);
      const accepting = listener.accept();
      const client = await tcpTransport.connect(listener.address());
      const server = await accepting;
      const received: string[] = [];
      const closed = new Promise<void>((resolve) => {
        server?.attach({
          onData: (bytes) => received.push(Buffer.from(bytes).toString()),
          onEnd: () => server.end(),
          onDrain() {},
          onClose: () => resolve(),
        });
      });
      client.write(Buffer.from('over a transport'));
      client.end();
      client.attach({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
      await closed;
      expect(received.join('')).toBe('over a transport');
      await listener.close();
      expect(await listener.accept()).toBeNull();
    }
  });

  test('a signal cancels', async () => {
    const reason = new Error('no');
    await expect(tcpTransport.connect({ port: 9 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const { port } = await serveNet(fixture, (socket) => socket.end('x'));
    const channel = await tcpTransport.connect({ host: '127.0.0.1', port });
    channel.abort();
    const socket = await dialNet(port);
    expect(String(await collect(socket))).toBe('x');
  });
});
