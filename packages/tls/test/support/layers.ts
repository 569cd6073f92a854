/** Connections through layers of this package, in memory. */

import assert from 'node:assert/strict';
import type { Channel } from '@iocp/core/layer';
import { assertNoLeaks, ChannelProbe, MemoryNetwork } from '@iocp/testkit';
import { loadAddon } from '../../src/engine/native/addon.js';
import type { EngineName, TlsChannel, TlsFacts, TlsLayer, TlsWrapOptions } from '../../src/index.js';
import { engineInfo, tlsOf } from '../../src/index.js';

/** Those that run here. */
export const engines: readonly EngineName[] =
  engineInfo().engine === 'native' ? ['native', 'node'] : ['node'];

/** Both ends of a connection, with a probe on each. */
export interface Pair {
  readonly near: ChannelProbe;
  readonly far: ChannelProbe;
  readonly client: TlsFacts;
  readonly server: TlsFacts;
}

export interface PairOptions {
  readonly client?: TlsWrapOptions;
  readonly server?: TlsWrapOptions;
}

const localhost = { host: 'localhost' };

/** What connects in a test, and what has to be gone when it ends. */
export class Scene {
  readonly network = new MemoryNetwork();
  readonly #probes: ChannelProbe[] = [];

  /** Resolves when both sides have shaken hands; rejects with what went wrong on the client's side, else on the server's. */
  async connect(server: TlsLayer, client: TlsLayer, options: PairOptions = {}): Promise<Pair> {
    const [near, far] = await this.attempt(server, client, options);
    if (near instanceof Error) throw near;
    if (far instanceof Error) throw far;
    return { near, far, client: tlsOf(near.channel), server: tlsOf(far.channel) };
  }

  /** What came of both sides: a channel, or why there is none. */
  attempt(
    server: TlsLayer,
    client: TlsLayer,
    options: PairOptions = {},
  ): Promise<[client: ChannelProbe | Error, server: ChannelProbe | Error]> {
    const lower = this.network.pair();
    return Promise.all([
      this.#outcome(client.wrap(lower.near, 'client', { ...localhost, ...options.client })),
      this.#outcome(server.wrap(lower.far, 'server', options.server)),
    ]);
  }

  #outcome(wrapped: Promise<TlsChannel>): Promise<ChannelProbe | Error> {
    return wrapped.then(
      (channel) => this.probe(channel),
      (error: Error) => error,
    );
  }

  probe(channel: Channel): ChannelProbe {
    const probe = new ChannelProbe(channel);
    this.#probes.push(probe);
    return probe;
  }

  async finish(): Promise<void> {
    for (const probe of this.#probes) probe.abort();
    for (const probe of this.#probes) await probe.untilClosed();
    for (const probe of this.#probes) probe.verify();
    await assertNoLeaks(this.network);
    if (engines.includes('native'))
      assert.equal(loadAddon().counts().sessions, 0, 'sessions of OpenSSL are left');
  }
}
