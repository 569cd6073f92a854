import type { SocketAddress } from '@iocp/core';
import { type ChannelInfo, validateFunction, validateObject } from '@iocp/core/layer';
import type { TcpConnection, TcpHandlers } from './tcp-connection.js';

/** Handlers of a listener: those of its connections, and what concerns none of them. */
export interface ListenHandlers extends TcpHandlers<TcpConnection> {
  /** A connection above `connectionsMax` was reset (policy `'drop'`). `peer` is null when the system does not know it any more. */
  drop?(peer: SocketAddress | null): void;
  /** An accepted connection did not get through the handshakes of `layers`; it has been aborted. */
  handshakeError?(error: Error, info: ChannelInfo): void;
}

const names = ['open', 'data', 'end', 'drain', 'close', 'error', 'idle', 'drop', 'handshakeError'] as const;

/** Throws `ERR_INVALID_ARG_TYPE` unless every handler that is there is a function. */
export function validateHandlers(handlers: unknown, name: string): asserts handlers is ListenHandlers {
  validateObject(handlers, name);
  for (const each of names) {
    const handler = (handlers as ListenHandlers)[each];
    if (handler !== undefined) validateFunction(handler, `${name}.${each}`);
  }
}
