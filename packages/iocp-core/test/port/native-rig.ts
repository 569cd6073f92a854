/** Ports on each backend, for tests. */

import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { CompletionPort } from '../../src/port/completion-port.js';
import type { PortOptions } from '../../src/port/port-options.js';
import type { Socket } from '../../src/port/socket.js';
import type { SocketListenOptions } from '../../src/port/socket-addresses.js';
import { CompleteFlag } from '../../src/protocol.gen.js';
import { Recorder } from './recorder.js';

export class NativeRig {
  readonly port: CompletionPort;
  readonly #descriptors = countDescriptors();

  constructor(options: PortOptions) {
    this.port = new CompletionPort(options);
    this.port.ref();
  }

  /** Closes the port; nothing may be left, descriptors included. */
  async close(): Promise<void> {
    await this.port.close();
    expect(this.port.stats).toMatchObject({
      operationsInFlight: 0,
      handlesOpen: 0,
      pins: 0,
      staleCompletions: 0,
    });
    await this.until(() => countDescriptors() <= this.#descriptors);
  }

  /** Waits a turn, and more turns until the condition holds, as long as the test may take. */
  async until(condition: () => boolean): Promise<void> {
    do await nextTurn();
    while (!condition());
  }

  /** Two connected sockets. */
  async connectedPair(
    at: SocketListenOptions = { host: '127.0.0.1' },
  ): Promise<{ client: Socket; server: Socket; listener: Socket }> {
    const { port } = this;
    const listener = await port.listen(at);
    const accepts = new Recorder(port);
    const accepted: Socket[] = [];
    accepts.on = ({ flags, value, extra }) => {
      if ((flags & CompleteFlag.HANDLE) !== 0) accepted.push(port.socket(value, extra));
    };
    port.submitAccept(listener, accepts);
    const remote =
      at.path === undefined ? { host: '127.0.0.1', port: listener.address()?.port ?? 0 } : { path: at.path };
    const client = port.open({ remote });
    const connects = new Recorder(port);
    port.submitConnect(client, connects);
    expect((await connects.first()).settled).toEqual([0]);
    await accepts.first();
    const [server] = accepted;
    if (server === undefined) throw new Error('nothing was accepted');
    return { client, server, listener };
  }
}

function countDescriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}
