/** One table of behaviours for `ws` on Node's sockets and on ours, so that what is the same is shown to be. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CompletionPort } from '@iocp/core';
import { assertNoLeaks } from '@iocp/testkit';
import { afterEach, beforeEach, describe, test } from 'vitest';
import Ws, { createWebSocketStream, WebSocketServer as WsServer } from 'ws';
import { type Backend, exclusionOf, systemBackends } from '../../../../system.shared.js';
import * as ours from '../../src/ws/index.js';

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

export interface Module {
  readonly WebSocket: typeof Ws;
  readonly WebSocketServer: typeof WsServer;
  readonly createWebSocketStream: typeof createWebSocketStream;
}

export interface Scene {
  /** Whether the module is `ws` itself, on `node:net`. */
  readonly isWs: boolean;
  /** What is below ours. */
  readonly backend: Backend;
  readonly module: Module;
  /** Of ours; undefined for `ws` itself. */
  readonly port: CompletionPort | undefined;
  /** Runs after the test, last first. */
  after(cleanup: () => unknown): void;
  /** A server at 127.0.0.1 that listens; closed after the test. */
  serve(options?: Ws.ServerOptions): Promise<WsServer>;
  /** A client of it, or of a URL, that has begun to connect; closed after the test. */
  dial(to: WsServer | string, options?: Ws.ClientOptions, protocols?: string[]): Ws;
  /** The same, when it is open. */
  open(to: WsServer | string, options?: Ws.ClientOptions, protocols?: string[]): Promise<Ws>;
}

export function urlOf(server: WsServer): string {
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Every server of these tests sends back what it gets. */
export function echo(server: WsServer): WsServer {
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }));
    // What broken peers do is no error of the test.
    socket.on('error', () => {});
  });
  return server;
}

/** The arguments of the next event. */
export function next(emitter: { once: unknown }, event: string): Promise<unknown[]> {
  return once(emitter as never, event, { signal: AbortSignal.timeout(deadlineMs) });
}

/**
 * Defines the same tests for `ws` itself and for ours on each backend; after each of ours, operations, sockets, slots and pins
 * must be back at zero.
 */
export function onEach(name: string, define: (scene: Scene) => void, withWs = true): void {
  const cases: (Backend | 'ws')[] = [...(withWs ? (['ws'] as const) : []), ...systemBackends];
  describe.each(cases)(`${name} on %s`, (kind) => {
    const isWs = kind === 'ws';
    const exclusion = isWs ? undefined : exclusionOf(kind);
    if (exclusion !== undefined) {
      test.skip(exclusion, () => {});
      return;
    }
    let port: CompletionPort | undefined;
    let cleanups: (() => unknown)[] = [];
    beforeEach(() => {
      port = isWs ? undefined : new CompletionPort({ backend: kind });
      cleanups = [];
    });
    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
      if (port === undefined) return;
      await assertNoLeaks(port);
      await port.close();
    });
    const module: Module = isWs
      ? { WebSocket: Ws, WebSocketServer: WsServer, createWebSocketStream }
      : (ours as unknown as Module);
    const below = () => (port === undefined ? {} : { completionPort: port });
    define({
      isWs,
      backend: isWs ? 'node' : kind,
      module,
      get port() {
        return port;
      },
      after(cleanup) {
        cleanups.push(cleanup);
      },
      async serve(options = {}) {
        const where = options.noServer || options.server ? {} : { port: 0, host: '127.0.0.1' };
        const server = new module.WebSocketServer({ ...below(), ...where, ...options });
        cleanups.push(() => {
          for (const socket of server.clients) socket.terminate();
          server.close();
        });
        if ('port' in where) await next(server, 'listening');
        return server;
      },
      dial(to, options = {}, protocols = []) {
        const url = typeof to === 'string' ? to : urlOf(to);
        const socket = new module.WebSocket(url, protocols, { ...below(), ...options });
        cleanups.push(async () => {
          if (socket.readyState === socket.CLOSED) return;
          const closed = new Promise((resolve) => socket.once('close', resolve));
          socket.on('error', () => {});
          socket.terminate();
          await closed;
        });
        return socket;
      },
      async open(to, options, protocols) {
        const socket = this.dial(to, options, protocols);
        await next(socket, 'open');
        return socket;
      },
    });
  });
}
