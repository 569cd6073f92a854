/** `@iocp/websocket` for the WebSocket suite: servers and clients that send each message back, in all the ways there are. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect as netConnect } from 'node:net';
import { CompletionPort } from '@iocp/core';
import { fromDuplex } from '@iocp/core/layer';
import { connect as tcpConnect, listen as tcpListen } from '@iocp/tcp';
import {
  assertNoLeaks,
  resourceSnapshot,
  type SubjectConnection,
  type SubjectOptions,
  type TestRunner,
  type TestSetup,
  type WebSocketSubject,
  type WebSocketTraits,
} from '@iocp/testkit';
import {
  connect,
  createWebSocketServer,
  type DeflateOptions,
  listen,
  type MessageWriter,
  type WebSocketConnection,
  type WebSocketHandlers,
  type WebSocketOptions,
  type WebSocketServer,
} from '@iocp/websocket';
import { afterAll } from 'vitest';
import type { Backend } from '../../../../system.shared.js';
import { runner, runnerWithout } from './runner.js';

export const host = '127.0.0.1';

/** How the echo is written. */
export type Face = 'messages' | 'lent messages' | 'parts' | 'iteration';

/** What the suite is to demand. */
export function traitsOf(face: Face): WebSocketTraits {
  // What is sent in parts is not compressed.
  return { fullSize: process.env.IOCP_TEST_FULL_SIZE !== undefined, compressesAnswers: face !== 'parts' };
}

/** Those who iterate get a message a turn later: what came right behind it may close the connection before they answer. */
const answeredTooLate = /after a (message|text|good one)|with the (request|answer)$|a close frame and a ping/;

/** For the tests that hold whatever the way. */
export function runnerOf(face: Face): TestRunner {
  return face === 'iteration' ? runnerWithout(answeredTooLate) : runner;
}

/** How the application takes its messages makes no difference to what is below: each way is tried on some backend. */
export function facesOn(backend: Backend): readonly Face[] {
  if (backend === 'epoll') return ['messages'];
  return backend === 'node' ? ['messages', 'iteration'] : ['lent messages', 'parts'];
}

/** Each part goes back as it comes, as one fragment. */
const partsEcho: WebSocketHandlers = {
  part(socket, data, binary, last) {
    socket.data ??= socket.startMessage(binary);
    const writer = socket.data as MessageWriter;
    if (!last) {
      writer.write(data);
      return;
    }
    socket.data = null;
    writer.end(data);
  },
};

const messageEcho: WebSocketHandlers = { message: (socket, data, binary) => void socket.send(data, binary) };

const iterationEcho = async (socket: WebSocketConnection) => {
  try {
    for await (const message of socket) socket.send(message);
  } catch {
    // The peer was told.
  }
};

const handlersOf: Record<Face, WebSocketHandlers> = {
  messages: messageEcho,
  'lent messages': messageEcho,
  parts: partsEcho,
  iteration: {},
};

/** Settings of the subject: what only a timeout brings about is missed. */
function subjectOptions(face: Face, { deflate }: SubjectOptions = {}): WebSocketOptions {
  return {
    closeTimeoutMs: 60_000,
    heartbeat: false,
    lend: face === 'lent messages',
    // A message of the longest kind comes back in front of others.
    bufferedBytesMax: 64 * 1024 * 1024,
    deflate: deflate === undefined ? false : deflateOptions(deflate === 'stateful'),
  };
}

function deflateOptions(keepsContext: boolean): DeflateOptions {
  return { threshold: 1024, contextTakeover: keepsContext, peerContextTakeover: keepsContext };
}

interface Closable {
  close(): unknown;
}

/** What the subjects of one group of tests share: they find whatever the tests before have left. */
class Scene {
  readonly completionPort: CompletionPort;
  readonly #before = resourceSnapshot();
  readonly #opened: Closable[] = [];
  readonly #kept = new Map<string, Promise<Closable>>();

  constructor(backend: Backend) {
    this.completionPort = new CompletionPort({ backend, debug: true });
  }

