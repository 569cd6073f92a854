/** A datagram socket. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type {
  HandleRef,
  NativeAddress,
  NativeDatagramOptions,
  NativeMembership,
} from '../../port/binding.js';
import { CompleteFlag, Limit, Operation, OutgoingWord } from '../../protocol.gen.js';
import { ipAddress } from './addresses.js';
import { type DatagramFamily, hostFor, membershipFor, requireHost } from './datagram-addresses.js';
import { DatagramHeader } from './datagram-header.js';
import { DatagramInbox } from './datagram-inbox.js';
import { DatagramOptions, requireDatagramOptions } from './datagram-options.js';
import { asNativeError, Failed, nativeError, resultOf } from './errors.js';
import { Handle, type HandleHost } from './handle.js';
import { destinationOf, familyOf, hasControls, type OutgoingDatagram } from './outgoing-datagram.js';
import type { Pending } from './pending.js';
import { requireReusePort, withoutReusePort } from './reuse-port.js';
import type { SlotFiller } from './slot-stock.js';

/** How often another port is tried when somebody else has taken the one that the system chose. */
const portAttempts = 16;

type Endpoint = NativeDatagramOptions['local'];

/** A SEND_TO under way. */
interface Sending {
  readonly pending: Pending;
  taken: number;
  /** Datagrams of which nothing is known yet. */
  left: number;
}

/**
 * Differs from the native drivers where `node:dgram` does:
 *  - it receives whether it is asked to or not: what finds no RECV_FROM or no slot waits in an inbox as large as the
 *    receive buffer, 212992 bytes by default, and what finds no room there is dropped and counted. What the kernel drops
 *    is not known;
 *  - neither where a datagram was sent to, nor its type of service or time to live are known, and none of this can be
 *    asked for a single datagram: EOPNOTSUPP, as for those that the system is to cut;
 *  - a datagram with an address on a connected socket fails with EISCONN;
 *  - a SEND_TO that is cancelled goes on to its end: nothing can be taken back from libuv. CLOSE does not wait for that.
 */
export class DatagramSocket extends Handle implements SlotFiller {
  fills = 0;
  turn = 0;
  readonly #socket: Socket;
  readonly #family: DatagramFamily;
  readonly #options: DatagramOptions;
  readonly #reusePort: boolean;
  readonly #inbox = new DatagramInbox();
  readonly #header = new DatagramHeader();
  #receiving: Pending | null = null;
  #sending: Sending | null = null;
  /** What the next RECV_FROM ends with, as the system keeps an answer of the network until somebody asks; 0 for none. */
  #failure = 0;
  #connection: 'none' | 'changing' | 'made' = 'none';

