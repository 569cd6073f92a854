/** A port on a loop-back device, for tests. */

import { expect } from 'vitest';
import { CompletionPort } from '../../src/port/completion-port.js';
import type { PortOptions } from '../../src/port/port-options.js';
import { SegmentList } from '../../src/port/segment-list.js';
import type { Socket } from '../../src/port/socket.js';
import { CompleteFlag } from '../../src/protocol.gen.js';
import { type LoopbackDevice, loopbackBinding } from './loopback-device.js';
import { Recorder } from './recorder.js';

export const slotBytes = 4096;

export class LoopbackRig {
  readonly port: CompletionPort;
  readonly device: LoopbackDevice;

  constructor(options: PortOptions = {}) {
    const binding = loopbackBinding();
    this.port = new CompletionPort({ pool: { slotBytes, minSlots: 4, maxSlots: 32 }, ...options }, binding);
    this.device = binding.device;
  }

  /** Closes the port; nothing may be left, and the rules of the rings must have been kept. */
  async close(): Promise<void> {
    await this.port.close();
    expect(this.device.violations).toEqual([]);
    expect(this.port.stats).toMatchObject({ operationsInFlight: 0, handlesOpen: 0, pins: 0 });
  }

  /** Two connected sockets. */
  async connectedPair(): Promise<{ client: Socket; server: Socket; listener: Socket }> {
    const { port, device } = this;
    const listener = await port.listen({ host: '127.0.0.1' });
    const accepts = new Recorder(port);
    let server: Socket | undefined;
    accepts.on = ({ flags, value, extra }) => {
      if ((flags & CompleteFlag.HANDLE) !== 0) server = port.socket(value, extra);
    };
    port.submitAccept(listener, accepts);
    device.turn();
    const client = port.open({ remote: { host: '127.0.0.1', port: listener.address()?.port ?? 0 } });
    const connects = new Recorder(port);
    port.submitConnect(client, connects);
    device.settle();
    expect(connects.settled).toEqual([0]);
    if (server === undefined) throw new Error('nothing was accepted');
    return { client, server, listener };
  }

  send(socket: Socket, ...chunks: Uint8Array[]): Recorder {
    return send(this.port, socket, ...chunks);
  }
}

/** Sends the chunks as one; the recorder gets the completion. */
export function send(port: CompletionPort, socket: Socket, ...chunks: Uint8Array[]): Recorder {
  const list = new SegmentList(port);
  for (const chunk of chunks) list.add(chunk);
  const recorder = new Recorder(port);
  recorder.on = () => list.releaseAll();
  port.submitSend(socket, list, recorder);
  return recorder;
}

/** The next uncaught exception, which no test framework sees. */
export async function uncaught(): Promise<unknown> {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    return await new Promise((resolve) => process.once('uncaughtException', resolve));
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
}
