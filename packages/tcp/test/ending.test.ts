import { type BackendChoice, CompletionPort } from '@iocp/core';
import { whenQuiet } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { onWindows, resetRetries, underWine } from '../../../system.shared.js';
import type { TcpConnection } from '../src/index.js';
import { collect, dialNet, hasProgram, onEachBackend, Recorder, resetOf, run, serveNet } from './support.js';

onEachBackend('the end of a stream', (fixture) => {
  test('the peer ends first and still gets everything (allowHalfOpen)', async () => {
    const recorder = new Recorder({
      end(connection) {
        connection.write('after your end');
        connection.end();
      },
    });
    const listener = await fixture.listen({ allowHalfOpen: true }, recorder.handlers);
    const socket = await dialNet(listener, { allowHalfOpen: true });
    socket.end('mine');
    expect((await collect(socket)).toString()).toBe('after your end');
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('mine');
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
    await listener.close();
  });

  test('we end first and still receive', async () => {
    const recorder = new Recorder({
      open(connection) {
        connection.end('mine');
      },
    });
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener, { allowHalfOpen: true });
    expect((await collect(socket)).toString()).toBe('mine');
    for (let part = 0; part < 5; part++) {
      socket.write(`part ${part};`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('part 0;part 1;part 2;part 3;part 4;');
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
    await listener.close();
  });

  test('without allowHalfOpen our side ends with the peer', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener, { allowHalfOpen: true });
    socket.end();
    expect(await collect(socket)).toHaveLength(0);
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
    await listener.close();
  });

  test('bytes and the end in one go', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    socket.end('all at once');
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('all at once');
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
    await listener.close();
  });

  test('writing after the end and after the close is refused with a code', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
    const client = await fixture.connect({ port });
    client.end('bye');
    await expect(client.send('too late')).rejects.toMatchObject({ code: 'ERR_CHANNEL_ENDED' });
    for await (const chunk of client) expect(Buffer.from(chunk).toString()).toBe('bye');
    await client.close();
    await expect(client.send('much too late')).rejects.toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    expect(client.write('x')).toBe(false);
    expect(client.closed).toBe(true);
    await client.close();
  });
});

onEachBackend('a reset', (fixture) => {
  test('by node:net is ECONNRESET in the error handler, and the connection closes', {
    retry: resetRetries,
  }, async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    socket.write('before');
    const connection = await recorder.opened;
    expect(connection.remotePort).toBe(socket.localPort);
    while (recorder.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const remotePort = socket.localPort;
    socket.resetAndDestroy();
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'error ECONNRESET', 'close ECONNRESET']);
    expect(recorder.error).toMatchObject({
      code: 'ECONNRESET',
      syscall: 'read',
      address: '127.0.0.1',
      port: remotePort,
    });
    await listener.close();
  });

  test.runIf(hasProgram('python3'))('by a Python client with linger 0 is ECONNRESET', async () => {
    const recorder = new Recorder({
      data(connection, bytes) {
        connection.write(bytes);
      },
    });
    const listener = await fixture.listen({}, recorder.handlers);
    const script = `
import socket, struct, sys
peer = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
peer.sendall(b'hello')
assert peer.recv(5) == b'hello'
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
peer.close()
`;
    const { code, stderr } = await run('python3', ['-c', script, String(listener.address().port)]);
    expect([code, stderr]).toEqual([0, '']);
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'error ECONNRESET', 'close ECONNRESET']);
    await listener.close();
  });

  test('while sending fails the pending writes with the code', { retry: resetRetries }, async () => {
    const { port } = await serveNet(fixture, (socket) => {
      socket.pause();
      socket.once('readable', () => {});
      setImmediate(() => socket.resetAndDestroy());
    });
    const client = await fixture.connect({ port });
    const results: (string | null)[] = [];
    for (let index = 0; index < 3; index++) {
      client.write(Buffer.alloc(4_000_000), (error) =>
        results.push((error as NodeJS.ErrnoException | null)?.code ?? null),
      );
    }
    const error = (await client.whenClosed()) as NodeJS.ErrnoException;
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code);
    expect(results).toEqual([error.code, error.code, error.code]);
  });

  test('abort() resets a node:net peer and gives pending writes the reason', async () => {
    let accepted: TcpConnection | undefined;
    const listener = await fixture.listen(
      { bufferedBytesMax: 100_000_000 },
      {
        open(connection) {
          accepted = connection;
        },
      },
    );
    const socket = await dialNet(listener);
    socket.pause();
    while (accepted === undefined) await new Promise((resolve) => setImmediate(resolve));
    const failures: unknown[] = [];
    accepted.write(Buffer.alloc(50_000_000), (error) => failures.push(error));
    accepted.write('small', (error) => failures.push(error));
    const reason = new Error('enough');
    const closed = accepted.whenClosed();
    accepted.abort(reason);
    expect(failures).toEqual([]);
    await resetOf(socket.resume());
    expect(await closed).toBe(reason);
    expect(failures).toEqual([reason, reason]);
    accepted.abort();
    await listener.close();
  });

  test('abort() without a reason closes with null', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const reset = resetOf(socket);
    (await recorder.opened).abort();
    await reset;
    await recorder.closed;
    expect(recorder.events).toEqual(['open', 'close null']);
    await listener.close();
  });

  // Under Wine it is always the end that is behind it.
  test.skipIf(underWine)('behind a large backlog is seen when the backlog has been read', async () => {
    // Slots enough, so that nothing but the kernel's own limit interrupts a long run of receives.
    const completionPort = new CompletionPort({
      backend: fixture.port.info.backend as BackendChoice,
      pool: { minSlots: 1024 },
    });
    const listener = await fixture.listen({ completionPort });
    for (let round = 0; round < 20; round++) {
      const accepted = listener.accept();
      const peer = await fixture.connect({ port: listener.address().port, bufferedBytesMax: 100_000_000 });
      const connection = (await accepted) as TcpConnection;
      connection.pause();
      connection.handle({});
      for (let chunk = 0; chunk < 30; chunk++) peer.write(Buffer.alloc(256 * 1024));
      // What `node:net` and Windows cannot tell: until nothing has moved for a while.
      await whenQuiet(() =>
        fixture.backend === 'node' || onWindows ? peer.bufferedAmount : peer.tcpInfo().acknowledgedBytes,
      );
      peer.abort();
      await peer.whenClosed();
      const closed = connection.whenClosed();
      connection.resume();
      expect(await closed).toMatchObject({ code: 'ECONNRESET' });
    }
    await listener.close();
    await completionPort.close();
  });

  test.skipIf(onWindows)('of a Unix peer is seen as the end or as ECONNRESET', async () => {
    const path = `\0iocp-reset-${process.pid}-${fixture.port.info.backend}`;
    const recorder = new Recorder();
    const listener = await fixture.listen({ path }, recorder.handlers);
    const client = await fixture.connect({ path });
    client.write('x');
    await recorder.opened;
    client.abort();
    await recorder.closed;
    expect(['open,end,close null', 'open,error ECONNRESET,close ECONNRESET']).toContain(
      recorder.events.join(),
    );
    await listener.close();
  });
});
