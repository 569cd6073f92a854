/**
 * Sockets with the interface of `node:dgram`, on completion input and output.
 * @packageDocumentation
 */

export type { BindOptions } from './bind-target.js';
export type { RemoteInfo } from './incoming-queue.js';
export type { LookupFunction, SocketOptions, SocketType } from './options.js';
export type { SendCallback } from './outgoing.js';
export { createSocket, Socket } from './socket.js';

import { createSocket, Socket } from './socket.js';

/** As the default export of `node:dgram`. */
export default { createSocket, Socket };
