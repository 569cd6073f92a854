import net from 'node:net';
import { expect, test } from 'vitest';
import {
  codeOf,
  collect,
  deferred,
  dialNet,
  echoHandlers,
  onEachBackend,
  Recorder,
  resetOf,
  until,
} from './support.js';

onEachBackend('accept', (fixture) => {
  test('hands out connections in order and null once closed', async () => {
    const listener = await fixture.listen({});
    const waiting = [listener.accept(), listener.accept()];
    const sockets = [await dialNet(listener), await dialNet(listener), await dialNet(listener)];
    const connections = [...(await Promise.all(waiting)), await listener.accept()];
    expect(connections.map((connection) => connection?.remotePort)).toEqual(
      sockets.map((socket) => socket.localPort),
    );
    const last = listener.accept();
    for (const socket of sockets) socket.destroy();
    for (const connection of connections) await connection?.close();
    await listener.close();
    expect(await last).toBeNull();
    expect(await listener.accept()).toBeNull();
  });

  test('iteration ends with the listener, and leaving the loop does not close it', async () => {
    const listener = await fixture.listen({});
    const first = await dialNet(listener);
    for await (const connection of listener) {
      connection.end('first');
      void connection.close();
      break;
    }
    expect(String(await collect(first))).toBe('first');
    const second = await dialNet(listener);
    const served: string[] = [];
    const loop = (async () => {
      for await (const connection of listener) {
        served.push(String(await connection.read()));
        connection.end();
      }
    })();
    second.end('second');
    await collect(second);
    await listener.close();
    await loop;
    expect(served).toEqual(['second']);
  });

  test('a cancelled accept loses nothing', async () => {
    const listener = await fixture.listen({});
    const controller = new AbortController();
    const cancelled = listener.accept({ signal: controller.signal });
    const kept = listener.accept();
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(cancelled).rejects.toBe(reason);
    await expect(listener.accept({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const socket = await dialNet(listener);
    const connection = await kept;
    expect(connection?.remotePort).toBe(socket.localPort);
    socket.destroy();
    await connection?.close();
    await listener.close();
  });

  test('connections that nobody takes wait here up to acceptQueueMax and then in the backlog', async () => {
    const listener = await fixture.listen({ acceptQueueMax: 3 });
    const sockets = [await dialNet(listener)];
    const first = await listener.accept();
    for (let index = 0; index < 12; index++) sockets.push(await dialNet(listener));
    await until(() => listener.stats.acceptPaused.includes('accept-queue'));
    expect(listener.stats.queued).toBe(3);
    const taken = [first];
    for (let index = 0; index < 12; index++) taken.push(await listener.accept());
    expect(taken.map((connection) => connection?.remotePort).sort()).toEqual(
      sockets.map((socket) => socket.localPort).sort(),
    );
    expect(listener.stats).toMatchObject({ accepted: 13, queued: 0, acceptPaused: [] });
    for (const socket of sockets) socket.destroy();
    for (const connection of taken) await connection?.close();
    await listener.close();
  });

  test('one consumer at a time', async () => {
    const withHandlers = await fixture.listen({}, echoHandlers);
    expect(await codeOf(withHandlers.accept())).toBe('ERR_CHANNEL_CONSUMER');
    const expected = expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' });
    expect(() => withHandlers.handle({})).toThrow(expected);
    expect(() => withHandlers.attachTo(net.createServer())).toThrow(expected);
    await withHandlers.close();
    const withAccept = await fixture.listen({});
    const waiting = withAccept.accept();
    expect(() => withAccept.handle({})).toThrow(expected);
    await withAccept.close();
    expect(await waiting).toBeNull();
  });

  test('one consumer of a connection at a time', async () => {
    const listener = await fixture.listen({}, echoHandlers);
    const client = await fixture.connect({ port: listener.address().port });
    const reading = client.read();
    const expected = expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' });
    expect(() => client.handle({})).toThrow(expected);
    expect(() => client.toDuplex()).toThrow(expected);
    expect(() => client.toWeb()).toThrow(expected);
    client.write('x');
    expect(String(await reading)).toBe('x');
    await client.close();
    await listener.close();
  });
});

onEachBackend('a handler that throws', (fixture) => {
  test('in open: the process hears of it, the others are served, nothing leaks', async () => {
    const heard = deferred<unknown>();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', heard.resolve);
    let first = true;
    const listener = await fixture.listen(
      {},
      {
        open() {
          if (!first) return;
          first = false;
          throw new Error('mistake in open');
        },
        data(connection, bytes) {
          connection.write(bytes);
        },
      },
    );
    const sockets = [await dialNet(listener), await dialNet(listener)];
    expect(await heard.promise).toMatchObject({ message: 'mistake in open' });
    for (const each of listeners) process.on('uncaughtException', each);
    for (const socket of sockets) {
      socket.end('served');
      expect(String(await collect(socket))).toBe('served');
    }
    await listener.close();
  });

  test('in data with an error handler: it gets the error, and the connection is aborted with it', async () => {
    const mistake = new Error('mistake in data');
    const recorder = new Recorder({
      data() {
        throw mistake;
      },
    });
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const reset = resetOf(socket);
    socket.write('x');
    await reset;
    await recorder.closed;
    expect(recorder.error).toBe(mistake);
    await listener.close();
  });
});
