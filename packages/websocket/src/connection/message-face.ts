import type { WebSocketConnection } from './websocket-connection.js';

/** One way for people to consume a connection. One without state of its own may serve many connections. */
export interface MessageFace {
  /** Wants messages in parts, as they arrive. */
  readonly parts: boolean;
  /** `data` is lent, as in all of these. */
  message(socket: WebSocketConnection, data: Buffer, binary: boolean): void;
  part(socket: WebSocketConnection, data: Buffer, binary: boolean, last: boolean): void;
  ping(socket: WebSocketConnection, data: Buffer): void;
  pong(socket: WebSocketConnection, data: Buffer): void;
  drain(socket: WebSocketConnection): void;
  /** `close()` was called here: nobody may be left who makes room for what still arrives. */
  closing(): void;
  close(socket: WebSocketConnection, code: number, reason: string, error: Error | null): void;
  /** A call of one of the others threw. */
  threw(socket: WebSocketConnection, error: unknown): void;
}

function nothing(): void {}

/** For connections that are closed before anyone consumed them. */
export const discardingFace: MessageFace = {
  parts: true,
  message: nothing,
  part: nothing,
  ping: nothing,
  pong: nothing,
  drain: nothing,
  closing: nothing,
  close: nothing,
  threw: nothing,
};
