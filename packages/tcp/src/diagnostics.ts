/** What can be watched from outside: `NODE_DEBUG=iocp` and `node:diagnostics_channel`. Costs nothing unwatched. */

import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** Prints to stderr when `NODE_DEBUG` contains `iocp`. */
export const debug = debuglog('iocp');

/** `{ listener }`: listening has begun. */
export const listenChannel = channel('iocp.tcp.listen');
/** `{ listener, connection }`: a connection was accepted, its handshakes done. */
export const acceptChannel = channel('iocp.tcp.accept');
/** `{ listener, pauses }`: accepting stopped, for the reasons named, or went on, when there is none. */
export const acceptPauseChannel = channel('iocp.tcp.accept-pause');
/** `{ listener, peer }`: a connection above `connectionsMax` was reset. */
export const dropChannel = channel('iocp.tcp.drop');
/** `{ listener, error, info }`: the handshake of an accepted connection failed. */
export const handshakeFailedChannel = channel('iocp.tcp.handshake-failed');
/** `{ connection }`: a connection was made. */
export const connectChannel = channel('iocp.tcp.connect');
/** `{ options, error }`: a connection could not be made. */
export const connectFailedChannel = channel('iocp.tcp.connect-failed');
