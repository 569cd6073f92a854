/**
 * Sockets with the interface of `node:dgram`, on completion input and output.
 * @packageDocumentation
 */

export type { RemoteInfo } from './incoming-queue.js';
export type { LookupFunction, SocketOptions, SocketType } from './options.js';
export type { SendCallback } from './outgoing.js';
export { type BindOptions, createSocket, Socket, type SocketEvents } from './socket.js';

import { createSocket, Socket } from './socket.js';

/** As the default export of `node:dgram`. */
export default { createSocket, Socket };
