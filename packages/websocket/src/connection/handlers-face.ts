import { asError, ownBytes, throwLater, validateFunction, validateObject } from '@iocp/core/layer';
import type { MessageFace } from './message-face.js';
import type { WebSocketConnection } from './websocket-connection.js';

/** Shared by any number of connections: no closure per connection. Each handler gets the connection it is about. */
export interface WebSocketHandlers<T extends WebSocketConnection = WebSocketConnection> {
  open?(socket: T): void;
  /**
   * A whole message. Text comes as its UTF-8, which was checked; `data.toString()` makes a string of it. The bytes are the
   * application's own, or lent until this returns with the option `lend`.
   */
  message?(socket: T, data: Buffer, binary: boolean): void;
  /**
   * Instead of `message`: messages as they arrive, in parts of any size, without being gathered. `last` ends a message; that part
   * may be empty. Text may be cut inside a character. Compressed messages come whole.
   */
  part?(socket: T, data: Buffer, binary: boolean, last: boolean): void;
  /** A ping has come; the pong is on its way already. */
  ping?(socket: T, data: Buffer): void;
  pong?(socket: T, data: Buffer): void;
  /** `send` had returned `'full'`, or refused; now there is room again. */
  drain?(socket: T): void;
  /**
   * Last, exactly once. `code` and `reason` are the peer's; 1005 when its close frame had no code, 1006 when no close frame
   * came.
   */
  close?(socket: T, code: number, reason: string): void;
  /**
   * Just before `close`, when it was not in order; and at once with whatever a handler throws, which terminates the connection.
   * Without this handler a throw becomes an uncaught exception, and the connection lives on.
   */
  error?(socket: T, error: Error): void;
}

const handlerNames = ['open', 'message', 'part', 'ping', 'pong', 'drain', 'close', 'error'] as const;

/** The fast path: a call straight through to the handler. */
export class HandlersFace implements MessageFace {
  readonly parts: boolean;
  readonly #handlers: WebSocketHandlers;
  readonly #lend: boolean;

  constructor(handlers: WebSocketHandlers, lend: boolean) {
    this.parts = handlers.part !== undefined;
    this.#handlers = handlers;
    this.#lend = lend;
  }

  open(socket: WebSocketConnection): void {
    try {
      this.#handlers.open?.(socket);
    } catch (error) {
      this.threw(socket, error);
    }
  }

  message(socket: WebSocketConnection, data: Buffer, binary: boolean): void {
    const handlers = this.#handlers;
    if (handlers.message !== undefined) handlers.message(socket, this.#lend ? data : own(data), binary);
  }

  part(socket: WebSocketConnection, data: Buffer, binary: boolean, last: boolean): void {
    this.#handlers.part?.(socket, this.#lend ? data : own(data), binary, last);
  }

  ping(socket: WebSocketConnection, data: Buffer): void {
    const handlers = this.#handlers;
    if (handlers.ping !== undefined) handlers.ping(socket, this.#lend ? data : own(data));
  }

  pong(socket: WebSocketConnection, data: Buffer): void {
    const handlers = this.#handlers;
    if (handlers.pong !== undefined) handlers.pong(socket, this.#lend ? data : own(data));
  }

  drain(socket: WebSocketConnection): void {
    this.#handlers.drain?.(socket);
  }

  closing(): void {}

  close(socket: WebSocketConnection, code: number, reason: string, error: Error | null): void {
    if (error !== null && !socket.errorReported) {
      try {
        this.#handlers.error?.(socket, error);
      } catch (thrown) {
        throwLater(thrown);
      }
    }
    try {
      this.#handlers.close?.(socket, code, reason);
    } catch (thrown) {
      this.threw(socket, thrown);
    }
  }

  threw(socket: WebSocketConnection, thrown: unknown): void {
    if (this.#handlers.error === undefined) {
      throwLater(thrown);
      return;
    }
    const error = asError(thrown);
    socket.errorReported = true;
    try {
      this.#handlers.error(socket, error);
    } catch (again) {
      throwLater(again);
    }
    socket.terminate(error);
  }
}

function own(data: Buffer): Buffer {
  return ownBytes(data) as Buffer;
}

/** One face serves all connections with the same handlers. */
const owningFaces = new WeakMap<WebSocketHandlers, HandlersFace>();
const lendingFaces = new WeakMap<WebSocketHandlers, HandlersFace>();

/** The face of `handlers`; throws `ERR_INVALID_ARG_TYPE` when one of them is not a function. */
export function handlersFace(handlers: WebSocketHandlers, lend: boolean): HandlersFace {
  validateObject(handlers, 'handlers');
  const faces = lend ? lendingFaces : owningFaces;
  const known = faces.get(handlers);
  if (known !== undefined) return known;
  for (const name of handlerNames) {
    if (handlers[name] !== undefined) validateFunction(handlers[name], `handlers.${name}`);
  }
  const face = new HandlersFace(handlers, lend);
  faces.set(handlers, face);
  return face;
}
