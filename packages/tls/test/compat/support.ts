/** One table of behaviours for `node:tls` and for ours, so that what is the same is shown to be. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import nodeTls from 'node:tls';
import { CompletionPort } from '@iocp/core';
import { assertNoLeaks, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, test } from 'vitest';
import { type Backend, exclusionOf, systemBackends } from '../../../../system.shared.js';
import ours from '../../src/tls/index.js';

export type Module = typeof nodeTls;
export type Socket = nodeTls.TLSSocket;
export type Server = nodeTls.Server;
export type ConnectionOptions = nodeTls.ConnectionOptions;
export type ServerOptions = nodeTls.TlsOptions;

/** Nothing in these tests takes this long; only a mistake does. */
export const deadlineMs = 20_000;

/** What the tests of this folder need of a module. */
export interface Scene {
  /** Whether the module is `node:tls` itself. */
  readonly isNode: boolean;
  /** What is below; `node` for `node:tls` itself. */
  readonly backend: Backend;
  /** What ours runs on. */
  readonly engine: 'native' | 'node' | undefined;
  /** The module under test. Servers and sockets that it makes are closed after the test. */
  readonly tls: Module;
  readonly certificates: TestCertificates;
  /** Runs after the test, last first. */
  after(cleanup: () => unknown): void;
  /** A server with the certificate `server`, at 127.0.0.1. */
  serve(options?: ServerOptions, listener?: (socket: Socket) => void): Promise<Served>;
  /** Connects to it as `localhost`, and trusts its authority. Takes anything, to see how it is refused. */
  dial(to: Served | number, options?: object, listener?: () => void): Socket;
  /** The same, with the handshake done. */
  connected(to: Served | number, options?: object): Promise<Socket>;
}

export interface Served {
  readonly server: Server;
  readonly port: number;
}

/** Ours as `node:tls` would be, on a port. */
function oursOn(port: CompletionPort): Module {
  const withPort = (options: unknown): unknown =>
    typeof options === 'object' && options !== null && !Array.isArray(options)
      ? { completionPort: port, ...options }
      : options;
  const onPort = {
    ...ours,
    connect: (...args: unknown[]) => {
      const all = args.map(withPort);
      const isComplete = all.some((each) => typeof each === 'object' && each !== null);
      const at = all.findIndex((each, index) => index > 0 && typeof each !== 'string');
      if (!isComplete) all.splice(at < 0 ? all.length : at, 0, { completionPort: port });
      return (ours.connect as (...each: unknown[]) => unknown)(...all);
    },
    createServer: (options?: unknown, listener?: unknown) =>
      typeof options === 'function'
        ? ours.createServer({ completionPort: port }, options as () => void)
        : ours.createServer(withPort(options ?? {}) as object, listener as () => void),
  };
  return onPort as unknown as Module;
}

type Opened = { readonly tls: Module; readonly end: () => Promise<void> };

/** Defines the same tests for `node:tls` and for ours on each backend. Ours must leave nothing behind. */
export function onEachModule(name: string, define: (scene: Scene) => void): void {
  const open = () => ({ tls: nodeTls, end: async () => {} });
  defineOn(`${name}: node:tls`, { isNode: true, backend: 'node', engine: undefined }, open, define);
  onOurs(name, define);
}

/** Defines tests for ours alone: the native engine on each backend, and the other one on `node`. */
export function onOurs(name: string, define: (scene: Scene) => void): void {
  const cases: Pick<Scene, 'backend' | 'engine'>[] = [
    ...systemBackends.map((backend) => ({ backend, engine: 'native' }) as const),
    { backend: 'node', engine: 'node' },
  ];
  for (const { backend, engine } of cases) {
    const title = `${name}: ours, engine ${engine} on ${backend}`;
    const exclusion = exclusionOf(backend);
    if (exclusion !== undefined) {
      describe(title, () => test.skip(exclusion, () => {}));
      continue;
    }
    const open = () => {
      const engineBefore = process.env.IOCP_TLS_ENGINE;
      process.env.IOCP_TLS_ENGINE = engine;
      const port = new CompletionPort({ backend });
      const end = async () => {
        if (engineBefore === undefined) delete process.env.IOCP_TLS_ENGINE;
        else process.env.IOCP_TLS_ENGINE = engineBefore;
        await assertNoLeaks(port);
        await port.close();
      };
      return { tls: oursOn(port), end };
    };
    defineOn(title, { isNode: false, backend, engine }, open, define);
  }
}

