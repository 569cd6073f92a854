import type { CompletionPort, SocketOpenOptions } from '@iocp/core';
import type { IdleScenario } from '../scenarios.js';
import { Payload } from './payload.js';
import { Peer, type PeerRun, targetAt } from './peer.js';

/** How many connections are opened at once. */
const waveSize = 100;

/** Connections that echo one message and are then kept open, silent. */
export class HeldConnections implements PeerRun {
  readonly target: SocketOpenOptions;
  readonly #payload: Payload;
  readonly #peers: HeldPeer[] = [];
  #missing = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(
    readonly port: CompletionPort,
    serverPort: number,
    messageBytes: number,
  ) {
    this.target = targetAt(serverPort);
    this.#payload = new Payload(port, messageBytes, 0, 1);
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  /** One of the connections that are waited for is where it should be. */
  arrived(): void {
    this.#missing -= 1;
    if (this.#missing === 0) this.#resolve();
  }

  async open({ connections }: IdleScenario): Promise<void> {
    for (let opened = 0; opened < connections; opened += waveSize) {
      const wave = Array.from(
        { length: Math.min(waveSize, connections - opened) },
        () => new HeldPeer(this, this.#payload),
      );
      this.#peers.push(...wave);
      await this.#all(wave, (peer) => peer.connect());
    }
  }

  async close(): Promise<void> {
    await this.#all(this.#peers, (peer) => peer.close());
    this.#payload.release();
  }

  #all(peers: readonly HeldPeer[], start: (peer: HeldPeer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#missing = peers.length;
      this.#resolve = resolve;
      this.#reject = reject;
      for (const peer of peers) start(peer);
    });
  }
}

class HeldPeer extends Peer {
  readonly #held: HeldConnections;

  constructor(held: HeldConnections, payload: Payload) {
    super(held, payload);
    this.#held = held;
  }

  protected override onConnected(): void {
    this.say(1);
  }

  protected override onReplies(): void {
    this.#held.arrived();
  }

  protected override onClosed(): void {
    this.#held.arrived();
  }
}
