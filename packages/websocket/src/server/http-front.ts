/** The HTTP side of a port of our own: `http.Server` does the parsing, on connections that others have accepted. */

import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { wasTakenOver } from './medium.js';
import { Refusal, upgradeRequired } from './refusal.js';

export interface HttpFrontOptions {
  readonly headerBytesMax: number;
  /** Time for the head of a request, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** For requests that are not for a WebSocket. Default: 426. */
  readonly onRequest?: RequestListener | undefined;
  /** Is told the status of every refusal made here. */
  readonly onRefused?: ((status: number) => void) | undefined;
}

/** What a client has done wrong before there was a request. */
const statusOfError: Readonly<Record<string, readonly [status: number, text: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The head of the request is too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time'],
};
const badRequest = [400, 'This is no HTTP request'] as const;

/** Serves plain HTTP and finds requests to upgrade. Give connections to `server` by its event `'connection'`. */
export class HttpFront {
  readonly server: Server;
  readonly #options: HttpFrontOptions;
  readonly #streams = new Set<Duplex>();
  /** Those whose answer is not out yet. */
  readonly #answering = new Set<Duplex>();
  #closing = false;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
    const { headerBytesMax, handshakeTimeoutMs, onRequest } = options;
    this.server = createServer({
      maxHeaderSize: headerBytesMax,
      headersTimeout: handshakeTimeoutMs,
      // Of the whole request; Node wants it to be no shorter. This is its default.
      requestTimeout: Math.max(300_000, handshakeTimeoutMs),
      connectionsCheckingInterval: Math.min(1000, Math.ceil(handshakeTimeoutMs / 4)),
    });
    this.server.on('connection', (stream: Duplex) => this.#opened(stream));
    this.server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) =>
      this.#failed(error, stream),
    );
    this.server.on('request', (request, response) => this.#answered(request.socket, response));
    this.server.on('request', onRequest ?? ((_request, response) => this.#refuse(response)));
    // It never listens itself; this is when it begins to look after its timeouts.
    this.server.emit('listening');
  }

  /** Ends connections that ask for nothing, and the others as soon as they are answered. */
  close(): void {
    this.#closing = true;
    for (const stream of this.#streams) {
      if (!this.#answering.has(stream) && !wasTakenOver(stream)) stream.destroy();
    }
    this.#stopIfDone();
  }

  /** Not earlier: `http.Server` would destroy streams whose answer is not sent yet. */
  #stopIfDone(): void {
    if (this.#closing && this.#streams.size === 0) this.server.close(() => {});
  }

  #opened(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once('close', () => {
      this.#streams.delete(stream);
      this.#answering.delete(stream);
      this.#stopIfDone();
    });
  }

  #answered(stream: Socket, response: ServerResponse): void {
    this.#answering.add(stream);
    if (this.#closing) response.setHeader('Connection', 'close');
    response.once('close', () => {
      this.#answering.delete(stream);
      if (this.#closing) stream.destroySoon();
    });
  }

  /** Unlike `http.Server`, which destroys the stream at once: a reset could take the answer from the client. */
  #failed({ code = '' }: NodeJS.ErrnoException, stream: Duplex): void {
    // It goes on parsing what comes, and failing, until the stream has ended.
    if (stream.destroyed || stream.writableEnded || wasTakenOver(stream)) return;
    if (this.#answering.has(stream)) {
      // In the middle of another answer there is no place for this one; what there is of that goes out.
      (stream as Socket).destroySoon();
      return;
    }
    const [status, text] = statusOfError[code] ?? badRequest;
    this.#options.onRefused?.(status);
    this.#answering.add(stream);
    stream.end(new Refusal(status, text).toBytes());
    (stream as Socket).destroySoon();
  }

  #refuse(response: ServerResponse): void {
    const { status, headers, body } = upgradeRequired('Here is a WebSocket, and nothing else\n');
    this.#options.onRefused?.(status);
    for (const [name, value] of headers) response.setHeader(name, value);
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(body);
  }
}
