import type { DatagramBatch } from '@iocp/core/layer';
import type { SocketCore } from './socket-core.js';

/** One way for people to consume a socket. */
export interface Face {
  /** Datagrams are lent. */
  datagrams(core: SocketCore, batch: DatagramBatch): void;
  drain(core: SocketCore): void;
  error(core: SocketCore, error: Error): void;
  close(core: SocketCore, error: Error | null): void;
}
