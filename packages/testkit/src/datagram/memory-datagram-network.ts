/** Datagrams inside one process: bounded, lossy when nobody listens in time, lent bytes, and no system underneath. */

import { DatagramAddress, IoError } from '@iocp/core/layer';
import type { LeakSource, LeakStats } from '../leak-check.js';
import { LentMemory } from '../lent-memory.js';
import { nextTurn } from '../turns.js';
import {
  MemoryDatagramChannel,
  type MemoryDatagramChannelOptions,
  type MemoryDatagramOwner,
} from './memory-datagram-channel.js';
import type { Outgoing } from './memory-datagram-queue.js';

export interface MemoryDatagramNetworkOptions {
  /** Slots of one channel: its quota. When all are held, what arrives waits. Default 32. */
  readonly slotsPerChannel?: number;
  /** Datagrams that wait for a receiver at most; more are dropped and counted. Default 256. */
  readonly receivedDatagramsMax?: number;
  /** Bytes that wait for a receiver at most. Default 1 MiB. */
  readonly receivedBytesMax?: number;
}

export interface MemoryDatagramBindOptions extends MemoryDatagramChannelOptions {
  /** Numeric address; `0.0.0.0` and `::` stand for all. Default `127.0.0.1`, or `::1` for an IPv6 remote. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Whether a socket at `::` carries IPv6 alone. Default false. */
  readonly ipv6Only?: boolean;
  /** Size of one slot: what is longer arrives cut. Default 65536, enough for every datagram. */
  readonly slotBytes?: number;
}

/** An in-memory world of datagrams. Addresses look like those of UDP. */
export function memoryDatagramNetwork(options: MemoryDatagramNetworkOptions = {}): MemoryDatagramNetwork {
  return new MemoryDatagramNetwork(options);
}

/** Where dynamic ports begin. RFC 6335, section 6. */
const firstFreePort = 49_152;

export class MemoryDatagramNetwork implements LeakSource {
  readonly #options: MemoryDatagramNetworkOptions;
  readonly #owner: MemoryDatagramOwner;
  readonly #bound = new Set<MemoryDatagramChannel>();
  readonly #memories = new Set<LentMemory>();
  /** One object for each peer: a network in one process can remember all of them. */
  readonly #peers = new Map<string, DatagramAddress>();
  #nextPort = firstFreePort;

