import { type DatagramBatch, validateFunction, validateObject } from '@iocp/core/layer';
import type { UdpSocket } from './udp-socket.js';

/** Shared by any number of sockets: no closure per socket. Each handler gets the socket it is about. */
export interface UdpHandlers {
  /**
   * Datagrams that arrived together, at least one. To be gone through once, before this returns: a loop over `batch` gets
   * one object that stands for one datagram after the other. `data` is the application's own, or lent until the loop
   * goes on with the option `lend`.
   */
  messages?(socket: UdpSocket, batch: DatagramBatch): void;
  /** A datagram had been refused for lack of room; now half of the queue is free. */
  drain?(socket: UdpSocket): void;
  /**
   * What concerns single datagrams and ends nothing: a send that the system refused and whose `done` is not given, or what
   * the network answered to an earlier one. Also just before `close`, when the socket closes with an error. Without
   * this handler they are only counted.
   */
  error?(socket: UdpSocket, error: Error): void;
  /** Last, exactly once. */
  close?(socket: UdpSocket, error: Error | null): void;
}

const names = ['messages', 'drain', 'error', 'close'] as const;

/** Throws `ERR_INVALID_ARG_TYPE` unless every handler that is there is a function. */
export function validateHandlers(handlers: unknown, name: string): asserts handlers is UdpHandlers {
  validateObject(handlers, name);
  for (const each of names) {
    const handler = (handlers as UdpHandlers)[each];
    if (handler !== undefined) validateFunction(handler, `${name}.${each}`);
  }
}
