/** What can be watched from outside: `NODE_DEBUG=iocp` and `node:diagnostics_channel`. Costs nothing unwatched. */

import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** Prints to stderr when `NODE_DEBUG` contains `iocp`. */
export const debug = debuglog('iocp');

/** `{ socket }`: a socket was bound. */
export const bindEvents = channel('iocp.udp.bind');
/** `{ socket }`: a socket was connected when it was made. */
export const connectEvents = channel('iocp.udp.connect');
/** `{ socket, error }`: something went wrong with single datagrams. */
export const errorEvents = channel('iocp.udp.error');
