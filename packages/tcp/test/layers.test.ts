import { once } from 'node:events';
import type net from 'node:net';
import {
  BaseChannel,
  type Channel,
  type ChannelInfo,
  flushSoon,
  type Layer,
  ownCopy,
  type Receiver,
  type WrapOptions,
} from '@iocp/core/layer';
import { nextTurn } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { resetRetries } from '../../../system.shared.js';
import type { TcpConnection } from '../src/index.js';
import { codeOf, collect, deferred, dialNet, onEachBackend, Recorder, resetOf, serveNet } from './support.js';

/** Turns every bit over, both ways. */
class InvertingChannel extends BaseChannel implements Receiver {
  readonly info: ChannelInfo;
  readonly #lower: Channel;
  #kept: Uint8Array[] = [];

  constructor(lower: Channel) {
    super();
    this.#lower = lower;
    this.info = { ...lower.info, protocols: [...lower.info.protocols, 'inverted'] };
  }

  onData(data: Uint8Array): void {
    this.received(inverted(data));
  }
  onEnd(): void {
    this.ended();
  }
  onDrain(): void {
    this.lowerDrained();
  }
  onClose(error: Error | null): void {
    if (error !== null) this.failed(error);
    this.closeDone();
  }

  protected override lowerBufferedAmount(): number {
    return this.#lower.bufferedAmount;
  }
  protected keepChunk(chunk: Uint8Array): void {
    this.#kept.push(inverted(chunk));
  }
  protected scheduleFlush(): void {
    flushSoon(this);
  }
  protected startSend(): void {
    const kept = this.#kept;
    this.#kept = [];
    this.#lower.write(kept, (error) => this.sent(error));
  }
  protected startShutdown(): void {
    this.#lower.end();
    queueMicrotask(() => this.shutdownDone(null));
  }
  protected startRead(): void {
    this.#lower.resume();
  }
  protected stopRead(): void {
    this.#lower.pause();
  }
  protected startClose(abortive: boolean): void {
    if (abortive) this.#lower.abort();
  }
  protected dropKept(): void {
    this.#kept = [];
  }
}

function inverted(bytes: Uint8Array): Uint8Array {
  return ownCopy(bytes).map((byte) => ~byte);
}

/** Waits for one byte before it is done, so that the test decides when. */
function gate(): Layer & { waiting: number } {
  const layer = {
    name: 'gate',
    waiting: 0,
    wrap(lower: Channel, _role: string, options?: WrapOptions): Promise<Channel> {
      layer.waiting++;
      return new Promise((resolve, reject) => {
        let finished = false;
        const finish = (error: Error | null): void => {
          if (finished) return;
          finished = true;
          layer.waiting--;
          if (error === null) {
            const upper = new InvertingChannel(lower);
            lower.detach();
            lower.attach(upper);
            lower.pause();
            resolve(upper);
          } else {
            lower.abort(error);
            reject(error);
          }
        };
        options?.signal?.addEventListener('abort', () => finish(options.signal?.reason), { once: true });
        lower.attach({
          onData: (data) => finish(data[0] === 0x21 ? null : new Error('a wrong byte')),
          onEnd() {},
          onDrain() {},
          onClose: (error) => finish(error ?? new Error('closed during the handshake')),
        });
      });
    },
  };
  return layer;
}

