/** The package `ws` for the WebSocket suite: what the tests demand, another implementation has to meet as well. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { fromDuplex } from '@iocp/core/layer';
import {
  assertNoLeaks,
  type DeflateSetUp,
  resourceSnapshot,
  type TestSetup,
  type WebSocketSubject,
} from '@iocp/testkit';
import {
  type PerMessageDeflateOptions,
  type RawData,
  type ServerOptions,
  WebSocket,
  WebSocketServer,
} from 'ws';

const payloadBytesMax = 16 * 1024 * 1024;
/** Longer than any test: what only a timeout brings about is missed. */
const closeTimeoutMs = 60_000;

function deflateOptions(setUp: DeflateSetUp | undefined): PerMessageDeflateOptions | false {
  if (setUp === undefined) return false;
  if (setUp === 'stateful') return { threshold: 1024 };
  return { threshold: 1024, serverNoContextTakeover: true, clientNoContextTakeover: true };
}

type Answer = (socket: WebSocket, data: RawData, isBinary: boolean) => void;

const echo: Answer = (socket, data, isBinary) => socket.send(data, { binary: isBinary });

function serve(socket: WebSocket, answer: Answer): void {
  socket.on('message', (data, isBinary) => answer(socket, data, isBinary));
  // It has told the peer already.
  socket.on('error', () => {});
}

/** Types of `ws` that do not know `closeTimeout` yet. */
const common = { maxPayload: payloadBytesMax, closeTimeout: closeTimeoutMs };

const host = '127.0.0.1';

/** Everything that a subject opened, closed in the end: then nothing may be left. */
function controlSetup(
  make: (opened: Set<{ close(): unknown }>) => WebSocketSubject,
): TestSetup<WebSocketSubject> {
  const removers = new WeakMap<WebSocketSubject, () => Promise<void>>();
  return {
    async setup() {
      const before = resourceSnapshot();
      const opened = new Set<{ close(): unknown }>();
      const subject = make(opened);
      removers.set(subject, async () => {
        for (const one of opened) one.close();
        await assertNoLeaks(null, { since: before });
      });
      return subject;
    },
    teardown: async (subject) => removers.get(subject)?.(),
  };
}

const unchanged: ServerOptions = {};

/** Servers of `ws` with other options, or other answers: for tests that are to fail. */
export function controlServerWith(
  changes: ServerOptions,
  answer: Answer = echo,
): TestSetup<WebSocketSubject> {
  return controlSetup((opened) => ({
    // Whoever waits for what is wrong waits in vain.
    ...(changes === unchanged ? {} : { deadlineMs: 300 }),
    async open(options = {}) {
      const perMessageDeflate = deflateOptions(options.deflate);
      const server = new WebSocketServer({ ...common, host, port: 0, perMessageDeflate, ...changes });
      opened.add(server);
      server.on('connection', (socket) => serve(socket, answer));
      await once(server, 'listening');
      return { channel: fromDuplex(await dial((server.address() as AddressInfo).port)) };
    },
  }));
}

/** Servers of `ws`. */
export const controlServer = controlServerWith(unchanged);

/** Clients of `ws`. */
export const controlClient = controlSetup((opened) => ({
  async open(options = {}) {
    const server = createServer({ allowHalfOpen: true });
    opened.add(server);
    const port = await listening(server);
    const accepted = once(server, 'connection');
    const socket = new WebSocket(`ws://${host}:${port}`, {
      ...common,
      perMessageDeflate: deflateOptions(options.deflate),
    });
    serve(socket, echo);
    const wasOpened = once(socket, 'open');
    const [connection] = (await accepted) as [Socket];
    connection.setNoDelay();
    return { channel: fromDuplex(connection), opened: wasOpened };
  },
}));

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
