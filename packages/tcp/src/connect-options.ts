/** Options of `connect` and their checks. */

import { isIP } from 'node:net';
import {
  invalidArgumentType,
  invalidArgumentValue,
  type LookupFunction,
  portOption,
  systemLookup,
  validateFunction,
  validateHost,
  validateInteger,
  validateObject,
  validateOneOf,
  validateSignal,
} from '@iocp/core/layer';
import { validatePath } from './address.js';
import {
  durationMsMax,
  type TcpConnectionOptions,
  type TcpConnectionSettings,
  tcpConnectionSettings,
} from './connection-options.js';
import { type LayerOptions, type LayerSettings, layerSettings } from './handshakes.js';

/** Where to connect and how. */
export interface ConnectOptions extends TcpConnectionOptions, LayerOptions {
  /** Address or name of the peer. Default `'localhost'`. */
  readonly host?: string | undefined;
  /** 1 to 65535. Required unless `path` is given. */
  readonly port?: number | undefined;
  /** Path of a Unix socket, at most 107 bytes; a leading NUL names the abstract space (Linux). Excludes `host` and `port`. */
  readonly path?: string | undefined;
  /** Uses only addresses of this family: 4 or 6. Default 0: both. */
  readonly family?: 0 | 4 | 6 | undefined;
  /** Finds the addresses of a name. Default `dns.lookup`. Not called for numeric addresses. */
  readonly lookup?: LookupFunction | undefined;
  /** Numeric address to connect from. Default: the system chooses. */
  readonly localAddress?: string | undefined;
  /** Port to connect from, 0 to 65535. Default 0: the system chooses. */
  readonly localPort?: number | undefined;
  /**
   * With several addresses: how long one attempt may stay unanswered before the next starts beside it, in milliseconds,
   * 10 to 5000 (RFC 8305 section 8). Default 250.
   */
  readonly attemptDelayMs?: number | undefined;
  /**
   * Time to connect, the lookup included but not the handshakes of `layers`, in milliseconds; then `ETIMEDOUT`. 0: no limit
   * but the system's. Default 30000.
   */
  readonly timeoutMs?: number | undefined;
  /** Cancels: everything is closed, then the promise rejects with `signal.reason`. No effect once connected. */
  readonly signal?: AbortSignal | undefined;
}

/** Checked options with the defaults filled in. */
export interface ConnectSettings {
  readonly connection: TcpConnectionSettings;
  readonly path: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly family: 0 | 4 | 6;
  readonly lookup: LookupFunction;
  readonly local: { readonly host: string; readonly port: number } | undefined;
  readonly attemptDelayMs: number;
  readonly timeoutMs: number;
  readonly layers: LayerSettings;
  readonly signal: AbortSignal | undefined;
}

/** Checks everything `connect` was given. */
export function connectSettings(options: ConnectOptions): ConnectSettings {
  validateObject(options, 'options');
  const { path, signal, attemptDelayMs = 250, timeoutMs = 30_000 } = options;
  validateInteger(attemptDelayMs, 'options.attemptDelayMs', 10, 5000);
  validateInteger(timeoutMs, 'options.timeoutMs', 0, durationMsMax);
  if (signal !== undefined) validateSignal(signal, 'options.signal');
  const target = path === undefined ? tcpTarget(options) : unixTarget(options, path);
  return {
    ...target,
    path,
    attemptDelayMs,
    timeoutMs,
    layers: layerSettings(options),
    signal,
    // Last: it may open the default port.
    connection: tcpConnectionSettings(options, path !== undefined),
  };
}

function tcpTarget(options: ConnectOptions) {
  const { host = 'localhost', family = 0, lookup = systemLookup } = options;
  validateHost(host, 'options.host');
  validateOneOf(family, 'options.family', [0, 4, 6] as const);
  if (family !== 0 && isIP(host) !== 0 && isIP(host) !== family) {
    throw invalidArgumentValue('options.family', family, `does not fit the address ${host}`);
  }
  validateFunction(lookup, 'options.lookup');
  const port = portOption(options.port, 'options.port', 1);
  const local = localEnd(options);
  // A socket that is bound to an address reaches only peers of the same family.
  return { host, port, lookup, local, family: local === undefined ? family : (isIP(local.host) as 4 | 6) };
}

function localEnd(options: ConnectOptions) {
  const { localAddress, localPort, family = 0 } = options;
  if (localAddress === undefined && localPort === undefined) return undefined;
  const port = portOption(localPort ?? 0, 'options.localPort', 0);
  if (localAddress === undefined) {
    const ipv6 = family === 6 || isIP(options.host ?? '') === 6;
    return { host: ipv6 ? '::' : '0.0.0.0', port };
  }
  if (typeof localAddress !== 'string')
    throw invalidArgumentType('options.localAddress', 'of type string', localAddress);
  const localFamily = isIP(localAddress);
  if (localFamily === 0) {
    throw invalidArgumentValue('options.localAddress', localAddress, 'must be a numeric IP address');
  }
  const remoteFamily = isIP(options.host ?? '') || family;
  if (remoteFamily !== 0 && remoteFamily !== localFamily) {
    throw invalidArgumentValue(
      'options.localAddress',
      localAddress,
      'must be of the same family as the peer',
    );
  }
  return { host: localAddress, port };
}

function unixTarget(options: ConnectOptions, path: string) {
  validatePath(path, 'options.path');
  for (const name of ['host', 'port', 'family', 'lookup', 'localAddress', 'localPort'] as const) {
    if (options[name] === undefined) continue;
    throw invalidArgumentValue(
      `options.${name}`,
      options[name],
      'cannot be given together with options.path',
    );
  }
  return { host: '', port: 0, family: 0 as const, lookup: systemLookup, local: undefined };
}
