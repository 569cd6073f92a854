import { type Datagram, type DatagramAddress, ownBytes } from '@iocp/core/layer';

/** A received datagram of the application's own: it may be kept. */
export class UdpMessage {
  readonly data: Uint8Array;
  /** The sender; the same object for the same peer as long as the socket remembers it. */
  readonly peer: DatagramAddress;
  /** It was longer than a slot of the completion port: `data` is its beginning. */
  readonly truncated: boolean;
  /** With `receiveInfo.tos`. */
  readonly tos: number | undefined;
  /** With `receiveInfo.ttl`. */
  readonly ttl: number | undefined;
  /** With `receiveInfo.destination`: the address it was sent to. */
  readonly localAddress: string | undefined;
  /** With `receiveInfo.destination`: index of the interface it came in through. */
  readonly interfaceIndex: number | undefined;

  /** Takes what it needs of a datagram that is only lent. */
  constructor(datagram: Datagram) {
    this.data = ownBytes(datagram.data);
    this.peer = datagram.peer;
    this.truncated = datagram.truncated;
    this.tos = datagram.tos;
    this.ttl = datagram.ttl;
    this.localAddress = datagram.localAddress;
    this.interfaceIndex = datagram.interfaceIndex;
  }

  get address(): string {
    return this.peer.address;
  }

  get port(): number {
    return this.peer.port;
  }

  get family(): 'IPv4' | 'IPv6' {
    return this.peer.family;
  }
}
