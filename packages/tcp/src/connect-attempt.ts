import type { AsyncResource } from 'node:async_hooks';
import {
  type CompletionHandler,
  type CompletionPort,
  ioError,
  Operation,
  type Socket,
  type SocketOptions,
} from '@iocp/core';
import type { IoError } from '@iocp/core/layer';
import type { Target } from './connect-error.js';

/** Whom an attempt reports to. */
export interface AttemptOwner {
  attemptConnected(attempt: ConnectAttempt): void;
  attemptFailed(attempt: ConnectAttempt, error: IoError): void;
  /** After `close()`: the descriptor is released. */
  attemptClosed(attempt: ConnectAttempt): void;
}

/** What all attempts of one `connect` share. */
export interface AttemptSettings {
  readonly port: CompletionPort;
  readonly local: { readonly host: string; readonly port: number } | undefined;
  readonly socketOptions: SocketOptions;
}

/** One socket on its way to one address. */
export class ConnectAttempt implements CompletionHandler {
  readonly asyncResource: AsyncResource | null = null;
  readonly index: number;
  readonly target: Target;
  readonly socket: Socket;
  readonly #owner: AttemptOwner;

  /** @throws {IoError} when there is no socket to be had, or it cannot be bound to the local address. */
  constructor(index: number, target: Target, settings: AttemptSettings, owner: AttemptOwner) {
    this.index = index;
    this.target = target;
    this.#owner = owner;
    const { address, port } = target;
    this.socket = settings.port.open({
      remote: port === undefined ? { path: address } : { host: address, port },
      local: settings.local,
      options: settings.socketOptions,
    });
    settings.port.submitConnect(this.socket, this);
  }

  /** Gives the address up, connected or not. */
  close(): void {
    try {
      this.socket.port.submitClose(this.socket, this, true);
    } catch {
      // The port has closed, and the socket with it.
      queueMicrotask(() => this.#owner.attemptClosed(this));
    }
  }

  onCompletion(operation: Operation, result: number): void {
    if (operation === Operation.CLOSE) this.#owner.attemptClosed(this);
    else if (result < 0) this.#owner.attemptFailed(this, ioError(result, 'connect', this.target));
    else this.#owner.attemptConnected(this);
  }
}
