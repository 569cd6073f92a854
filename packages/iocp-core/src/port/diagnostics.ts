/** What can be watched from outside: `NODE_DEBUG=iocp` and `node:diagnostics_channel`. */

import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import type { CompletionPort } from './completion-port.js';

/** Prints to stderr when `NODE_DEBUG` contains `iocp`. */
export const debug = debuglog('iocp');

/** `{ port }` */
const portOpen = channel('iocp.port.open');
/** `{ port, rejected }` */
const portFallback = channel('iocp.port.fallback');
/** `{ port, slots }` */
const poolExhausted = channel('iocp.pool.exhausted');

/** A port was opened, and perhaps `auto` passed over backends. */
export function announcePort(port: CompletionPort): void {
  const { backend, kernel, rejected } = port.info;
  debug('port opened: %s on %s', backend, kernel);
  for (const { backend: name, code, reason } of rejected) debug('passed over %s: %s, %s', name, code, reason);
  if (portOpen.hasSubscribers) portOpen.publish({ port });
  if (rejected.length > 0 && portFallback.hasSubscribers) portFallback.publish({ port, rejected });
}

/** Receives are parked and every slot is in use. Once per spell. */
export function announceExhaustion(port: CompletionPort, parked: number): void {
  const { slots } = port.pool;
  debug('pool exhausted: %d receives wait, all %d slots are in use', parked, slots.total);
  if (poolExhausted.hasSubscribers) poolExhausted.publish({ port, slots });
}
