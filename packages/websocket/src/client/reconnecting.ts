import { setTimeout as sleep } from 'node:timers/promises';
import {
  asError,
  onAbort,
  throwLater,
  validateFunction,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';
import { closePayload } from '../codec/close-payload.js';
import { CloseCode } from '../codec/frame.js';
import { handlersFace, type WebSocketHandlers } from '../connection/handlers-face.js';
import type { SendStatus } from '../connection/sender.js';
import type { WebSocketConnection } from '../connection/websocket-connection.js';
import { webSocketError } from '../errors.js';
import type { Sendable } from '../prepared.js';
import { Backoff, type BackoffOptions } from './backoff.js';
import { establish, serve } from './connect.js';
import { type ConnectOptions, type ConnectSettings, connectSettings } from './connect-options.js';
import { type Target, targetOf } from './target.js';

/** How to connect, and how often. */
export interface ReconnectOptions extends ConnectOptions, BackoffOptions {
  /** Attempts in a row that may fail before it gives up, 1 or more. Default Infinity. */
  readonly attemptsMax?: number | undefined;
  /** A connection that was open for so long, in milliseconds, was a success; a shorter one is a failure. Default 5000. */
  readonly stableMs?: number | undefined;
  /** Ends it as `close(1001)` does. */
  readonly signal?: AbortSignal | undefined;
}

/** The handlers of each connection, and what happens between them. */
export interface ReconnectingHandlers extends WebSocketHandlers {
  /**
   * An attempt has failed, or a connection has closed; the next attempt comes in `waitMs` milliseconds. `link.close()` prevents it.
   * @param failures attempts in a row that have failed; 0 when the connection was a success
   */
  retry?(link: ReconnectingWebSocket, error: Error, failures: number, waitMs: number): void;
  /** `attemptsMax` attempts in a row have failed, the last one with `error`. Nothing follows. */
  giveUp?(link: ReconnectingWebSocket, error: Error): void;
}

interface Settings {
  readonly target: Target;
  readonly connect: ConnectSettings;
  readonly backoff: Backoff;
  readonly attemptsMax: number;
  readonly stableMs: number;
}

/** A WebSocket that is opened again whenever it has closed. Made by `reconnecting()`. */
export class ReconnectingWebSocket {
  readonly #settings: Settings;
  readonly #handlers: ReconnectingHandlers;
  readonly #over = new AbortController();
  readonly #finished: Promise<void>;
  #connection: WebSocketConnection | null = null;

  /** @internal */
  constructor(settings: Settings, handlers: ReconnectingHandlers) {
    this.#settings = settings;
    this.#handlers = handlers;
    const { signal } = settings.connect;
    const leave = () => void this.close(CloseCode.GOING_AWAY);
    const stopListening = onAbort(signal, leave);
    if (signal?.aborted) leave();
    this.#finished = this.#run().finally(stopListening);
  }

  /** The connection that is open; null between connections. */
  get connection(): WebSocketConnection | null {
    return this.#connection;
  }

  /** As `send` of the connection; `'refused'` while there is none: nothing is queued. */
  send(data: Sendable, binary?: boolean, compress?: boolean): SendStatus {
    return this.#connection?.send(data, binary, compress) ?? 'refused';
  }

  /**
   * Closes the connection that is open, gives up the attempt under way, and makes no more.
   * @param code as for a connection
   * @returns resolves when nothing is left; never rejects
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  close(code: number | null = CloseCode.NORMAL, reason = ''): Promise<void> {
    closePayload(code ?? undefined, reason);
    this.#over.abort();
    void this.#connection?.close(code, reason);
    return this.whenFinished();
  }

  /** Resolves when it was closed, or has given up; never rejects. */
  async whenFinished(): Promise<void> {
    // Not before the constructor is done.
    await undefined;
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { backoff, attemptsMax, stableMs } = this.#settings;
    let failures = 0;
    while (!this.#over.signal.aborted) {
      const { error, openMs } = await this.#connectOnce();
      failures = openMs >= stableMs ? 0 : failures + 1;
      if (this.#over.signal.aborted) return;
      if (failures >= attemptsMax) {
        this.#tell(() => this.#handlers.giveUp?.(this, error));
        return;
      }
      const waitMs = backoff.waitMs(failures);
      this.#tell(() => this.#handlers.retry?.(this, error, failures, waitMs));
      await sleep(waitMs, undefined, { signal: this.#over.signal }).catch(() => {});
    }
  }

  /** From an attempt to the end of what came of it. */
  async #connectOnce(): Promise<{ readonly error: Error; readonly openMs: number }> {
    const { target, connect } = this.#settings;
    let connection: WebSocketConnection;
    try {
      connection = await establish(target, { ...connect, signal: this.#over.signal });
    } catch (error) {
      return { error: asError(error), openMs: 0 };
    }
    if (this.#over.signal.aborted) {
      connection.terminate();
    } else {
      this.#connection = connection;
      serve(connection, this.#handlers);
    }
    const openedAt = performance.now();
    const { code, reason } = await connection.whenClosed();
    this.#connection = null;
    const said = reason === '' ? `${code}` : `${code} (${reason})`;
    const error = webSocketError(
      'ERR_WS_CLOSED',
      `The connection has closed with ${said}`,
      CloseCode.ABNORMAL,
    );
    return { error, openMs: performance.now() - openedAt };
  }

  #tell(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      throwLater(error);
    }
  }
}

/**
 * Opens a WebSocket, and opens it again whenever it has closed, whatever the reason, until `close()`. Waits between attempts are
 * random up to a bound that doubles. Nothing is queued meanwhile.
 * @param handlers serve each connection
 * @throws as `connect` rejects for arguments that make no sense
 */
export function reconnecting(
  url: string | URL,
  options: ReconnectOptions = {},
  handlers: ReconnectingHandlers = {},
): ReconnectingWebSocket {
  const target = targetOf(url);
  validateObject(options, 'options');
  const { attemptsMax = Number.POSITIVE_INFINITY, stableMs = 5000 } = options;
  if (attemptsMax !== Number.POSITIVE_INFINITY) validateInteger(attemptsMax, 'options.attemptsMax', 1);
  validateInteger(stableMs, 'options.stableMs', 0);
  const connect = connectSettings(options);
  handlersFace(handlers, connect.connection.lend);
  for (const name of ['retry', 'giveUp'] as const) {
    if (handlers[name] !== undefined) validateFunction(handlers[name], `handlers.${name}`);
  }
  const backoff = new Backoff(options);
  return new ReconnectingWebSocket({ target, connect, backoff, attemptsMax, stableMs }, handlers);
}
