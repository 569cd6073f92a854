import type { DatagramBatch } from '@iocp/core/layer';
import type { Face } from './face.js';
import { OwnedBatch } from './owned-batch.js';
import type { SocketCore } from './socket-core.js';
import type { UdpHandlers } from './udp-handlers.js';

/** The fast path: a call straight through to the handler. What it throws surfaces as an uncaught exception. */
export class HandlersFace implements Face {
  readonly #handlers: UdpHandlers;
  /** Null when the application takes lent bytes. */
  readonly #owned: OwnedBatch | null;

  constructor(handlers: UdpHandlers, lend: boolean) {
    this.#handlers = handlers;
    this.#owned = lend ? null : new OwnedBatch();
  }

  datagrams(core: SocketCore, batch: DatagramBatch): void {
    const handlers = this.#handlers;
    if (handlers.messages === undefined) return;
    handlers.messages(core.socket, this.#owned === null ? batch : this.#owned.of(batch));
  }

  drain(core: SocketCore): void {
    this.#handlers.drain?.(core.socket);
  }

  error(core: SocketCore, error: Error): void {
    this.#handlers.error?.(core.socket, error);
  }

  close(core: SocketCore, error: Error | null): void {
    try {
      if (error !== null) this.#handlers.error?.(core.socket, error);
    } finally {
      this.#handlers.close?.(core.socket, error);
    }
  }
}
