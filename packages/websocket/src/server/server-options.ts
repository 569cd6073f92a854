/** Options of a server, besides those of its handshakes. */

import type { IncomingMessage } from 'node:http';
import { validateInteger } from '@iocp/core/layer';
import type { WebSocketHandlers } from '../connection/handlers-face.js';
import { type HandshakeOptions, type HandshakeSettings, handshakeSettings } from './handshake-options.js';

/** How a server takes connections, and how many. */
export interface WebSocketServerOptions extends HandshakeOptions {
  /** WebSockets at once, those whose handshake is under way included; more get 503. Default Infinity. */
  readonly connectionsMax?: number | undefined;
  /** Without handlers: connections that wait for `accept()` at most; more get 503. Default 128. */
  readonly acceptQueueMax?: number | undefined;
  /** Topics that one connection may subscribe to. Default 1024. */
  readonly topicsPerConnectionMax?: number | undefined;
}

/** Handlers of a server: those of its connections, and what concerns none of them. */
export interface WebSocketServerHandlers extends WebSocketHandlers {
  /**
   * A request was refused. `error`: what a callback of the options has thrown, or what was wrong with an extension; the client gets
   * to know nothing of it.
   */
  refused?(request: IncomingMessage, status: number, error: Error | undefined): void;
}

/** Checked options with the defaults filled in. */
export interface WebSocketServerSettings {
  readonly handshake: HandshakeSettings;
  readonly connectionsMax: number;
  readonly acceptQueueMax: number;
  readonly topicsPerConnectionMax: number;
}

/** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`. */
export function serverSettings(options: WebSocketServerOptions): WebSocketServerSettings {
  const handshake = handshakeSettings(options);
  const { connectionsMax = Number.POSITIVE_INFINITY } = options;
  const { acceptQueueMax = 128, topicsPerConnectionMax = 1024 } = options;
  if (connectionsMax !== Number.POSITIVE_INFINITY) {
    validateInteger(connectionsMax, 'options.connectionsMax', 1);
  }
  validateInteger(acceptQueueMax, 'options.acceptQueueMax', 1, 65535);
  validateInteger(topicsPerConnectionMax, 'options.topicsPerConnectionMax', 0);
  return { handshake, connectionsMax, acceptQueueMax, topicsPerConnectionMax };
}
