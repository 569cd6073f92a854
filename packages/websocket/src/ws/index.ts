/**
 * The library `ws`, which has to be installed, on completion input and output: its own `WebSocketServer` and `WebSocket`, with the
 * whole of their interface and their defaults, over the streams of `@iocp/tcp` and `@iocp/tls`. What is sent within one turn of
 * the event loop leaves as one write.
 *
 * What is different:
 * - There is no `net.Socket`: the streams below are `stream.Duplex`. Workers of `cluster` do not share a port.
 * - A client's `agent` or `createConnection`, and a server's `server` or `noServer`, bring their own connections.
 * - `wss:` needs `@iocp/tls`; without it the client emits `ERR_WS_NO_TLS`.
 * - In CommonJS the module is an object with `WebSocket` in it, not the class itself. Inner parts of `ws` (`Sender`, `Receiver`,
 *   `extension`, …) are left in `ws`.
 * @packageDocumentation
 */

import { createWebSocketStream } from 'ws';
import { WebSocket } from './web-socket.js';
import { WebSocketServer } from './web-socket-server.js';

// Under these names ws itself has its own.
Object.assign(WebSocket, { WebSocket, WebSocketServer, Server: WebSocketServer, createWebSocketStream });

export type { ClientOptions } from './web-socket.js';
export type { ServerOptions } from './web-socket-server.js';
export { createWebSocketStream, WebSocket, WebSocketServer, WebSocketServer as Server };
export default WebSocket;
