import type { Writable } from 'node:stream';

/**
 * True while all of a stream but its end has gone. A `net.Socket` must not be reset then: libuv refuses to, and it would
 * never close.
 */
export function isSendingEnd({
  writableEnded,
  writableFinished,
  writableLength,
  destroyed,
}: Writable): boolean {
  return writableEnded && !writableFinished && writableLength === 0 && !destroyed;
}