  private constructor(host: HandleHost, socket: Socket, options: NativeDatagramOptions) {
    super(host);
    this.#socket = socket;
    this.#family = options.family;
    this.#options = new DatagramOptions(socket, options.family);
    this.#reusePort = wantsReusePort(options);
    socket.on('message', (payload, sender) => this.#onMessage(payload, sender));
    socket.on('error', (error) => this.#onError(error));
  }

  /**
   * Binds, sets the options, and connects when there is a remote address. Rejects with the error of the system, with
   * ENOPROTOOPT for what `node:dgram` cannot set, and with ECANCELED when `stopped()` says so before it is done.
   */
  static async opened(
    host: HandleHost,
    options: NativeDatagramOptions,
    stopped: () => boolean,
  ): Promise<HandleRef> {
    const values = withoutReusePort(options.options);
    requireDatagramOptions(values);
    if (wantsReusePort(options)) requireReusePort();
    const socket = await boundSocket(options);
    try {
      const handle = new DatagramSocket(host, socket, options);
      for (const [name, value] of Object.entries(values)) handle.setOption(name, value);
      if (options.remote !== undefined) await handle.connectTo(options.remote);
      if (stopped()) throw nativeError('ECANCELED', 'bind');
      return host.adopt(handle);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Datagrams that found no room in the inbox. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  address(peer: boolean): NativeAddress | null {
    if (peer && this.#connection !== 'made') return null;
    try {
      const { address, port } = peer ? this.#socket.remoteAddress() : this.#socket.address();
      return ipAddress(address, port);
    } catch (error) {
      throw asNativeError(error, peer ? 'getpeername' : 'getsockname');
    }
  }

  getOption(name: string): number | string {
    return name === 'reusePort' ? Number(this.#reusePort) : this.#options.get(name);
  }

  setOption(name: string, value: number | string): void {
    this.#options.set(name, value);
    if (name === 'receiveBuffer') this.#inbox.bytesMax = Number(this.#options.get(name));
  }

  /** Connects, anew when it is connected; null takes the connection back. When it fails there is none. @throws EALREADY */
  async connectTo(remote: Endpoint | null): Promise<void> {
    if (this.#connection === 'changing') throw nativeError('EALREADY', 'connect');
    const host = remote === null ? '' : requireHost(remote, this.#family, 'connect');
    const socket = this.#socket;
    const connected = this.#connection === 'made';
    this.#connection = 'changing';
    let made = false;
    try {
      if (connected) socket.disconnect();
      if (remote !== null) await connect(socket, remote.port, host);
      made = remote !== null;
    } catch (error) {
      throw asNativeError(error, 'connect');
    } finally {
      this.#connection = made ? 'made' : 'none';
    }
  }

  /** @throws EAFNOSUPPORT, ENODEV, or the error of the system */
  changeMembership(membership: NativeMembership): void {
    const { group, source, interface: through } = membershipFor(membership, this.#family);
    const socket = this.#socket;
    const joins = membership.action === 'join';
    try {
      if (source === undefined && joins) socket.addMembership(group, through);
      else if (source === undefined) socket.dropMembership(group, through);
      else if (joins) socket.addSourceSpecificMembership(source, group, through);
      else socket.dropSourceSpecificMembership(source, group, through);
    } catch (error) {
      throw asNativeError(error, 'setsockopt');
    }
  }

  slotsAvailable(): void {
    this.#deliver();
  }

  override startClose(pending: Pending, abortive: boolean): void {
    this.closing = pending;
    // What the system has taken is told in this tick, by callbacks that are queued before this one.
    if (this.#sending === null) super.startClose(pending, abortive);
    else process.nextTick(() => super.startClose(pending, abortive));
  }

  protected override recvFrom(pending: Pending): void {
    this.#receiving = pending;
    if (this.#failure === 0) this.#deliver();
    else this.#endReceive(this.#takeFailure());
  }

  protected override sendTo(pending: Pending, datagrams: readonly OutgoingDatagram[]): void {
    const sending: Sending = { pending, taken: 0, left: datagrams.length };
    this.#sending = sending;
    for (const [number, datagram] of datagrams.entries()) {
      const refusal = this.#send(datagram, (error) => {
        this.#onSent(sending, number, error ? resultOf(error) : 0);
      });
      if (refusal !== 0) this.#onSent(sending, number, refusal);
    }
  }

  protected override stop(pending: Pending): void {
    if (pending.operation === Operation.RECV_FROM) this.#endReceive(Failed.CANCELED);
  }

  protected override canceledResult({ operation }: Pending): number {
    return operation === Operation.SEND_TO ? this.#sending?.taken || Failed.CANCELED : Failed.CANCELED;
  }

  protected override close(): void {
    this.#sending = null;
    this.#inbox.clear();
    this.#socket.close();
    this.closed();
  }

  /** Returns 0 when `node:dgram` has it and will call `done`, or the error. */
  #send(datagram: OutgoingDatagram, done: (error: Error | null) => void): number {
    const family = familyOf(datagram);
    if (family !== 0 && family !== 4 && family !== 6) return Failed.INVALID;
    const host = family === 0 ? null : hostFor(destinationOf(datagram), this.#family);
    if (family !== 0 && host === null) return Failed.WRONG_FAMILY;
    if (hasControls(datagram)) return Failed.NOT_SUPPORTED;
    if (host === null && this.#connection !== 'made') return Failed.NO_DESTINATION;
    try {
      if (host === null) this.#socket.send(datagram.payload, done);
      else this.#socket.send(datagram.payload, datagram.words[OutgoingWord.PORT], host, done);
      return 0;
    } catch (error) {
      return resultOf(error);
    }
  }

  #onSent(sending: Sending, number: number, result: number): void {
    // It was given up when the socket closed.
    if (this.#sending !== sending) return;
    if (result < 0) this.host.more(sending.pending, result, 0, number);
    else sending.taken++;
    sending.left--;
    if (sending.left > 0) return;
    this.#sending = null;
    this.settle(sending.pending, sending.taken);
  }

  #onMessage(payload: Uint8Array, sender: RemoteInfo): void {
    this.#inbox.push({ payload, sender });
    this.#deliver();
  }

  #onError(error: Error): void {
    this.#failure = resultOf(error);
    if (this.#receiving !== null) this.#endReceive(this.#takeFailure());
  }

  #takeFailure(): number {
    const failure = this.#failure;
    this.#failure = 0;
    return failure;
  }

  #deliver(): void {
    const { slots } = this.host;
    const room = slots.slotBytes - Limit.DATAGRAM_OFFSET;
    for (let first = this.#inbox.first; first !== undefined; first = this.#inbox.first) {
      if (this.#receiving === null) return;
      const { payload, sender } = first;
      this.#header.write(sender, payload.length > room);
      const slot = slots.fill(payload, this, this.#header.bytes);
      if (slot < 0) return;
      this.#inbox.removeFirst();
      this.host.more(this.#receiving, Math.min(payload.length, room), CompleteFlag.SLOT, slot);
    }
  }

  /** What has arrived waits for the next one. */
  #endReceive(result: number): void {
    const receiving = this.#receiving;
    this.#receiving = null;
    this.host.slots.forget(this);
    if (receiving !== null) this.settle(receiving, result);
  }
}

function wantsReusePort({ reusePort, options }: NativeDatagramOptions): boolean {
  return reusePort || options.reusePort === 1;
}

/** Linux lets go of a port that it chose itself when a connection is taken back, so it is asked for by its number. */
async function boundSocket(options: NativeDatagramOptions): Promise<Socket> {
  if (options.local.port !== 0 || process.platform !== 'linux') return bind(options, options.local.port);
  for (let attempt = 1; ; attempt++) {
    const scout = await bind(options, 0);
    const { port } = scout.address();
    const closed = once(scout, 'close');
    scout.close();
    // Deno has closed it only then.
    await closed;
    try {
      return await bind(options, port);
    } catch (error) {
      if (resultOf((error as Error).cause) !== Failed.ADDRESS_IN_USE || attempt === portAttempts) throw error;
    }
  }
}

async function bind(options: NativeDatagramOptions, port: number): Promise<Socket> {
  const { family, reuseAddress } = options;
  const address = requireHost(options.local, family, 'bind');
  const socket = createSocket({
    type: family === 'ipv6' ? 'udp6' : 'udp4',
    reuseAddr: reuseAddress,
    ipv6Only: family === 'ipv6' && options.ipv6Only,
    // Addresses are numbers: nothing is looked up.
    lookup: (host, _options, callback) => callback(null, host, family === 'ipv6' ? 6 : 4),
    ...(wantsReusePort(options) && { reusePort: true }),
  });
  try {
    socket.unref();
    const listening = once(socket, 'listening');
    // Not the socket of the primary process of a cluster: the native drivers do not know it either.
    socket.bind({ port, address, exclusive: true });
    await listening;
    return socket;
  } catch (error) {
    socket.close();
    throw asNativeError(error, 'bind');
  }
}

function connect(socket: Socket, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, host, (error?: Error) => (error ? reject(error) : resolve()));
  });
}