  constructor(options: MemoryDatagramNetworkOptions) {
    this.#options = options;
    this.#owner = {
      receivedDatagramsMax: options.receivedDatagramsMax ?? 256,
      receivedBytesMax: options.receivedBytesMax ?? 1024 * 1024,
      carry: (from, datagram) => this.#carry(from, datagram),
      closed: (channel) => void this.#bound.delete(channel),
    };
  }

  /** Open sockets, sends under way, and slots that are held: also those of closed sockets. */
  get stats(): LeakStats {
    let operationsInFlight = 0;
    for (const channel of this.#bound) if (channel.isSending) operationsInFlight++;
    let javascript = 0;
    for (const memory of this.#memories) javascript += memory.slotsHeld;
    return { operationsInFlight, handlesOpen: this.#bound.size, slots: { javascript } };
  }

  /** A socket for everybody's datagrams. Rejects with `EADDRINUSE`. */
  async bind(options: MemoryDatagramBindOptions = {}): Promise<MemoryDatagramChannel> {
    await nextTurn();
    return this.#open(options, null);
  }

  /** A socket for the datagrams of one peer, whether there is one or not. Rejects with `EADDRINUSE`. */
  async connect(
    remote: DatagramAddress,
    options: MemoryDatagramBindOptions = {},
  ): Promise<MemoryDatagramChannel> {
    await nextTurn();
    const host = remote.family === 'IPv4' ? '127.0.0.1' : '::1';
    return this.#open({ host, ...options }, remote);
  }

  /** An address that nobody is bound to. */
  unreachable(family: 'IPv4' | 'IPv6' = 'IPv4'): DatagramAddress {
    return DatagramAddress.of(family === 'IPv4' ? '127.0.0.1' : '::1', this.#nextPort++);
  }

  #open(options: MemoryDatagramBindOptions, remote: DatagramAddress | null): MemoryDatagramChannel {
    const { host = '127.0.0.1', port = 0, ipv6Only = false, slotBytes = 65_536 } = options;
    const wanted = DatagramAddress.of(host, port);
    const local = wanted.port === 0 ? DatagramAddress.of(host, this.#nextPort++) : wanted;
    const taken = [...this.#bound].some(({ addresses }) => overlaps(addresses.local, local));
    if (taken) throw systemError('EADDRINUSE', -98, 'bind', local, 'somebody is bound to it already');
    const memory: LentMemory = new LentMemory(slotBytes, this.#options.slotsPerChannel ?? 32, () => {
      if (memory.slotsHeld === 0 && !this.#bound.has(channel)) this.#memories.delete(memory);
      channel.slotFreed();
    });
    const dualStack = local.address === '::' && !ipv6Only;
    const channel = new MemoryDatagramChannel(this.#owner, memory, { local, remote, dualStack }, options);
    this.#bound.add(channel);
    this.#memories.add(memory);
    return channel;
  }

  #carry(sender: MemoryDatagramChannel, { kept, to, options }: Outgoing): IoError | null {
    const { addresses } = sender;
    if (kept.bytes.byteLength > sender.payloadBytesMax) {
      return systemError('EMSGSIZE', -90, 'send', to, `at most ${sender.payloadBytesMax} bytes fit`);
    }
    const target = unmapped(to);
    if (target.family !== addresses.local.family && !addresses.dualStack) {
      return systemError('EAFNOSUPPORT', -97, 'send', to, `the socket is one for ${addresses.local.family}`);
    }
    const source = sourceOf(sender, target, options?.source);
    if (source === null) {
      return systemError('EADDRNOTAVAIL', -99, 'send', to, 'the source is not an address of this socket');
    }
    const receiver = this.#receiverAt(target);
    const arrived = receiver?.arrive({
      bytes: Uint8Array.prototype.slice.call(kept.bytes),
      from: this.#peer(receiver.addresses.local.family === target.family ? source : mapped(source)),
      to: target,
      tos: options?.tos ?? 0,
      ttl: options?.ttl ?? 64,
    });
    if (arrived !== true && addresses.remote !== null) {
      sender.answer(systemError('ECONNREFUSED', -111, 'recv', to, 'nobody listens there'));
    }
    return null;
  }

  #receiverAt(target: DatagramAddress): MemoryDatagramChannel | undefined {
    for (const channel of this.#bound) if (isFor(channel, target)) return channel;
    return undefined;
  }

  #peer(address: DatagramAddress): DatagramAddress {
    const key = address.toString();
    const known = this.#peers.get(key) ?? address;
    this.#peers.set(key, known);
    return known;
  }
}

const isWildcard = ({ address }: DatagramAddress) => address === '0.0.0.0' || address === '::';

function overlaps(first: DatagramAddress, second: DatagramAddress): boolean {
  if (first.port !== second.port) return false;
  return first.equals(second) || isWildcard(first) || isWildcard(second);
}

function isFor({ addresses: { local, dualStack } }: MemoryDatagramChannel, target: DatagramAddress): boolean {
  if (local.port !== target.port) return false;
  return local.equals(target) || (isWildcard(local) && (dualStack || local.family === target.family));
}

/** The address that a datagram comes from, or null when the sender does not have the one it asked for. */
function sourceOf(
  { addresses: { local } }: MemoryDatagramChannel,
  target: DatagramAddress,
  wanted: DatagramAddress | undefined,
): DatagramAddress | null {
  const loopback = target.family === 'IPv4' ? '127.0.0.1' : '::1';
  const own = isWildcard(local) ? loopback : local.address;
  if (wanted !== undefined && unmapped(wanted).address !== own) return null;
  return DatagramAddress.of(own, local.port);
}

const mappedPrefix = '::ffff:';

/** An IPv4 address as an IPv6 socket sees it. RFC 4291, section 2.5.5.2. */
function mapped({ address, port }: DatagramAddress): DatagramAddress {
  return DatagramAddress.of(`${mappedPrefix}${address}`, port);
}

function unmapped(whole: DatagramAddress): DatagramAddress {
  const { address, port } = whole;
  if (!address.startsWith(mappedPrefix) || !address.includes('.')) return whole;
  return DatagramAddress.of(address.slice(mappedPrefix.length), port);
}

function systemError(
  code: string,
  errno: number,
  syscall: string,
  { address, port }: DatagramAddress,
  what: string,
): IoError {
  return new IoError(`${syscall} ${code} ${address}:${port}: ${what}`, {
    code,
    errno,
    syscall,
    address,
    port,
  });
}
