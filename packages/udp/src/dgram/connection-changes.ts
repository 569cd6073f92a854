import type { IpEndpoint } from '@iocp/core';
import type { UdpChannel } from '../udp-channel.js';

/**
 * Changes of a channel's connection, one after the other, with the datagrams that were sent before, between and after them
 * kept in their order: a change waits for those before it, and those after it wait for the change.
 */
export class ConnectionChanges {
  readonly #channel: UdpChannel;
  /** Datagrams that the channel has, and that have not settled. */
  #unsettled = 0;
  /** A change is under way, or waits for datagrams. */
  #changing = false;
  #begin: (() => void) | null = null;
  readonly #later: (() => void)[] = [];

  constructor(channel: UdpChannel) {
    this.#channel = channel;
  }

  /** A datagram was handed to the channel. */
  sending(): void {
    this.#unsettled++;
  }

  /** It has settled. */
  settled(): void {
    this.#unsettled--;
    if (this.#unsettled === 0) this.#start();
  }

  /** Runs what must not overtake a change: at once, unless there is one. */
  inOrder(action: () => void): void {
    if (this.#changing) this.#later.push(action);
    else action();
  }

  /** Connects, or with null takes the connection back; then tells how that went. */
  change(remote: IpEndpoint | null, done: (error: unknown) => void): void {
    this.inOrder(() => {
      this.#changing = true;
      this.#begin = () => void this.#change(remote, done);
      if (this.#unsettled === 0) this.#start();
    });
  }

  #start(): void {
    const begin = this.#begin;
    this.#begin = null;
    begin?.();
  }

  async #change(remote: IpEndpoint | null, done: (error: unknown) => void): Promise<void> {
    let failure: unknown = null;
    try {
      await this.#channel.connectTo(remote);
    } catch (error) {
      failure = error;
    }
    this.#changing = false;
    done(failure);
    while (!this.#changing) {
      const action = this.#later.shift();
      if (action === undefined) return;
      action();
    }
  }
}