function defineOn(
  title: string,
  under: Pick<Scene, 'isNode' | 'backend' | 'engine'>,
  open: () => Opened,
  define: (scene: Scene) => void,
): void {
  describe(title, () => {
    let opened: Opened;
    let certificates: TestCertificates;
    let cleanups: (() => unknown)[] = [];
    beforeAll(async () => {
      certificates = await testCertificates();
    });
    beforeEach(() => {
      cleanups = [];
      opened = open();
    });
    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
      await opened.end();
    });
    const scene: Scene = {
      ...under,
      get tls() {
        return opened.tls;
      },
      get certificates() {
        return certificates;
      },
      after: (cleanup) => cleanups.push(cleanup),
      async serve(options, listener) {
        const { cert, key } = certificates.server;
        const server = opened.tls.createServer({ cert, key, ...options });
        const sockets = new Set<Socket>();
        let over = false;
        server.on('secureConnection', (socket) => {
          sockets.add(socket.on('error', () => {}));
          if (over) socket.destroy();
          socket.once('close', () => sockets.delete(socket));
        });
        if (listener !== undefined) server.on('secureConnection', listener);
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        scene.after(async () => {
          over = true;
          for (const socket of sockets) socket.destroy();
          await closed(server);
        });
        return { server, port: (server.address() as AddressInfo).port };
      },
      dial(to, options, listener) {
        const port = typeof to === 'number' ? to : to.port;
        const all = {
          port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: certificates.ca.cert,
          ...options,
        };
        const socket = opened.tls.connect(all, listener);
        scene.after(async () => {
          socket.on('error', () => {}).destroy();
          await closeOf(socket);
        });
        return socket;
      },
      async connected(to, options) {
        const socket = scene.dial(to, options);
        await once(socket, 'secureConnect');
        return socket;
      },
    };
    define(scene);
  });
}

/** Closes a server, unless the test has. */
export async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

/** Sends everything back. */
export function echo(socket: Socket): void {
  socket.on('error', () => {});
  socket.pipe(socket);
}

/** What is the same of two errors that say the same. */
export interface ErrorFacts {
  readonly kind: 'TypeError' | 'RangeError' | 'Error';
  readonly code: string | undefined;
}

export function factsOf(error: unknown): ErrorFacts {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof TypeError) return { kind: 'TypeError', code };
  return { kind: error instanceof RangeError ? 'RangeError' : 'Error', code };
}

/** How a call is refused. */
export function thrown(call: () => unknown): ErrorFacts {
  try {
    call();
  } catch (error) {
    return factsOf(error);
  }
  throw new Error('did not throw');
}

/** The code of the next error. */
export async function nextCode(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) =>
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
}

/** Resolves when it is closed, whatever was before. */
export async function closeOf(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

/** The next connection of a server, secured. */
export async function nextSocket({ server }: Served): Promise<Socket> {
  const [socket] = (await once(server, 'secureConnection')) as [Socket];
  return socket;
}

/** Both ends of a new connection. */
export async function pair(scene: Scene, to: Served, options?: object): Promise<[Socket, Socket]> {
  const accepting = nextSocket(to);
  const client = await scene.connected(to, options);
  return [client, await accepting];
}

/** All text to the end. */
export async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await once(socket, 'end');
  return text;
}

/** The next piece as text. */
export async function nextText(socket: Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}
