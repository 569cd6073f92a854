/** The state of a `BaseChannel`, one bit each, so that a connection pays for it with one number. */

/** What arrives is kept: nobody listens, the receiver has paused, or older data has not been delivered yet. */
export const HOLDING = 1 << 0;
export const PAUSED = 1 << 1;
export const READING = 1 << 2;
export const PEER_ENDED = 1 << 3;
export const END_DELIVERED = 1 << 4;
export const DELIVERY_SCHEDULED = 1 << 5;

export const FLUSH_SCHEDULED = 1 << 6;
export const SENDING = 1 << 7;
export const NEEDS_DRAIN = 1 << 8;
/** `end()` was called. */
export const ENDING = 1 << 9;
export const SHUTDOWN_STARTED = 1 << 10;
export const SHUTDOWN_DONE = 1 << 11;

/** The medium is being released: nothing but callbacks and `onClose` may follow. */
export const CLOSING = 1 << 12;
/** The medium is released, and all write callbacks have been called. */
export const CLOSED = 1 << 13;
/** The send that was in flight when closing began was taken by the medium after all. */
export const LAST_SEND_TAKEN = 1 << 14;
