/** A socket that belongs to a port. */

import type { IoError } from '../layer/errors.js';
import type { NativePort } from './binding.js';
import type { CompletionPort } from './completion-port.js';
import { datagramError, type ErrorTarget, fromNativeError, portClosedError } from './io-error.js';
import { type MembershipChange, nativeMembership } from './membership.js';
import { requireNetworkPermission } from './permission.js';
import { type IpEndpoint, remoteEndpoint } from './socket-addresses.js';
import {
  nativeOptionValue,
  optionValue,
  type SocketOptionName,
  type SocketOptions,
  validateOptionName,
} from './socket-options.js';

/** One end of a connection, as the system knows it. */
export interface SocketAddress {
  readonly family: 'IPv4' | 'IPv6' | 'unix';
  /** Numeric address; for Unix sockets the path, `''` when it has none. */
  readonly address: string;
  /** 0 for Unix sockets. */
  readonly port: number;
  /** Interface index of a link-local IPv6 address. */
  readonly scopeId?: number;
}

/**
 * Names an open socket of a port. Made by `listen`, `open`, `openDatagram`, `associate` and `socket` of the port; closed by
 * CLOSE.
 */
export class Socket {
  readonly port: CompletionPort;
  readonly index: number;
  /** Tells the owners of an index apart: after CLOSE, this object names nothing. */
  readonly generation: number;

  /** For the port. */
  constructor(port: CompletionPort, index: number, generation: number) {
    this.port = port;
    this.index = index;
    this.generation = generation;
  }

  /** The local address, or null when there is none. @throws {IoError} EBADF when closed. */
  address(): SocketAddress | null {
    return this.#call((driver) => driver.address(this.index, this.generation, false));
  }

  /** The peer's address, or null when not connected. @throws {IoError} EBADF when closed. */
  peer(): SocketAddress | null {
    return this.#call((driver) => driver.address(this.index, this.generation, true));
  }

  /** The value of an option at present. @throws {IoError} with the system's error. */
  getOption<Name extends SocketOptionName>(name: Name): NonNullable<SocketOptions[Name]> {
    validateOptionName(name);
    const value = this.#call((driver) => driver.getOption(this.index, this.generation, name));
    return optionValue(name, value) as NonNullable<SocketOptions[Name]>;
  }

  /** Sets an option. @throws {IoError} with the system's error. */
  setOption<Name extends SocketOptionName>(name: Name, value: NonNullable<SocketOptions[Name]>): void {
    validateOptionName(name);
    const native = nativeOptionValue(name, value, 'value');
    this.#call((driver) => driver.setOption(this.index, this.generation, name, native));
  }

  /**
   * Facts of the system about a TCP connection: round trip time, retransmissions, … Units end the names. `TCP_INFO` on Linux,
   * `SIO_TCP_INFO` on Windows 10 1703 and newer; `EOPNOTSUPP` elsewhere and on Unix sockets.
   */
  tcpInfo(): Readonly<Record<string, number>> {
    return this.#call((driver) => driver.tcpInfo(this.index, this.generation));
  }

  /** The descriptor, for diagnostics; it stays the port's. -1 when there is none. */
  get fd(): number {
    return this.#call((driver) => driver.descriptor(this.index, this.generation));
  }

  /**
   * Connects a datagram socket, also one that is connected: only this peer's datagrams are received from now on, and what
   * the network answers (ICMP) ends RECV_FROM with its error. Null takes the connection back.
   * Rejects with an `IoError` with the system's error: EAFNOSUPPORT, ENETUNREACH, EINVAL for a stream socket, …
   */
  async connectTo(remote: IpEndpoint | null): Promise<void> {
    const target = remote === null ? null : remoteEndpoint(remote, 'remote');
    const driver = this.port.requireDriver();
    if (target !== null) requireNetworkPermission(target.host);
    try {
      await driver.connectDatagram(this.index, this.generation, target);
    } catch (error) {
      if (this.port.closed) throw portClosedError();
      throw fromNativeError(error, target === null ? {} : { address: target.host, port: target.port });
    }
  }

  /**
   * Joins or leaves a multicast group.
   * @throws {IoError} with the system's error: EADDRINUSE for a second time, EADDRNOTAVAIL for a group that was not joined,
   * ENODEV for an interface that is not there, EINVAL for an address that is not of a group, …
   */
  changeMembership(membership: MembershipChange): void {
    const native = nativeMembership(membership);
    this.#call((driver) => driver.changeMembership(this.index, this.generation, native), {
      address: native.group,
    });
  }

  /**
   * What the network answered (ICMP) to a datagram that was sent before: the oldest answer that was not taken yet, or
   * null. `address` and `port` say where that datagram went; the message names who answered. Needs the option
   * `receiveErrors` (Linux); without it always null.
   */
  takeDatagramError(): IoError | null {
    const error = this.#call((driver) => driver.takeDatagramError(this.index, this.generation));
    return error === null ? null : datagramError(error);
  }

  /** Datagrams that the system has dropped because the receive buffer was full; undefined where it does not say. */
  droppedDatagrams(): number | undefined {
    const count = this.#call((driver) => driver.droppedDatagrams(this.index, this.generation));
    return count < 0 ? undefined : count;
  }

  #call<Result>(method: (driver: NativePort) => Result, target: ErrorTarget = {}): Result {
    const driver = this.port.requireDriver();
    try {
      return method(driver);
    } catch (error) {
      throw fromNativeError(error, target);
    }
  }
}
