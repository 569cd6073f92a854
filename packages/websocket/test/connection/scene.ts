/** Two ends in memory: connections of ours, or one of ours and a peer that says what it likes. */

import {
  assertNoLeaks,
  ChannelProbe,
  MemoryNetwork,
  type MemoryNetworkOptions,
  nextTurn,
} from '@iocp/testkit';
import { connectionSettings, type WebSocketOptions } from '../../src/connection/settings.js';
import { openConnection, type WebSocketConnection } from '../../src/connection/websocket-connection.js';
import { acceptAnswer, answerOffer, makeOffer } from '../../src/deflate/negotiation.js';
import { deflateSettings } from '../../src/deflate/settings.js';

export type Told = [event: string, ...details: unknown[]];

/** Handlers that write down what they hear; bytes as latin-1 text. */
export function recorder(options: { parts?: boolean; error?: boolean } = {}) {
  const told: Told[] = [];
  const text = (data: Buffer) => data.toString('latin1');
  const handlers = {
    open: () => void told.push(['open']),
    message: (_socket: WebSocketConnection, data: Buffer, binary: boolean) =>
      void told.push(['message', text(data), binary]),
    ...(options.parts && {
      part: (_socket: WebSocketConnection, data: Buffer, binary: boolean, last: boolean) =>
        void told.push(['part', text(data), binary, last]),
    }),
    ping: (_socket: WebSocketConnection, data: Buffer) => void told.push(['ping', text(data)]),
    pong: (_socket: WebSocketConnection, data: Buffer) => void told.push(['pong', text(data)]),
    drain: () => void told.push(['drain']),
    ...(options.error !== false && {
      error: (_socket: WebSocketConnection, error: Error) =>
        void told.push(['error', (error as NodeJS.ErrnoException).code ?? error.message]),
    }),
    close: (_socket: WebSocketConnection, code: number, reason: string) =>
      void told.push(['close', code, reason]),
  };
  return { told, handlers };
}

export class Scene {
  readonly network: MemoryNetwork;
  readonly #connections: WebSocketConnection[] = [];
  readonly #probes: ChannelProbe[] = [];

  constructor(options?: MemoryNetworkOptions) {
    this.network = new MemoryNetwork(options);
  }

  /** A client and a server, with the handshake behind them. */
  pair(clientOptions: WebSocketOptions = {}, serverOptions: WebSocketOptions = clientOptions) {
    const { near, far } = this.network.pair();
    const ofClient = deflateSettings(clientOptions.deflate);
    const ofServer = deflateSettings(serverOptions.deflate);
    const answer = ofClient && ofServer ? answerOffer(makeOffer(ofClient), ofServer) : null;
    const common = { head: [], protocol: '', path: '/', topics: null, extensions: answer?.header ?? '' };
    const client = this.#keep({
      ...common,
      role: 'client',
      lower: near,
      deflate: answer && ofClient ? acceptAnswer(answer.header, ofClient) : null,
      settings: connectionSettings(clientOptions, 'client'),
    });
    const server = this.#keep({
      ...common,
      role: 'server',
      lower: far,
      deflate: answer?.agreement ?? null,
      settings: connectionSettings(serverOptions, 'server'),
    });
    return { client, server };
  }

  /** A connection of ours, and the channel at whose other end it is. */
  withRawPeer(role: 'client' | 'server', options: WebSocketOptions = {}, head: Uint8Array[] = []) {
    const { near, far } = this.network.pair();
    const socket = this.#keep({
      role,
      lower: near,
      head,
      protocol: '',
      extensions: '',
      path: '/',
      deflate: null,
      topics: null,
      settings: connectionSettings(options, role),
    });
    const peer = new ChannelProbe(far);
    this.#probes.push(peer);
    return { socket, peer, lower: near };
  }

  async finish(): Promise<void> {
    for (const connection of this.#connections) connection.terminate();
    for (const probe of this.#probes) {
      probe.abort();
      await probe.untilClosed();
    }
    await nextTurn();
    await assertNoLeaks(this.network);
  }

  #keep(setup: Parameters<typeof openConnection>[0]): WebSocketConnection {
    const connection = openConnection(setup);
    this.#connections.push(connection);
    return connection;
  }
}
