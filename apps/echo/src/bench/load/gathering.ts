/** How many connections are opened at once. */
const waveSize = 100;

/** Waits for many peers that each do one thing. */
export class Gathering {
  #missing = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  /** One of them is where it should be. */
  arrived(): void {
    this.#missing -= 1;
    if (this.#missing === 0) this.#resolve();
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  /** Starts something on every peer. Resolves when all of them have arrived, rejects when something fails. */
  all<Peer>(peers: readonly Peer[], start: (peer: Peer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#missing = peers.length;
      this.#resolve = resolve;
      this.#reject = reject;
      if (peers.length === 0) resolve();
      for (const peer of peers) start(peer);
    });
  }

  /** The same in waves, so that no accept queue runs over. */
  async inWaves<Peer>(peers: readonly Peer[], start: (peer: Peer) => void): Promise<void> {
    for (let first = 0; first < peers.length; first += waveSize) {
      await this.all(peers.slice(first, first + waveSize), start);
    }
  }
}
