/** What can be watched from outside: `NODE_DEBUG=iocp` and `node:diagnostics_channel`. Costs nothing unwatched. */

import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** Prints to stderr when `NODE_DEBUG` contains `iocp`. */
export const debug = debuglog('iocp');

/** `{ server, connection }`: a WebSocket was opened. */
export const acceptChannel = channel('iocp.websocket.accept');
/** `{ server, request, status, error }`: a request was refused. */
export const refuseChannel = channel('iocp.websocket.refuse');
