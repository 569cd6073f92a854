import { isIP } from 'node:net';
import { type IpEndpoint, ioError, type Socket as PortSocket, type SocketAddress } from '@iocp/core';
import { copyToArena, type DatagramBatch, type DatagramReceiver, type IoError } from '@iocp/core/layer';
import { TargetCache } from '../targets.js';
import type { UdpChannel } from '../udp-channel.js';
import { ConnectionChanges } from './connection-changes.js';
import { alreadyConnected, badDescriptor, bufferSizeError, invalid, renamed } from './errors.js';
import { withZone } from './groups.js';
import type { RemoteInfo } from './incoming-queue.js';
import type { SocketSettings } from './options.js';
import type { Outgoing } from './outgoing.js';

/** Who gets what happens to a bound socket. */
export interface BoundSocketOwner {
  /** The bytes are the owner's. */
  received(data: Buffer<ArrayBuffer>, sender: RemoteInfo): void;
  /** Receiving failed, or the network has answered to an earlier datagram. */
  failed(error: Error): void;
  /** Last. Null after `close`. */
  closed(error: Error | null): void;
}

const bufferCalls = { receiveBuffer: 'uv_recv_buffer_size', sendBuffer: 'uv_send_buffer_size' } as const;

/** What a socket has once it is bound: the channel, spoken to and answering as `node:dgram` does with its handle. */
export class BoundSocket implements DatagramReceiver {
  readonly #channel: UdpChannel;
  readonly #settings: SocketSettings;
  readonly #owner: BoundSocketOwner;
  readonly #changes: ConnectionChanges;
  readonly #targets = new TargetCache();

  /** Receives from now on. */
  constructor(channel: UdpChannel, settings: SocketSettings, owner: BoundSocketOwner) {
    this.#channel = channel;
    this.#settings = settings;
    this.#owner = owner;
    this.#changes = new ConnectionChanges(channel);
    channel.attach(this);
  }

  get queuedBytes(): number {
    return this.#channel.stats.queuedBytes;
  }

  get queued(): number {
    return this.#channel.stats.queued;
  }

  holdLoop(holds: boolean): void {
    if (holds) this.#channel.ref();
    else this.#channel.unref();
  }

  /** Sends what it was given before, then closes. */
  close(): void {
    this.#changes.inOrder(() => this.#channel.close());
  }

  /** Asks the socket of the system. Its failure bears the name of the call. */
  ask<Result>(syscall: string, question: (socket: PortSocket) => Result): Result {
    try {
      return question(this.#channel.socket);
    } catch (error) {
      throw renamed(error, syscall);
    }
  }

  /** Sets the size of a buffer unless it is 0. Returns the size it has. @throws `ERR_SOCKET_BUFFER_SIZE` */
  bufferSize(option: keyof typeof bufferCalls, bytes: number): number {
    const { socket } = this.#channel;
    try {
      if (bytes > 0) socket.setOption(option, bytes);
      return socket.getOption(option);
    } catch (error) {
      throw noBufferSize(option, error);
    }
  }

  /** Connects, or with null takes the connection back, after what was sent before. */
  connect(remote: IpEndpoint | null, done: (error: unknown) => void): void {
    this.#changes.change(remote, done);
  }

  /** Sends to `ip`, or with null to the peer. What is refused only a callback gets to know. */
  send({ data, port, address, callback }: Outgoing, ip: string | null): void {
    const bytes = data instanceof Uint8Array ? data.byteLength : totalOf(data);
    const settled = (error: Error | null) => {
      this.#changes.settled();
      if (callback === undefined) return;
      if (error === null) process.nextTick(callback, null, bytes);
      else process.nextTick(callback, renamed(error, 'send', address, ip === null ? undefined : port));
    };
    this.#changes.inOrder(() => {
      this.#changes.sending();
      try {
        const to = ip === null ? undefined : this.#targetOf(ip, port);
        this.#channel.send(data, to, { done: settled });
      } catch (error) {
        settled(error as Error);
      }
    });
  }

  onDatagrams(batch: DatagramBatch): void {
    const { receiveBlockList } = this.#settings;
    for (const datagram of batch) {
      const { address, family, port, data, peer } = datagram;
      if (receiveBlockList?.check(address, family === 'IPv4' ? 'ipv4' : 'ipv6') === true) continue;
      this.#owner.received(copyToArena(data) as Buffer<ArrayBuffer>, {
        address: withZone(address, peer.scopeId),
        family,
        port,
        size: data.byteLength,
      });
    }
  }

  onDrain(): void {}

  /** About receiving, or about earlier datagrams: of each datagram sent somebody is told. */
  onError(error: Error): void {
    this.#owner.failed(renamed(error, 'recvmsg'));
  }

  onClose(error: Error | null): void {
    this.#owner.closed(error);
  }

  #targetOf(ip: string, port: number) {
    if (isIP(ip) !== this.#settings.family) throw invalid('send');
    if (this.#channel.connected) throw ioError(alreadyConnected, 'send');
    return this.#targets.addressOf({ address: ip, port }, 'address');
  }
}

/** The error for the size of a buffer that the system does not tell or set. */
export function noBufferSize(option: keyof typeof bufferCalls, reason: unknown): Error {
  const syscall = bufferCalls[option];
  const error = renamed(reason, syscall);
  return typeof (error as IoError).errno === 'number' ? bufferSizeError(error as IoError, syscall) : error;
}

/** An address as `node:dgram` tells it. */
export function addressInfo(address: SocketAddress | null, syscall: string) {
  if (address === null || address.family === 'unix') throw ioError(badDescriptor, syscall);
  const { family, port, scopeId = 0 } = address;
  return { address: withZone(address.address, scopeId), family, port };
}

function totalOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0);
}
