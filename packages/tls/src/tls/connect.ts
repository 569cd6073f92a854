import dns, { type LookupAddress } from 'node:dns';
import type { LookupFunction as NetLookup } from 'node:net';
import { type Channel, type LookupFunction, portOption, validateFunction } from '@iocp/core/layer';
import { transportOf } from '../transport.js';
import { missingArguments } from './errors.js';
import { type ConnectionOptions, type NodeLookup, validateOptions } from './options.js';
import { keepAliveOption } from './tcp-options.js';
import { TLSSocket } from './tls-socket.js';

type Listener = () => void;

/**
 * As `tls.connect`: dials, or takes `options.socket`, and emits `'secureConnect'` when the server is who it should be.
 * @throws `ERR_MISSING_ARGS`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_SOCKET_BAD_PORT`, and as
 * `createSecureContext`
 */
export function connect(options: ConnectionOptions, callback?: Listener): TLSSocket;
export function connect(
  port: number,
  host?: string,
  options?: ConnectionOptions,
  callback?: Listener,
): TLSSocket;
export function connect(port: number, options?: ConnectionOptions, callback?: Listener): TLSSocket;
export function connect(path: string, options?: ConnectionOptions, callback?: Listener): TLSSocket;
export function connect(...args: unknown[]): TLSSocket {
  const callback = args[args.length - 1];
  const options = connectOptions(args);
  const { socket: stream, timeout, servername } = options;
  const target = stream ? undefined : targetOf(options);
  const host = options.host || hostOf(stream) || 'localhost';
  const { checkServerIdentity } = options;
  if (checkServerIdentity !== undefined) validateFunction(checkServerIdentity, 'options.checkServerIdentity');
  const socket = new TLSSocket(stream, { ...options, isServer: false }, { host, checkServerIdentity });
  if (servername) socket.setServername(servername);
  socket.once('secure', () => socket.emit('secureConnect'));
  if (typeof callback === 'function') socket.once('secureConnect', callback as Listener);
  if (target === undefined) return socket;
  if (timeout) socket.setTimeout(timeout);
  socket.dial((signal) => dial(socket, target, options, signal));
  return socket;
}

/** All forms as one: what is in the options wins over the arguments before them. */
function connectOptions(args: readonly unknown[]): ConnectionOptions {
  const [first, second, third] = args;
  const isTarget = typeof first === 'number' || typeof first === 'string';
  if (!isTarget) {
    if (first === undefined || first === null || typeof first === 'function') throw missingTarget();
    validateOptions(first);
    return first;
  }
  const isPath = typeof first === 'string' && Number.isNaN(Number(first));
  const target = isPath ? { path: first } : { port: first as number };
  const host = !isPath && typeof second === 'string' ? { host: second } : {};
  const given = [second, third].find((each) => typeof each === 'object' && each !== null) ?? {};
  validateOptions(given);
  return { ...target, ...host, ...given };
}

type Target = { readonly path: string } | { readonly host: string; readonly port: number };

function targetOf({ path, host, port }: ConnectionOptions): Target {
  if (path) return { path };
  if (port === undefined) throw missingTarget();
  return { host: host || 'localhost', port: portOption(port, 'options.port', 0) };
}

function missingTarget(): Error {
  return missingArguments('"options" or "port" or "path"');
}

/** As Node: the name that a `net.Socket` was connected to. */
function hostOf(stream: object | undefined): string | undefined {
  return (stream as { readonly _host?: string } | undefined)?._host;
}

async function dial(
  socket: TLSSocket,
  target: Target,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Channel> {
  const { tcp, completionPort, noDelay, localAddress, localPort, family } = options;
  const { connect } = await transportOf(tcp);
  const shared = { signal, completionPort, noDelay, keepAlive: keepAliveOption(options), timeoutMs: 0 };
  if ('path' in target) return (await connect({ ...shared, ...target })).channel;
  const connection = await connect({
    ...shared,
    ...target,
    localAddress,
    localPort,
    family: family === 4 || family === 6 ? family : 0,
    lookup: lookupOf(socket, options.lookup ?? dns.lookup),
  });
  return connection.channel;
}

/** Tells of what was found by `'lookup'`, as Node does. */
function lookupOf(socket: TLSSocket, lookup: NodeLookup): LookupFunction {
  return (host, options, callback) => {
    const found = (
      error: NodeJS.ErrnoException | null,
      answer: string | LookupAddress[],
      family = 0,
    ): void => {
      const addresses = typeof answer === 'string' ? [{ address: answer, family }] : answer;
      callback(error, addresses);
      if (error) socket.emit('lookup', error, undefined, undefined, host);
      else for (const each of addresses) socket.emit('lookup', null, each.address, each.family, host);
    };
    (lookup as NetLookup)(host, options, found);
  };
}
