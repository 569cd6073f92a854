/** Posts between the threads of a process, without native code. */

import { randomBytes } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';

/** Whoever owns a mailbox is handed the values. Returns false when it takes no more for now. */
export type MailHandler = (value: number) => boolean;

/** Numbers of native mailboxes count from 1 and never come here. */
const firstId = 2 ** 52;
/** Numbers come in rows of that many; where a row begins is 40 random bits, which no two threads will share. */
const rowLength = 2 ** 12;
const channelName = '@iocp/core mailboxes';

/** Mailboxes of this thread, and where the rows of their numbers begin. */
const own = new Map<number, MailHandler>();
const ownRows = new Set<number>();
let nextId = 0;
let channel: BroadcastChannel | undefined;

/** True for the number of a mailbox that was opened here, in whatever thread. */
export function isNodeMailbox(id: number): boolean {
  return id >= firstId;
}

export function openMailbox(handler: MailHandler): number {
  if (nextId % rowLength === 0) {
    nextId = firstId + randomBytes(5).readUIntBE(0, 5) * rowLength;
    ownRows.add(nextId);
  }
  const id = nextId++;
  own.set(id, handler);
  joined();
  return id;
}

/** Idempotent. */
export function closeMailbox(id: number): void {
  own.delete(id);
  if (own.size > 0) return;
  channel?.close();
  channel = undefined;
}

/**
 * Posts to a mailbox of any thread.
 * @returns false when this thread owns it and it is closed or full. What another thread owns is sent on its way: true says
 * nothing of its arrival, for a mailbox that is closed neither.
 */
export function postToNode(id: number, value: number): boolean {
  const handler = own.get(id);
  if (handler !== undefined) return handler(value);
  if (ownRows.has(id - (id % rowLength))) return false;
  joined().postMessage([id, value]);
  return true;
}

function joined(): BroadcastChannel {
  if (channel !== undefined) return channel;
  channel = new BroadcastChannel(channelName);
  channel.unref();
  channel.onmessage = (event) => {
    const [id, value] = (event as { data: [number, number] }).data;
    own.get(id)?.(value);
  };
  return channel;
}
