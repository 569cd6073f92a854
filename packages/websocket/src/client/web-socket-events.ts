/** Events of the WHATWG API that Node.js has no classes for. */

export interface CloseEventInit {
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  readonly wasClean?: boolean | undefined;
}

/** The connection has closed. */
export class CloseEvent extends Event {
  /** What the peer said; 1005 when its close frame had no code, 1006 when there was none. */
  readonly code: number;
  readonly reason: string;
  /** Both sides have said that they close. */
  readonly wasClean: boolean;

  constructor(type: string, init: CloseEventInit = {}) {
    super(type);
    this.code = init.code ?? 0;
    this.reason = init.reason ?? '';
    this.wasClean = init.wasClean ?? false;
  }
}

/** The connection was not opened, or has not closed in order. */
export class ErrorEvent extends Event {
  readonly error: Error;

  constructor(type: string, error: Error) {
    super(type);
    this.error = error;
  }

  get message(): string {
    return this.error.message;
  }
}

/** Names of events, and what comes with them. */
export interface WebSocketEventMap {
  readonly open: Event;
  readonly message: MessageEvent;
  readonly error: ErrorEvent;
  readonly close: CloseEvent;
}
