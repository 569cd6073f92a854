/** The one file that touches the channel below: pumps bytes through the codec. */

import {
  BaseChannel,
  ChannelError,
  flushSoon,
  IoError,
  lease,
  leaseOwnerOf,
  ownCopy,
  throwLater,
} from '@iocp/core/layer';
import { encodeHeader, MessageDecoder } from './codec.mjs';

/** @typedef {import('@iocp/core/layer').Channel} Channel */
/** @typedef {import('@iocp/core/layer').Layer} Layer */
/** @typedef {import('@iocp/core/layer').Lease} Lease */
/** @typedef {import('@iocp/core/layer').Receiver} Receiver */

/** Longest chunk that is copied at once instead of being held until it is sent. */
const copyBytesMax = 1024;

/**
 * A layer that keeps messages apart: each chunk that is written arrives as one `onData`.
 * Empty messages do not exist in this protocol: writing one sends nothing.
 *
 * @param {object} [options]
 * @param {number} [options.messageBytesMax] longest message that is accepted from the peer. Default 1 MiB.
 * @returns {Layer}
 */
export function lengthPrefixed({ messageBytesMax = 1024 * 1024 } = {}) {
  return {
    name: 'length-prefixed',
    async wrap(lower, _role, { signal } = {}) {
      if (signal?.aborted) {
        lower.abort(signal.reason instanceof Error ? signal.reason : undefined);
        throw signal.reason;
      }
      return new LengthPrefixedChannel(lower, messageBytesMax);
    },
  };
}

/**
 * Its lower side is a receiver of the channel below; its upper side is all done by `BaseChannel`.
 * @implements {Receiver}
 */
class LengthPrefixedChannel extends BaseChannel {
  info;
  #lower;
  #decoder;
  /**
   * Headers and messages to be sent.
   * @type {Lease[]}
   */
  #kept = [];
  #endSent = false;
  #endReceived = false;
  #closing = false;
  #lowerClosed = false;

  /**
   * @param {Channel} lower
   * @param {number} messageBytesMax
   */
  constructor(lower, messageBytesMax) {
    super();
    this.info = { ...lower.info, protocols: [...lower.info.protocols, 'length-prefixed'] };
    this.#lower = lower;
    this.#decoder = new MessageDecoder(messageBytesMax);
    // Nothing comes up before there is a receiver above: startRead() lets it flow.
    lower.pause();
    lower.attach(this);
  }

  // Events of the channel below.

  /** @param {Uint8Array} chunk */
  onData(chunk) {
    this.#decoder.push(chunk);
    try {
      for (let message = this.#decoder.next(); message !== null; message = this.#decoder.next()) {
        this.#deliver(message);
      }
    } catch (error) {
      this.failed(/** @type {Error} */ (error));
    }
  }

  /** @param {Uint8Array} message */
  #deliver(message) {
    try {
      this.received(message);
    } catch (error) {
      // What a handler throws is not the protocol's failure, and must not cost the rest of the chunk.
      throwLater(error);
    }
  }

  onEnd() {
    if (this.#decoder.insideMessage) {
      this.failed(
        new IoError('The stream ended in the middle of a message', { code: 'ERR_LENGTH_PREFIX_TRUNCATED' }),
      );
      return;
    }
    this.#endReceived = true;
    this.ended();
  }

  onDrain() {
    this.lowerDrained();
  }

  /** @param {Error | null} error */
  onClose(error) {
    this.#lowerClosed = true;
    if (this.#closing) this.closeDone();
    else if (error !== null) this.failed(error);
    else if (!this.#endSent || !this.#endReceived) {
      this.failed(new ChannelError('ERR_CHANNEL_CLOSED', 'The channel below was closed'));
    }
  }

  // Commands from above, as BaseChannel has arranged them.

  /** @override @protected */
  startRead() {
    this.#lower.resume();
  }

  /** @override @protected */
  stopRead() {
    this.#lower.pause();
  }

  /** @override @protected @param {Uint8Array} message */
  keepChunk(message) {
    const mayChange = leaseOwnerOf(message) === undefined && message.byteLength <= copyBytesMax;
    this.#kept.push(lease(encodeHeader(message.byteLength)), lease(mayChange ? ownCopy(message) : message));
  }

  /** @override @protected */
  dropKept() {
    for (const each of this.#kept.splice(0)) each.release();
  }

  /** @override @protected */
  scheduleFlush() {
    flushSoon(this);
  }

  /** @override @protected */
  startSend() {
    const kept = this.#kept.splice(0);
    this.#lower.write(
      kept.map(({ bytes }) => bytes),
      (error) => this.sent(error),
    );
    // The channel below has taken leases of its own for what was lent.
    for (const each of kept) each.release();
  }

  /** What is in flight here is queued below: it must not count twice. @override @protected */
  lowerBufferedAmount() {
    return Math.max(0, this.#lower.bufferedAmount - this.inFlightBytes);
  }

  /** @override @protected */
  startShutdown() {
    this.#endSent = true;
    this.#lower.end();
    this.shutdownDone(null);
  }

  /** @override @protected @param {boolean} abortive */
  startClose(abortive) {
    this.#closing = true;
    if (this.#lowerClosed) this.closeDone();
    else if (abortive) this.#lower.abort();
    // Else both directions have ended, and the channel below closes by itself: onClose follows.
  }
}