  /** What belongs to a key, made when it is first asked for, and closed with the scene. */
  async keep<T extends Closable>(key: string, make: () => Promise<T>): Promise<T> {
    let kept = this.#kept.get(key) as Promise<T> | undefined;
    if (kept === undefined) {
      kept = make();
      this.#kept.set(key, kept);
      this.#opened.push(await kept);
    }
    return kept;
  }

  /** Resolves when nothing is left but what listens. */
  assertReleased(): Promise<void> {
    const { completionPort } = this;
    const listening = this.#opened.length;
    return assertNoLeaks({
      get stats() {
        const { stats } = completionPort;
        return {
          ...stats,
          operationsInFlight: stats.operationsInFlight - listening,
          handlesOpen: stats.handlesOpen - listening,
        };
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((one) => one.close()));
    await assertNoLeaks(this.completionPort);
    await this.completionPort.close();
    await assertNoLeaks(null, { since: this.#before });
  }
}

/** Registers what all tests of a `describe` block share. */
function sharedSetup(
  backend: Backend,
  open: (scene: Scene, options: SubjectOptions) => Promise<SubjectConnection>,
): TestSetup<WebSocketSubject> {
  let scene: Scene | undefined;
  const theScene = () => {
    scene ??= new Scene(backend);
    return scene;
  };
  afterAll(() => scene?.close());
  return {
    setup: async () => ({ open: (options = {}) => open(theScene(), options) }),
    teardown: async () => scene?.assertReleased(),
  };
}

/** Servers of `listen`. Call it inside of `describe`. */
export function serverSetup(backend: Backend, face: Face): TestSetup<WebSocketSubject> {
  return sharedSetup(backend, async (scene, options) => {
    const { completionPort } = scene;
    const server = await scene.keep(`${options.deflate}`, async () => {
      const settings = { ...subjectOptions(face, options), host, port: 0, completionPort };
      if (face !== 'iteration') return listen(settings, handlersOf[face]);
      const iterated = await listen(settings);
      void serveByIteration(iterated);
      return iterated;
    });
    const port = server.address()?.port as number;
    return { channel: (await tcpConnect({ host, port, completionPort, noDelay: true })).channel };
  });
}

async function serveByIteration(server: WebSocketServer): Promise<void> {
  for await (const socket of server) void iterationEcho(socket);
}

/** Clients of `connect`. Call it inside of `describe`. */
export function clientSetup(backend: Backend, face: Face): TestSetup<WebSocketSubject> {
  return sharedSetup(backend, async (scene, options) => {
    const { completionPort } = scene;
    const listener = await scene.keep('listener', () => tcpListen({ host, port: 0, completionPort }));
    const settings = { ...subjectOptions(face, options), tcp: { completionPort } };
    const url = `ws://${host}:${listener.address().port}/`;
    const handlers = face === 'iteration' ? undefined : handlersOf[face];
    const accepted = listener.accept();
    const opened = connect(url, settings, handlers).then((socket) => {
      if (face === 'iteration') void iterationEcho(socket);
    });
    const connection = await accepted;
    if (connection === null) throw new Error('the listener has closed');
    return { channel: connection.channel, opened };
  });
}

/** Servers on sockets that are not ours: those of an `http.Server`. Call it inside of `describe`. */
export function attachedSetup(): TestSetup<WebSocketSubject> {
  const before = resourceSnapshot();
  const opened: Closable[] = [];
  return {
    setup: async () => ({
      async open(options) {
        // Requests for something else are the application's.
        const http = createServer((_request, response) => {
          response.writeHead(426, { Connection: 'close' }).end();
        });
        const server = createWebSocketServer(subjectOptions('messages', options), messageEcho);
        server.attachTo(http);
        opened.push(server, http);
        http.listen(0, host);
        await once(http, 'listening');
        const { port } = http.address() as AddressInfo;
        const socket = netConnect({ host, port, allowHalfOpen: true, noDelay: true });
        await once(socket, 'connect');
        return { channel: fromDuplex(socket) };
      },
    }),
    async teardown() {
      for (const one of opened.splice(0)) await one.close();
      await assertNoLeaks(null, { since: before });
    },
  };
}
