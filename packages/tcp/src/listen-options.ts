/** Options of `listen` and their checks. */

import {
  invalidArgumentValue,
  portOption,
  validateBoolean,
  validateHost,
  validateInteger,
  validateObject,
  validateOneOf,
} from '@iocp/core/layer';
import { validatePath } from './address.js';
import {
  type TcpConnectionOptions,
  type TcpConnectionSettings,
  tcpConnectionSettings,
} from './connection-options.js';
import { type LayerOptions, type LayerSettings, layerSettings } from './handshakes.js';

/** What a listener does when it has `connectionsMax` connections. */
export type ConnectionsPolicy = 'pause' | 'drop';

/** Where to listen and how. */
export interface ListenOptions extends TcpConnectionOptions, LayerOptions {
  /**
   * Address to listen on; a name is resolved and its first address taken. Default `'::'`, which takes IPv4 as well
   * (dual stack), or `'0.0.0.0'` where the system has no IPv6.
   */
  readonly host?: string | undefined;
  /** 0 to 65535; 0 (the default) lets the system choose: `listener.address()` says which. */
  readonly port?: number | undefined;
  /**
   * Path of a Unix socket, at most 107 bytes; a leading NUL names the abstract space (Linux, unix(7)). Excludes `host` and
   * `port`. The file is removed when the listener closes; one left behind by a crash must be removed by hand.
   */
  readonly path?: string | undefined;
  /** Takes IPv6 only, no IPv4 through the same socket (`IPV6_V6ONLY`, ipv6(7)). Default false. */
  readonly ipv6Only?: boolean | undefined;
  /** Connections the system completes before we accept them: 1 to 65535, default 511. Linux caps it at `net.core.somaxconn`. */
  readonly backlog?: number | undefined;
  /** Several sockets may listen on one port and share its connections (`SO_REUSEPORT`, Linux). Default false. */
  readonly reusePort?: boolean | undefined;
  /** Most connections at once. Default Infinity: as many as there are descriptors. */
  readonly connectionsMax?: number | undefined;
  /**
   * At `connectionsMax`: `'pause'` (default) leaves new ones waiting in the system's backlog; `'drop'` accepts and resets
   * them, counts them in `stats.dropped` and calls the handler `drop`.
   */
  readonly connectionsPolicy?: ConnectionsPolicy | undefined;
  /** Connections that wait for `accept()` at most; beyond, they wait in the system's backlog. Default 128. */
  readonly acceptQueueMax?: number | undefined;
  /** Handshakes under way at most; beyond, connections wait in the system's backlog. Default 256. */
  readonly handshakesMax?: number | undefined;
}

/** Checked options with the defaults filled in. */
export interface ListenSettings {
  readonly connection: TcpConnectionSettings;
  readonly path: string | undefined;
  /** Undefined: every address, IPv6 and IPv4. */
  readonly host: string | undefined;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly connectionsMax: number;
  readonly connectionsPolicy: ConnectionsPolicy;
  readonly acceptQueueMax: number;
  readonly layers: LayerSettings;
  readonly handshakesMax: number;
}

/** Checks everything `listen` was given. */
export function listenSettings(options: ListenOptions): ListenSettings {
  validateObject(options, 'options');
  const { host, path, port = 0, ipv6Only = false, reusePort = false, backlog = 511 } = options;
  if (path !== undefined) {
    validatePath(path, 'options.path');
    if (host !== undefined)
      throw invalidArgumentValue('options.host', host, 'cannot be given together with options.path');
    if (options.port !== undefined) {
      throw invalidArgumentValue('options.port', port, 'cannot be given together with options.path');
    }
  }
  if (host !== undefined) validateHost(host, 'options.host');
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reusePort, 'options.reusePort');
  validateInteger(backlog, 'options.backlog', 1, 65535);
  return {
    ...capacitySettings(options),
    layers: layerSettings(options),
    path,
    host,
    port: portOption(port, 'options.port', 0),
    ipv6Only,
    backlog,
    reusePort,
    // Last: it may open the default port.
    connection: tcpConnectionSettings(options, path !== undefined),
  };
}

function capacitySettings(options: ListenOptions) {
  const {
    connectionsMax = Number.POSITIVE_INFINITY,
    connectionsPolicy = 'pause',
    acceptQueueMax = 128,
    handshakesMax = 256,
  } = options;
  if (connectionsMax !== Number.POSITIVE_INFINITY)
    validateInteger(connectionsMax, 'options.connectionsMax', 1);
  validateOneOf(connectionsPolicy, 'options.connectionsPolicy', ['pause', 'drop'] as const);
  validateInteger(acceptQueueMax, 'options.acceptQueueMax', 1, 65535);
  validateInteger(handshakesMax, 'options.handshakesMax', 1, 65535);
  return { connectionsMax, connectionsPolicy, acceptQueueMax, handshakesMax };
}
