/** Completions sent by other threads. */

import { isNodeMailbox, postToNode } from '../backend/node/mailboxes.js';
import { validateInteger, validateObject } from '../layer/validate.js';
import { requireAddon } from './open-driver.js';

/** Names a poster in any thread of this process. Can be sent with `postMessage` and in `workerData`. */
export interface PostHandle {
  readonly mailbox: number;
}

/** Lets other threads complete a token of this port. */
export interface PortPoster {
  /** What `postTo` needs; structured-cloneable. */
  readonly handle: PostHandle;
  /** Ends it: later posts return false, and the handler is not called again. Idempotent. */
  close(): void;
}

/**
 * Completes the token of a poster with POST and `value`, from any thread of the process.
 * @param handle the `handle` of a `PortPoster`.
 * @param value a 32-bit integer: the result that the poster's handler gets.
 * @returns false when the poster or its port is closed: nothing was sent. For a port of another thread on the backend `node`
 * true says only that it was sent: this thread cannot know what was closed there.
 */
export function postTo(handle: PostHandle, value: number): boolean {
  validateObject(handle, 'handle');
  validateInteger(handle.mailbox, 'handle.mailbox', 0);
  validateInt32(value, 'value');
  const { mailbox } = handle;
  return isNodeMailbox(mailbox) ? postToNode(mailbox, value) : requireAddon().postTo(mailbox, value);
}

export function validateInt32(value: unknown, name: string): asserts value is number {
  validateInteger(value, name, -0x80000000, 0x7fffffff);
}
