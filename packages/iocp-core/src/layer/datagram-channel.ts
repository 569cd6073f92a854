/**
 * The contract for datagrams: messages with boundaries and an address each, delivered at most once, in any order. Like
 * channels of bytes these are push and synchronous; promises exist only at the edge.
 */

import type { DatagramAddress } from './datagram-address.js';

/**
 * A received datagram. One object stands for all of a batch, one after the other, and its bytes are **lent**: both are
 * valid until the receiver returns, or the loop over the batch goes on. `address` and the like are worked out when
 * they are asked for.
 */
export interface Datagram {
  /** Lent: copy it, or take a `lease()`, to keep it; hand it to `send` or `reply` of any channel to pass it on. */
  readonly data: Uint8Array;
  /** The sender; the same object for the same peer as long as the channel remembers it. */
  readonly peer: DatagramAddress;
  /** The sender's address. An IPv4 sender of a dual-stack socket is told as `::ffff:192.0.2.1`. */
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
  /** It was longer than the memory to receive it: `data` is its beginning, the rest is lost. */
  readonly truncated: boolean;
  /** Type of service or traffic class, the two lowest bits are ECN; undefined unless asked for. */
  readonly tos: number | undefined;
  /** Time to live or hop limit; undefined unless asked for. */
  readonly ttl: number | undefined;
  /** The address it was sent to; undefined unless asked for. */
  readonly localAddress: string | undefined;
  /** Index of the interface it came in through; undefined unless asked for. */
  readonly interfaceIndex: number | undefined;
  /** Sends to `peer`. See `DatagramChannel.send`. */
  reply(data: Uint8Array, options?: DatagramSendOptions): boolean;
}

/** Datagrams that arrived together, in order of arrival. To be gone through once, before the receiver returns. */
export interface DatagramBatch extends Iterable<Datagram> {
  readonly length: number;
}

/** The upper side: events go up. A channel has one receiver at a time. */
export interface DatagramReceiver {
  /** Also called for a single datagram. */
  onDatagrams(batch: DatagramBatch): void;
  /** After a `send` was refused for lack of room there is room again: half of the queue is free. Once per such spell. */
  onDrain(): void;
  /**
   * Something that concerns single datagrams, and ends nothing: a send that the system refused and nobody asked for, or
   * what the network answered to an earlier datagram (`ECONNREFUSED`, `EHOSTUNREACH`, …), with `address` and `port` when
   * they are known.
   */
  onError(error: Error): void;
  /** Last event, exactly once, after every `done`. Null after `close` and after `abort` without a reason. */
  onClose(error: Error | null): void;
}

/** For one datagram to send. */
export interface DatagramSendOptions {
  /** Type of service or traffic class of this datagram, 0 to 255; the two lowest bits are ECN. */
  readonly tos?: number | undefined;
  /** Time to live or hop limit of this datagram, 1 to 255. */
  readonly ttl?: number | undefined;
  /** Address of this machine to send from. */
  readonly source?: DatagramAddress | undefined;
  /** Index of the interface to send through. */
  readonly interfaceIndex?: number | undefined;
  /**
   * Called once, never from inside `send`: with null when the system has taken the datagram, which says nothing of its
   * arrival, else with the reason why it never will: the system's error, or `ERR_CHANNEL_OVERFLOW`, `ERR_CHANNEL_CLOSED`,
   * `ERR_CHANNEL_ABORTED`. Not called for what the policy `block` did not take. Errors told here are not told to `onError`.
   */
  readonly done?: ((error: Error | null) => void) | undefined;
}

/** What to do with a datagram for which the send queue has no room. */
export type DatagramOverflowPolicy = 'drop-new' | 'drop-old' | 'block';

/** How much a channel queues for sending. */
export interface DatagramQueueOptions {
  /** Datagrams that may wait. Default 4096. */
  readonly queuedDatagramsMax?: number | undefined;
  /** Bytes that may wait; a datagram for an empty queue is taken whatever its size. Default 4194304 (4 MiB). */
  readonly queuedBytesMax?: number | undefined;
  /**
   * When there is no room: `'drop-new'` (default) drops the datagram and counts it, `'drop-old'` drops the longest waiting
   * ones and counts them, `'block'` does not take it: send it again after `onDrain`.
   */
  readonly overflow?: DatagramOverflowPolicy | undefined;
}

/**
 * What became of datagrams. Every one that was given to `send` before the close is in exactly one of the counts of sending, or
 * queued; what the policy `block` did not take is in none.
 */
export interface DatagramStats {
  /** Taken by the system. */
  readonly sent: number;
  readonly sentBytes: number;
  /** Delivered to the receiver. */
  readonly received: number;
  readonly receivedBytes: number;
  /** Of those received, how many were cut off. */
  readonly truncated: number;
  /** Dropped by the policy of the send queue. */
  readonly droppedQueueFull: number;
  /** Queued when the channel was aborted or its port closed. */
  readonly droppedClosed: number;
  /** Refused by the system, each with an error to `done` or `onError`. */
  readonly sendErrors: number;
  /**
   * Arrived and dropped by the system because nobody received them in time; undefined where it does not say. On the backend
   * `node` those only that were dropped inside the process.
   */
  readonly droppedBySystem: number | undefined;
  /** Waiting to be sent, the ones that the system has been given included. */
  readonly queued: number;
  readonly queuedBytes: number;
}

/** What is known of a datagram channel. */
export interface DatagramInfo {
  /** Protocol names, bottom to top, for example `['udp']`. */
  readonly protocols: readonly string[];
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Of a connected channel. */
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly family?: 'IPv4' | 'IPv6' | undefined;
}

/** The lower side: commands go down. */
export interface DatagramChannel {
  /**
   * Takes the events from now on; nothing is delivered before `attach` has returned. Throws `ERR_CHANNEL_CONSUMER` when
   * there is a receiver already. Nothing is received before the first `attach`. On a channel that has closed, `onClose`
   * follows. Events never come from inside a command.
   */
  attach(receiver: DatagramReceiver): void;
  /** No `onDatagrams` after this returns, until `resume()`. What arrives meanwhile waits in the system, which drops what is too much. */
  pause(): void;
  /** Delivers what was held back, not before `resume` has returned, and receives on. */
  resume(): void;
  /**
   * Queues a datagram; it leaves at the end of the turn, together with the others. Chunks of an array become one
   * datagram. Bytes are copied at once, or kept alive when they are lent.
   * @param to required on an unconnected channel, and to be left out on a connected one: ERR_SOCKET_DGRAM_NOT_CONNECTED,
   * ERR_SOCKET_DGRAM_IS_CONNECTED.
   * @returns true when it was taken, also when it turns out to be too long: that is `EMSGSIZE`, as with any other refusal of
   * the system. False when it was dropped (`drop-new`, and `drop-old` when all that is queued is with the system already;
   * counted), not taken (`block`), or the channel closes.
   */
  send(
    data: Uint8Array | readonly Uint8Array[],
    to?: DatagramAddress,
    options?: DatagramSendOptions,
  ): boolean;
  /** Receives nothing more, sends what is queued, then closes. Idempotent. */
  close(): void;
  /** Closes now: what is queued is dropped and counted. Idempotent. */
  abort(reason?: Error): void;
  readonly stats: DatagramStats;
  readonly info: DatagramInfo;
  /** The most bytes that one datagram may have here. */
  readonly payloadBytesMax: number;
  /** True once `onClose` has been delivered or is about to be. */
  readonly closed: boolean;
}
