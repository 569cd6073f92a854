import type { Connection } from './connection.js';
import type { ConnectionCore } from './connection-core.js';
import type { Face } from './face.js';
import { ownBytes } from './owned-bytes.js';
import { asError } from './signal.js';
import { validateFunction, validateObject } from './validate.js';

/** Shared by any number of connections: no closure per connection. Each handler gets the connection it is about. */
export interface Handlers<T extends Connection = Connection> {
  open?(connection: T): void;
  /** `bytes` are the application's own, or lent until this returns with the option `lend`. */
  data?(connection: T, bytes: Uint8Array): void;
  /** The peer will send no more. Afterwards our side ends too, unless the option `allowHalfOpen` is set. */
  end?(connection: T): void;
  /** `write` had returned false; now there is room again. */
  drain?(connection: T): void;
  /** Last, exactly once. */
  close?(connection: T, error: Error | null): void;
  /**
   * Just before `close`, when the connection closes with an error; and at once with whatever a handler throws, which
   * aborts the connection. Without this handler a throw becomes an uncaught exception, and the connection lives on.
   */
  error?(connection: T, error: Error): void;
}

const handlerNames = ['open', 'data', 'end', 'drain', 'close', 'error'] as const;

/** The fast path: a call straight through to the handler. */
export class HandlersFace implements Face {
  private readonly handlers: Handlers;
  private readonly lend: boolean;

  constructor(handlers: Handlers, lend: boolean) {
    this.handlers = handlers;
    this.lend = lend;
  }

  open(core: ConnectionCore): void {
    const { handlers } = this;
    if (handlers.error === undefined) {
      handlers.open?.(core.connection);
      return;
    }
    try {
      handlers.open?.(core.connection);
    } catch (thrown) {
      this.handlerThrew(core, thrown);
    }
  }

  data(core: ConnectionCore, bytes: Uint8Array): void {
    const { handlers } = this;
    if (handlers.data === undefined) return;
    if (handlers.error === undefined) {
      handlers.data(core.connection, this.lend ? bytes : ownBytes(bytes));
      return;
    }
    try {
      handlers.data(core.connection, this.lend ? bytes : ownBytes(bytes));
    } catch (thrown) {
      this.handlerThrew(core, thrown);
    }
  }

  end(core: ConnectionCore): void {
    try {
      this.handlers.end?.(core.connection);
    } catch (thrown) {
      this.handlerThrew(core, thrown);
    } finally {
      core.endUnlessHalfOpen();
    }
  }

  drain(core: ConnectionCore): void {
    try {
      this.handlers.drain?.(core.connection);
    } catch (thrown) {
      this.handlerThrew(core, thrown);
    }
  }

  close(core: ConnectionCore, error: Error | null): void {
    try {
      if (error !== null && !core.errorReported) this.handlers.error?.(core.connection, error);
    } finally {
      this.reportClose(core, error);
    }
  }

  closing(): void {}

  release(): Uint8Array[] {
    return [];
  }

  private reportClose(core: ConnectionCore, error: Error | null): void {
    try {
      this.handlers.close?.(core.connection, error);
    } catch (thrown) {
      this.handlerThrew(core, thrown);
    }
  }

  private handlerThrew(core: ConnectionCore, thrown: unknown): void {
    if (this.handlers.error === undefined) throw thrown;
    const error = asError(thrown);
    core.reportedError();
    try {
      this.handlers.error(core.connection, error);
    } finally {
      core.channel.abort(error);
    }
  }
}

/** One face serves all connections with the same handlers. */
const owningFaces = new WeakMap<Handlers, HandlersFace>();
const lendingFaces = new WeakMap<Handlers, HandlersFace>();

/** The face of `handlers`; throws `ERR_INVALID_ARG_TYPE` when one of them is not a function. */
export function handlersFace(handlers: Handlers, lend: boolean): HandlersFace {
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
