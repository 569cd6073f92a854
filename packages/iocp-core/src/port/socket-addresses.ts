/** Where sockets listen and connect: checked options on their way to native code. */

import { isIP } from 'node:net';
import {
  invalidArgumentValue,
  validateBoolean,
  validateInteger,
  validateObject,
  validatePort,
  validateString,
} from '../layer/validate.js';
import type { NativeDatagramOptions, NativeListenOptions, NativeOpenOptions } from './binding.js';
import { nativeSocketOptions, type SocketOptions } from './socket-options.js';

/** An IP address and port. Names are not resolved here. */
export interface IpEndpoint {
  /** Numeric address, IPv6 possibly with `%zone`. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** A Unix socket. */
export interface UnixEndpoint {
  /** A path, or with a leading NUL a name in Linux's abstract space. */
  readonly path: string;
}

/** What a listening socket is made of: an IP address and port, or a path. */
export interface SocketListenOptions {
  /** Numeric address. Default `'::'`, or `'0.0.0.0'` where there is no IPv6. */
  readonly host?: string | undefined;
  /** Default 0: the system chooses. */
  readonly port?: number | undefined;
  /** Path of a Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** Connections that may wait to be accepted; the system has a limit of its own. Default 511. */
  readonly backlog?: number | undefined;
  /** `IPV6_V6ONLY`: `'::'` takes no IPv4 connections. Default false. */
  readonly ipv6Only?: boolean | undefined;
  /** `SO_REUSEPORT`: several sockets listen at the address. Default false; `EOPNOTSUPP` on Windows. */
  readonly reusePort?: boolean | undefined;
  /**
   * `SO_REUSEADDR`: a port whose last connections linger can be used again at once. Default true. Without effect on Windows,
   * where listening sockets have their address exclusively (`SO_EXCLUSIVEADDRUSE`).
   */
  readonly reuseAddress?: boolean | undefined;
  /** Set before `bind`; most are inherited by accepted sockets. */
  readonly options?: SocketOptions | undefined;
}

/** What a socket that will connect is made of. */
export interface SocketOpenOptions {
  /** Where CONNECT goes. */
  readonly remote: IpEndpoint | UnixEndpoint;
  /** Address to connect from; port 0 lets the system choose. Not for Unix sockets. */
  readonly local?: IpEndpoint | undefined;
  /** Set before connecting. */
  readonly options?: SocketOptions | undefined;
}

/** What a datagram socket is made of. */
export interface DatagramSocketOptions {
  /**
   * Address to receive at, and to send from. Default host `'::'`, which has IPv4 too unless `ipv6Only`, and `'0.0.0.0'` where
   * there is no IPv6; with a `remote`, any address of its family. Default port 0: the system chooses.
   */
  readonly local?: { readonly host?: string | undefined; readonly port?: number | undefined } | undefined;
  /** The only peer: nothing else is received, and datagrams are sent to it without an address. */
  readonly remote?: IpEndpoint | undefined;
  /** `IPV6_V6ONLY`: `'::'` takes no IPv4. Default false. */
  readonly ipv6Only?: boolean | undefined;
  /** `SO_REUSEADDR`: others with the same option may be bound to the same address and port; for multicast. Default false. */
  readonly reuseAddress?: boolean | undefined;
  /** `SO_REUSEPORT`: the system spreads the senders over all sockets bound so. Default false; `EOPNOTSUPP` on Windows. */
  readonly reusePort?: boolean | undefined;
  /** Set before `bind`. */
  readonly options?: SocketOptions | undefined;
}

const backlogDefault = 511;

export function nativeListenOptions(options: SocketListenOptions): NativeListenOptions {
  validateObject(options, 'options');
  const { backlog = backlogDefault, ipv6Only = false, reusePort = false, reuseAddress = true } = options;
  validateInteger(backlog, 'options.backlog', 1, 0x7fffffff);
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reusePort, 'options.reusePort');
  validateBoolean(reuseAddress, 'options.reuseAddress');
  const shared = {
    backlog,
    ipv6Only,
    reusePort,
    reuseAddress,
    options: nativeSocketOptions(options.options, 'options.options'),
  };
  if (options.path !== undefined) {
    if (options.host !== undefined || options.port !== undefined) {
      throw invalidArgumentValue('options.path', options.path, 'cannot be combined with host and port');
    }
    return { ...shared, path: checkedPath(options.path, 'options.path') };
  }
  const { host = '::', port = 0 } = options;
  return { ...shared, ...checkedEndpoint({ host, port }, 'options') };
}

