import type { CompletionPort, SocketOpenOptions } from '@iocp/core';
import type { IdleScenario } from '../scenarios.js';
import { Gathering } from './gathering.js';
import { Payload, plainExchange } from './payload.js';
import { Peer, type PeerRun, targetAt } from './peer.js';
import { Opening, webSocketExchange } from './websocket.js';

/** Connections that echo one message and are then kept open, silent. */
export class HeldConnections implements PeerRun {
  readonly target: SocketOpenOptions;
  readonly opening: Opening | null;
  readonly #payload: Payload;
  readonly #peers: readonly HeldPeer[];
  readonly #gathering = new Gathering();

  constructor(
    readonly port: CompletionPort,
    serverPort: number,
    { protocol, messageBytes, connections }: IdleScenario,
  ) {
    this.target = targetAt(serverPort);
    this.opening = protocol === 'ws' ? new Opening(port) : null;
    const exchange = protocol === 'ws' ? webSocketExchange : plainExchange;
    this.#payload = new Payload(port, exchange(messageBytes, 0), 1);
    this.#peers = Array.from(
      { length: connections },
      () => new HeldPeer(this, this.#payload, this.#gathering),
    );
  }

  fail(error: Error): void {
    this.#gathering.fail(error);
  }

  open(): Promise<void> {
    return this.#gathering.inWaves(this.#peers, (peer) => peer.connect());
  }

  async close(): Promise<void> {
    await this.#gathering.all(this.#peers, (peer) => peer.close());
    this.#payload.release();
    this.opening?.release();
  }
}

class HeldPeer extends Peer {
  readonly #gathering: Gathering;

  constructor(held: HeldConnections, payload: Payload, gathering: Gathering) {
    super(held, payload);
    this.#gathering = gathering;
  }

  protected override onConnected(): void {
    this.say(1);
  }

  protected override onReplies(): void {
    this.#gathering.arrived();
  }

  protected override onClosed(): void {
    this.#gathering.arrived();
  }
}
