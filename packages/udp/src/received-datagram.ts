import type { BufferPool } from '@iocp/core';
import type { Datagram, DatagramAddress, DatagramSendOptions } from '@iocp/core/layer';
import { familyOf, interfaceOf, isTruncated, localAddressOf, portOf, tosOf, ttlOf } from './incoming.js';
import { PeerCache } from './peer-cache.js';

/** Sends to who has sent what lies in a slot. */
export interface ReplySender {
  sendReply(data: Uint8Array, slot: number, options: DatagramSendOptions | undefined): boolean;
}

const nowhere = -1;

/** The cursor over a batch: reads from the slot what it is asked for, and keeps nothing. */
export class ReceivedDatagram implements Datagram {
  slot = nowhere;
  /** Where the payload begins in the slot, and its bytes. */
  offset = 0;
  length = 0;
  readonly #pool: BufferPool;
  readonly #replies: ReplySender;
  readonly #peers = new PeerCache();

  constructor(pool: BufferPool, replies: ReplySender) {
    this.#pool = pool;
    this.#replies = replies;
  }

  /** Stands for the datagram there. */
  enter(slot: number, offset: number, length: number): void {
    this.slot = slot;
    this.offset = offset;
    this.length = length;
  }

  /** Stands for nothing: whoever kept it gets `ERR_IOCP_NOT_LENT`. */
  leave(): void {
    this.slot = nowhere;
  }

  get data(): Uint8Array {
    return this.#pool.viewAt(this.#held(), this.offset, this.length);
  }

  get peer(): DatagramAddress {
    return this.#peers.senderOf(this.#pool, this.#held());
  }

  get address(): string {
    return this.peer.address;
  }

  get port(): number {
    return portOf(this.#pool, this.#held());
  }

  get family(): 'IPv4' | 'IPv6' {
    return familyOf(this.#pool, this.#held());
  }

  get truncated(): boolean {
    return isTruncated(this.#pool, this.#held());
  }

  get tos(): number | undefined {
    return tosOf(this.#pool, this.#held());
  }

  get ttl(): number | undefined {
    return ttlOf(this.#pool, this.#held());
  }

  get localAddress(): string | undefined {
    return localAddressOf(this.#pool, this.#held());
  }

  get interfaceIndex(): number | undefined {
    return interfaceOf(this.#pool, this.#held());
  }

  reply(data: Uint8Array, options?: DatagramSendOptions): boolean {
    return this.#replies.sendReply(data, this.#held(), options);
  }

  #held(): number {
    if (this.slot === nowhere) this.#pool.requireHeld(nowhere);
    return this.slot;
  }
}
