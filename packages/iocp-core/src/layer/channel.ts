/**
 * The contract between layers: commands go down, events go up, nothing sideways.
 *
 * Everything here is push and synchronous; promises exist only at the edge (the faces in `Connection`).
 */

import type { WriteMemory } from './write-memory.js';

/** Who started the connection: the client dialled, the server accepted. Handshaking layers need to know. */
export type Role = 'client' | 'server';

/** The upper side of a channel: events go up. One channel has one receiver at a time. */
export interface Receiver<In = Uint8Array> {
  /**
   * Bytes (or messages) have arrived.
   * They are **lent**: valid until this call returns, and the receiver's to change. To keep them, copy them, or take a
   * `lease()`; to pass them on, hand them to `write` of any channel, which keeps them alive until they are sent.
   */
  onData(data: In): void;
  /** The peer will send no more; the other direction still works. At most once, after the last `onData`. */
  onEnd(): void;
  /** The buffered amount fell to the low-water mark after a `write` had returned false. Once per such spell. */
  onDrain(): void;
  /**
   * Last event, exactly once, after every write callback.
   * @param error why the channel ended early, or null when both directions ended in order or a local `abort()`
   * without a reason was asked for.
   */
  onClose(error: Error | null): void;
}

/** Called once when the chunks of one `write` were handed to the medium, or with the reason why they never will be. */
export type WriteCallback = (error: Error | null) => void;

/** What is known of a channel. Layers add their name to `protocols` and may add properties of their own. */
export interface ChannelInfo {
  /** Protocol names, bottom to top, for example `['tcp', 'tls']`. */
  readonly protocols: readonly string[];
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** `'IPv4'`, `'IPv6'`, or `'unix'` for Unix sockets. */
  readonly family?: string | undefined;
}

/** The lower side: commands go down. A layer wraps one channel and is one. */
export interface Channel<In = Uint8Array, Out = Uint8Array> {
  /**
   * Takes the events from now on; what arrived before is delivered first, in order, not before `attach` has returned.
   * Throws `ERR_CHANNEL_CONSUMER` when there is a receiver already. Attaching to a channel that has closed delivers
   * what is left and then `onClose`.
   */
  attach(receiver: Receiver<In>): void;
  /**
   * Takes the receiver away and returns what was not delivered, as bytes of their own, so that a protocol upgrade
   * loses nothing. Until the next `attach`, the channel reads nothing more than it already has.
   */
  detach(): In[];
  /** No `onData` after this returns, until `resume()`. Idempotent. The peer feels backpressure. */
  pause(): void;
  /** Delivers what was held back, not before `resume` has returned, and reads on. Idempotent. */
  resume(): void;
  /**
   * Queues chunks, in order, as one gathered unit. Everything is accepted until the hard cap of what piles up.
   * Chunks of at most 4096 bytes are copied before this returns; a larger one may be held until `done`, and must not be changed
   * before.
   * After `end`, or on a closed channel, nothing is queued: `done` gets `ERR_CHANNEL_ENDED` or `ERR_CHANNEL_CLOSED`, and
   * the result is false.
   * @returns false at or above the high-water mark: stop until `onDrain`.
   */
  write(chunks: Out | readonly Out[], done?: WriteCallback): boolean;
  /** Holds writes back until the matching `uncork()`. Calls nest. */
  cork(): void;
  uncork(): void;
  /** Half-close after queued writes: the peer sees the end of the stream, and may go on sending. Idempotent. */
  end(): void;
  /**
   * Ends now: discards what is queued, cancels what is in flight, resets the peer. Idempotent.
   * @param reason given to pending write callbacks and to `onClose`.
   */
  abort(reason?: Error): void;
  /** Bytes queued and not yet taken by the medium, in this layer and all below. */
  readonly bufferedAmount: number;
  readonly info: ChannelInfo;
  /**
   * What Node streams over the channel (`toDuplex`) have besides, as those of TLS have `getPeerCertificate`. Accessors and
   * methods find what they tell of in `this.info`. The same object for all channels of a kind.
   */
  readonly streamMembers?: PropertyDescriptorMap | undefined;
  /** Memory of the medium for layers to fill and write without a copy, where there is any. */
  readonly writeMemory?: WriteMemory | undefined;
  /** True once `onClose` has been delivered or is about to be. */
  readonly closed: boolean;
}

/** A protocol on top of any channel: TLS, WebSocket, or your own. */
export interface Layer<In = Uint8Array, Out = Uint8Array, LowerIn = Uint8Array, LowerOut = Uint8Array> {
  readonly name: string;
  /**
   * Does the handshake, if there is one, and gives the upper channel.
   * On failure, or when `signal` fires, the lower channel is aborted and the promise rejects: the layer owns it from here.
   */
  wrap(lower: Channel<LowerIn, LowerOut>, role: Role, options?: WrapOptions): Promise<Channel<In, Out>>;
}

export interface WrapOptions {
  /** Cancels the handshake: the lower channel is aborted and the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Something that accepts connections and hands out finished channels. */
export interface ChannelListener<Address = unknown> {
  address(): Address;
  /** The next accepted channel; resolves to null once the listener has closed. */
  accept(options?: { readonly signal?: AbortSignal | undefined }): Promise<Channel | null>;
  close(): Promise<void>;
}

/** A way to reach a peer: TCP, Unix sockets, memory, or your own. */
export interface Transport<Address = unknown> {
  connect(address: Address, options?: { readonly signal?: AbortSignal | undefined }): Promise<Channel>;
  listen(address: Address): Promise<ChannelListener<Address>>;
}
