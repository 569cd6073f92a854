import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type Ws from 'ws';
import { WebSocketServer as WsServer } from 'ws';
import { gatherWrites } from './gather-writes.js';
import { type HttpListenOptions, HttpServer } from './http-server.js';
import { WebSocket } from './web-socket.js';

type Socket = typeof Ws;
type Request = typeof IncomingMessage;

/** As those of `ws`. */
export interface ServerOptions<T extends Socket = typeof WebSocket, U extends Request = Request>
  extends Ws.ServerOptions<T, U> {
  /** The port whose thread serves the connections of a server with `port`. Default: the one of this thread. */
  readonly completionPort?: HttpListenOptions['completionPort'];
}

/**
 * `WebSocketServer` of `ws`. With `port` it listens with `@iocp/tcp`; with `server` and `noServer` the connections are those of
 * the server that has them, which may be one that a `TcpListener` is attached to.
 */
export class WebSocketServer<
  T extends Socket = typeof WebSocket,
  U extends Request = Request,
> extends WsServer<T, U> {
  /** As of `ws`. @throws as `ws` does, and as `HttpServer.open` */
  constructor(options: ServerOptions<T, U> = {}, callback?: () => void) {
    const ours = { WebSocket: WebSocket as Socket as T, ...options };
    if (options.port === undefined || options.port === null || options.server || options.noServer) {
      super(ours, callback);
      return;
    }
    const http = new HttpServer(upgradeRequired);
    super({ ...ours, port: undefined, server: http as HttpServer & NonNullable<typeof options.server> });
    // A server that belongs to this one: ws closes it with itself.
    this.options = { ...this.options, server: undefined, port: options.port };
    if (callback !== undefined) http.once('listening', callback);
    http.open({ ...options, port: options.port });
  }

  override handleUpgrade(
    request: InstanceType<U>,
    socket: Duplex,
    head: Buffer,
    callback: (client: InstanceType<T>, request: InstanceType<U>) => void,
  ): void {
    gatherWrites(socket);
    super.handleUpgrade(request, socket, head, callback);
  }
}

/** What `ws` answers, in the same words. */
const upgradeRequired: ConstructorParameters<typeof HttpServer>[0] = (_request, response) => {
  const body = STATUS_CODES[426] as string;
  response.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' });
  response.end(body);
};