onEachBackend('layers', (fixture) => {
  test('hands out finished channels', { retry: resetRetries }, async () => {
    const layer = gate();
    const recorder = new Recorder({
      data(connection, bytes) {
        connection.write(bytes);
      },
    });
    const listener = await fixture.listen({ layers: [layer] }, recorder.handlers);
    const socket = await dialNet(listener);
    while (layer.waiting === 0) await nextTurn();
    expect(listener.stats).toMatchObject({ handshakes: 1, connections: 1 });
    expect(recorder.events).toEqual([]);
    socket.write('!');
    const connection: TcpConnection = await recorder.opened;
    expect(connection.info.protocols).toEqual(['tcp', 'inverted']);
    expect(connection.tcp.info.protocols).toEqual(['tcp']);
    expect(connection.getOption('noDelay')).toBe(true);
    socket.write(inverted(Buffer.from('turned')));
    const [reply] = await once(socket, 'data');
    expect(inverted(reply)).toEqual(Buffer.from('turned').map((byte) => byte));
    expect(recorder.bytes.toString()).toBe('turned');
    expect(listener.stats).toMatchObject({ handshakes: 0, handshakesFailed: 0 });
    socket.resetAndDestroy();
    await recorder.closed;
    expect(recorder.events.at(-1)).toBe('close ECONNRESET');
  });

  test('a failed handshake is counted and reported, and its connection gone', async () => {
    const failed = deferred<[Error, ChannelInfo]>();
    const opened: unknown[] = [];
    const listener = await fixture.listen(
      { layers: [gate()] },
      {
        open: (connection) => opened.push(connection),
        handshakeError: (error, info) => failed.resolve([error, info]),
      },
    );
    const socket = await dialNet(listener);
    const { localPort } = socket;
    socket.on('error', () => {});
    const closing = new Promise((resolve) => socket.once('close', resolve));
    socket.write('?');
    const [error, info] = await failed.promise;
    expect(error.message).toBe('a wrong byte');
    expect(info).toMatchObject({ protocols: ['tcp'], remoteAddress: '127.0.0.1', remotePort: localPort });
    await closing;
    while (listener.connections > 0) await nextTurn();
    expect(listener.stats).toMatchObject({ handshakesFailed: 1, handshakes: 0 });
    expect(opened).toEqual([]);
  });

  test('a handshake that takes too long is aborted, also in a layer that ignores the signal', async () => {
    const deaf: Layer = { name: 'deaf', wrap: () => new Promise(() => {}) };
    for (const layer of [gate(), deaf]) {
      const failed = deferred<Error>();
      const listener = await fixture.listen(
        { layers: [layer], handshakeTimeoutMs: 30 },
        { handshakeError: (error) => failed.resolve(error) },
      );
      const socket = await dialNet(listener);
      const reset = resetOf(socket);
      expect(await failed.promise).toMatchObject({ code: 'ERR_CHANNEL_HANDSHAKE_TIMEOUT' });
      await reset;
      while (listener.connections > 0) await nextTurn();
      await listener.close();
    }
  });

  test('at handshakesMax accepting pauses until one is done', async () => {
    const layer = gate();
    const listener = await fixture.listen({ layers: [layer], handshakesMax: 2 });
    const waiting = [1, 2, 3, 4, 5].map(() => listener.accept());
    const sockets = await Promise.all(waiting.map(() => dialNet(listener)));
    while (layer.waiting < 2) await nextTurn();
    expect(listener.stats).toMatchObject({ handshakes: 2, acceptPaused: ['handshakes-max'] });
    for (const socket of sockets) socket.write('!');
    const connections = await Promise.all(waiting);
    expect(connections.map((each) => each?.remotePort).sort()).toEqual(
      sockets.map((each) => each.localPort).sort(),
    );
    expect(listener.stats).toMatchObject({ handshakes: 0, accepted: 5, acceptPaused: [] });
    for (const socket of sockets) socket.destroy();
    for (const connection of connections) connection?.abort();
  });

  test('closing the listener aborts handshakes under way', async () => {
    const layer = gate();
    const listener = await fixture.listen({ layers: [layer] }, {});
    const socket = await dialNet(listener);
    const reset = resetOf(socket);
    while (layer.waiting === 0) await nextTurn();
    await listener.close();
    await reset;
    expect(layer.waiting).toBe(0);
  });

  test('connecting puts layers on, too', { retry: resetRetries }, async () => {
    const layer = gate();
    const accepted = deferred<net.Socket>();
    const { port } = await serveNet(fixture, accepted.resolve);
    const connecting = fixture.connect({ port, layers: [layer] });
    const socket = await accepted.promise;
    while (layer.waiting === 0) await nextTurn();
    socket.write('!');
    const connection = await connecting;
    expect(connection.info.protocols).toEqual(['tcp', 'inverted']);
    connection.write('turned');
    const [bytes] = await once(socket, 'data');
    expect(inverted(bytes)).toEqual(Buffer.from('turned').map((byte) => byte));
    connection.abort();
  });

  test('a connection whose handshake fails, or is cancelled, or takes too long, is gone', async () => {
    const accepted: net.Socket[] = [];
    const { port } = await serveNet(fixture, (socket) => accepted.push(socket));
    const layers = [gate()];
    const controller = new AbortController();
    const cancelled = fixture.connect({ port, layers, signal: controller.signal });
    while (layers[0]?.waiting === 0) await nextTurn();
    controller.abort(new Error('changed my mind'));
    await expect(cancelled).rejects.toThrow('changed my mind');
    expect(await codeOf(fixture.connect({ port, layers, handshakeTimeoutMs: 20 }))).toBe(
      'ERR_CHANNEL_HANDSHAKE_TIMEOUT',
    );
    const failing = fixture.connect({ port, layers });
    while (accepted.length < 3) await nextTurn();
    accepted[2]?.write('?');
    await expect(failing).rejects.toThrow('a wrong byte');
    while (fixture.port.stats.handlesOpen > 0) await nextTurn();
  });

  test('the peer sees what the upper channel sends before its end', async () => {
    const listener = await fixture.listen(
      { layers: [gate()] },
      {
        open(connection) {
          connection.end('bye');
        },
      },
    );
    const socket = await dialNet(listener);
    socket.write('!');
    expect(Buffer.from(inverted(await collect(socket))).toString()).toBe('bye');
    socket.end();
  });
});