export function nativeOpenOptions(options: SocketOpenOptions): NativeOpenOptions {
  validateObject(options, 'options');
  validateObject(options.remote, 'options.remote');
  const socketOptions = nativeSocketOptions(options.options, 'options.options');
  if ('path' in options.remote) {
    if (options.local !== undefined) {
      throw invalidArgumentValue('options.local', options.local, 'cannot be combined with a path');
    }
    const path = checkedPath(options.remote.path, 'options.remote.path');
    return { family: 'unix', remote: { path }, options: socketOptions };
  }
  const remote = checkedEndpoint(options.remote, 'options.remote');
  const family = isIP(remote.host) === 6 ? 'ipv6' : 'ipv4';
  if (options.local === undefined) return { family, remote, options: socketOptions };
  validateObject(options.local, 'options.local');
  const local = checkedEndpoint(options.local, 'options.local');
  requireSameFamily(local, remote);
  return { family, remote, local, options: socketOptions };
}

export function nativeDatagramOptions(options: DatagramSocketOptions): NativeDatagramOptions {
  validateObject(options, 'options');
  const { ipv6Only = false, reuseAddress = false, reusePort = false } = options;
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reuseAddress, 'options.reuseAddress');
  validateBoolean(reusePort, 'options.reusePort');
  const remote = options.remote === undefined ? undefined : remoteEndpoint(options.remote, 'options.remote');
  const local = localEndpoint(options.local, remote);
  return {
    family: isIP(local.host) === 6 ? 'ipv6' : 'ipv4',
    local,
    ...(remote === undefined ? {} : { remote }),
    ipv6Only,
    reuseAddress,
    reusePort,
    options: nativeSocketOptions(options.options, 'options.options'),
  };
}

/** An endpoint to send to: its port is not 0. */
export function remoteEndpoint(remote: IpEndpoint, label: string): IpEndpoint {
  validateObject(remote, label);
  const { host, port } = checkedEndpoint(remote, label);
  return { host, port: validatePort(port, `${label}.port`, 1) };
}

function localEndpoint(
  local: DatagramSocketOptions['local'] = {},
  remote: IpEndpoint | undefined,
): IpEndpoint {
  validateObject(local, 'options.local');
  const anyHost = remote !== undefined && isIP(remote.host) === 4 ? '0.0.0.0' : '::';
  const { host = anyHost, port = 0 } = local;
  const checked = checkedEndpoint({ host, port }, 'options.local');
  if (remote !== undefined) requireSameFamily(checked, remote);
  return checked;
}

function requireSameFamily(local: IpEndpoint, remote: IpEndpoint): void {
  if (isIP(local.host) === isIP(remote.host)) return;
  throw invalidArgumentValue(
    'options.local.host',
    local.host,
    'must be of the same family as the remote host',
  );
}

function checkedEndpoint({ host, port }: IpEndpoint, label: string): IpEndpoint {
  validateString(host, `${label}.host`);
  if (isIP(host) === 0) {
    throw invalidArgumentValue(`${label}.host`, host, 'must be a numeric IPv4 or IPv6 address');
  }
  return { host, port: validatePort(port, `${label}.port`) };
}

function checkedPath(path: unknown, label: string): string {
  validateString(path, label);
  if (path === '' || path.includes('\0', 1)) {
    throw invalidArgumentValue(label, path, 'must not be empty or have a NUL after its first character');
  }
  return path;
}
