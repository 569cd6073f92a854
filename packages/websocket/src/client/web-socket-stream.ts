import { asError, ChannelError, onAbort } from '@iocp/core/layer';
import { CloseCode } from '../codec/frame.js';
import type { WebSocketConnection } from '../connection/websocket-connection.js';
import { webSocketError } from '../errors.js';
import { establish } from './connect.js';
import type { ConnectOptions } from './connect-options.js';
import { type MessageStreams, webSocketStreams } from './message-streams.js';
import { standardArguments, validateClose } from './standard-rules.js';

/** What an open WebSocket is. */
export interface WebSocketOpenInfo extends MessageStreams {
  /** The subprotocol that the server has chosen; empty: none. */
  readonly protocol: string;
  /** The extensions that the server has chosen; empty: none. */
  readonly extensions: string;
}

/** How it was closed, or is to be. */
export interface WebSocketCloseInfo {
  /** Received: 1005 for a close frame without a code. To be sent: 1000 or 3000 to 4999. */
  readonly closeCode?: number | undefined;
  /** At most 123 bytes of UTF-8. */
  readonly reason?: string | undefined;
}

/** The `WebSocketStream` that browsers try out: messages as web streams, with backpressure both ways. Over `connect`. */
export class WebSocketStream {
  /** Without user and password. */
  readonly url: string;
  /** Resolves when the WebSocket is open; rejects as `connect`. Nobody has to wait for it. */
  readonly opened: Promise<WebSocketOpenInfo>;
  /** Resolves when it has closed in order; rejects when it has not, or was not opened. Nobody has to wait for it. */
  readonly closed: Promise<Required<WebSocketCloseInfo>>;
  readonly #dialing = new AbortController();
  #connection: WebSocketConnection | null = null;

  /**
   * @param options `protocols`, `signal` (for the handshake), and all others of `connect`
   * @throws `DOMException` (`SyntaxError`) for a URL or subprotocols that make no sense; and as `connect` rejects for options
   */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    const { target, settings } = standardArguments(url, options);
    this.url = target.socketPath === undefined ? target.url.href : new URL(url).href;
    const { signal } = settings;
    if (signal?.aborted) this.#dialing.abort(signal.reason);
    const stopListening = onAbort(signal, () => this.#dialing.abort(signal?.reason));
    const connecting = establish(target, { ...settings, signal: this.#dialing.signal }).finally(
      stopListening,
    );
    this.opened = connecting.then((connection) => this.#opened(connection));
    this.closed = this.opened.then(() => this.#whenClosed());
    this.opened.catch(ignored);
    this.closed.catch(ignored);
  }

  /**
   * Closes in order, or gives up opening.
   * @throws `DOMException` (`InvalidAccessError`, `SyntaxError`)
   */
  close({ closeCode, reason = '' }: WebSocketCloseInfo = {}): void {
    validateClose(closeCode, reason);
    if (this.#connection === null) {
      const message = 'close() was called before the WebSocket was open';
      this.#dialing.abort(new ChannelError('ERR_CHANNEL_ABORTED', message));
    } else {
      void this.#connection.close(closeCode ?? (reason === '' ? null : CloseCode.NORMAL), reason);
    }
  }

  #opened(connection: WebSocketConnection): WebSocketOpenInfo {
    if (this.#dialing.signal.aborted) {
      connection.terminate();
      throw asError(this.#dialing.signal.reason);
    }
    this.#connection = connection;
    const { protocol, extensions } = connection;
    return { ...webSocketStreams(connection), protocol, extensions };
  }

  async #whenClosed(): Promise<Required<WebSocketCloseInfo>> {
    const { code, reason } = await (this.#connection as WebSocketConnection).whenClosed();
    if (code !== CloseCode.ABNORMAL) return { closeCode: code, reason };
    throw webSocketError('ERR_WS_CLOSED', 'The WebSocket has not closed in order', CloseCode.ABNORMAL);
  }
}

function ignored(): void {}
