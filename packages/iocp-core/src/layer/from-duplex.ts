import type { Duplex } from 'node:stream';
import { BaseChannel } from './base-channel.js';
import type { Channel, ChannelInfo } from './channel.js';
import type { ChannelLimits, ChannelOptions } from './channel-limits.js';
import { ChannelError } from './errors.js';
import { leaseOwnerOf } from './lease.js';
import { appendInArena, copyToArena } from './owned-bytes.js';
import { isSendingEnd } from './sending-end.js';
import { flushSoon } from './turn.js';
import { invalidArgumentType, invalidArgumentValue } from './validate.js';

/** Up to this size copying is cheaper than asking the caller to leave the chunk alone until it is sent. */
const copiedBytesMax = 4096;

/** What `net.Socket` and `tls.TLSSocket` have beyond a `Duplex`. */
interface SocketLike {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly remoteFamily?: string;
  readonly encrypted?: boolean;
  resetAndDestroy?(): void;
  setNoDelay?(enable?: boolean): void;
  setKeepAlive?(enable?: boolean, idleMs?: number): void;
  ref?(): void;
  unref?(): void;
}

class DuplexChannel extends BaseChannel {
  readonly info: ChannelInfo;
  private readonly duplex: Duplex & SocketLike;
  private kept: Uint8Array[] = [];
  private sending = false;
  private released = false;

  constructor(duplex: Duplex & SocketLike, options?: ChannelOptions | ChannelLimits) {
    super(options);
    this.duplex = duplex;
    this.info = infoOf(duplex);
    // Our side ends when the channel is told to, not when the peer's does.
    duplex.allowHalfOpen = true;
    duplex.pause();
    duplex.on('data', (chunk: Uint8Array) => this.received(chunk));
    duplex.on('end', () => this.ended());
    duplex.on('error', (error: Error) => this.failed(error));
    duplex.on('close', () => this.whenReleased());
    if (duplex.closed) queueMicrotask(() => this.whenReleased());
    else if (duplex.readableEnded) queueMicrotask(() => this.ended());
  }

  setNoDelay(enable?: boolean): void {
    this.duplex.setNoDelay?.(enable);
  }

  setKeepAlive(enable?: boolean, idleMs?: number): void {
    this.duplex.setKeepAlive?.(enable, idleMs);
  }

  ref(): void {
    this.duplex.ref?.();
  }

  unref(): void {
    this.duplex.unref?.();
  }

  protected keepChunk(chunk: Uint8Array): void {
    const { kept } = this;
    if (chunk.byteLength > copiedBytesMax && leaseOwnerOf(chunk) === undefined) {
      kept.push(chunk);
      return;
    }
    // What is small goes out together: systems limit how many pieces one send may have.
    const last = kept.length - 1;
    const joined = last < 0 ? null : appendInArena(kept[last] as Uint8Array, chunk);
    if (joined === null) kept.push(copyToArena(chunk));
    else kept[last] = joined;
  }

  protected dropKept(): void {
    this.kept = [];
  }

  protected scheduleFlush(): void {
    flushSoon(this);
  }

  protected startSend(): void {
    const { duplex, kept } = this;
    this.kept = [];
    this.sending = true;
    const last = kept.length - 1;
    duplex.cork();
    for (let index = 0; index < last; index++) duplex.write(kept[index]);
    duplex.write(kept[last], (error) => this.sendDone(error ?? null));
    duplex.uncork();
  }

  protected startShutdown(): void {
    if (this.duplex.writableFinished) this.shutdownDone(null);
    else this.duplex.end((error?: Error | null) => this.shutdownDone(error ?? null));
  }

  protected startRead(): void {
    this.duplex.resume();
  }

  protected stopRead(): void {
    this.duplex.pause();
  }

  protected startClose(abortive: boolean): void {
    const { duplex } = this;
    if (this.released) {
      this.closeDone();
      return;
    }
    if (abortive && !duplex.destroyed) reset(duplex);
    duplex.destroy();
  }

  private sendDone(error: Error | null): void {
    if (!this.sending) return;
    this.sending = false;
    // A destroyed net.Socket calls its writes back without an error.
    this.sent(error ?? (this.duplex.destroyed ? destroyedBelow() : null));
  }

  private whenReleased(): void {
    if (this.released) return;
    this.released = true;
    const inOrder = this.duplex.readableEnded && this.duplex.writableFinished;
    if (!this.closed && inOrder) return; // closes when the end has been delivered
    if (!this.closed) {
      this.failed(destroyedBelow());
      return;
    }
    // A destroyed stream may call back a write after 'close', or never.
    this.sendDone(destroyedBelow());
    this.closeDone();
  }
}

function destroyedBelow(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'The stream below was destroyed before its end');
}

/** A reset, where the medium has one: TCP only. */
function reset(duplex: Duplex & SocketLike): void {
  if (isSendingEnd(duplex)) return;
  try {
    duplex.resetAndDestroy?.();
  } catch {
    // A net.Socket that is a pipe, or carries TLS, refuses: destroying it is all there is.
  }
}

function infoOf(duplex: Duplex & SocketLike): ChannelInfo {
  const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = duplex;
  const lowest = remoteAddress === undefined ? 'stream' : 'tcp';
  const protocols = duplex.encrypted === true ? [lowest, 'tls'] : [lowest];
  return { protocols, localAddress, localPort, remoteAddress, remotePort, family: remoteFamily };
}

/**
 * A channel over any Node stream of bytes: `net.Socket`, `tls.TLSSocket`, a pair in memory, the stream of an HTTP
 * upgrade. The stream belongs to the channel from now on: do not read, write or destroy it. Its `allowHalfOpen` is
 * switched on.
 *
 * Throws `ERR_INVALID_ARG_TYPE` when it is not a `Duplex`, and `ERR_INVALID_ARG_VALUE` when it is in object mode or
 * decodes text (`setEncoding`).
 */
export function fromDuplex(duplex: Duplex, options?: ChannelOptions | ChannelLimits): Channel {
  if (typeof duplex?.write !== 'function' || typeof duplex.read !== 'function') {
    throw invalidArgumentType('duplex', 'an instance of stream.Duplex', duplex);
  }
  if (duplex.readableObjectMode || duplex.writableObjectMode) {
    throw invalidArgumentValue('duplex', duplex, 'must carry bytes, not objects');
  }
  if (duplex.readableEncoding !== null) {
    throw invalidArgumentValue('duplex', duplex, 'must carry bytes: do not call setEncoding()');
  }
  return new DuplexChannel(duplex, options);
}
