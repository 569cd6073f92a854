import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction as NodeLookup } from 'node:net';
import type { Duplex } from 'node:stream';
import { ChannelDuplex, type LookupFunction } from '@iocp/core/layer';
import { type ConnectOptions, connect, type TcpConnection } from '@iocp/tcp';
import type { ConnectionOptions } from '@iocp/tls/tls';
import { installedTls } from '../tls-layer.js';
import { gatherWrites } from './gather-writes.js';

/** What `http.request` hands to the function that connects. */
export interface DialOptions {
  readonly host: string;
  readonly port: number | string;
  /** Of a Unix socket, in the place of host and port. */
  readonly socketPath?: string | undefined;
  readonly servername?: string | undefined;
  readonly family?: number | undefined;
  readonly lookup?: NodeLookup | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Milliseconds of silence until `'timeout'`. */
  readonly timeout?: number | undefined;
  readonly completionPort?: ConnectOptions['completionPort'];
}

type TlsModule = typeof import('@iocp/tls/tls');
type Done = (error: Error | null, stream?: Duplex) => void;

/** Connects by TCP or to a Unix socket. The stream is there at once; what is written to it waits for the connection. */
export function dialTcp(options: DialOptions): Duplex {
  const stream = new ChannelDuplex();
  const cut = new AbortController();
  stream.once('close', () => cut.abort());
  if (options.timeout) stream.setTimeout(options.timeout);
  gatherWrites(stream);
  const opened = (connection: TcpConnection): void => {
    if (stream.destroyed) connection.abort();
    else connection.flowThrough(stream);
  };
  connect(tcpOptions(options, cut.signal)).then(
    // Events of the stream are none of the promise's business.
    (connection) => process.nextTick(opened, connection),
    (error: Error) => process.nextTick(() => stream.destroy(error)),
  );
  return stream;
}

/** Connects by TLS; `done` gets `ERR_WS_NO_TLS` when `@iocp/tls` is not installed. */
export function dialTls(options: DialOptions, done: Done): void {
  installedTls(import('@iocp/tls/tls')).then(
    ({ connect: connectTls }) => process.nextTick(() => done(...secured(connectTls, options))),
    (error: Error) => process.nextTick(done, error),
  );
}

function secured(connectTls: TlsModule['connect'], options: DialOptions): Parameters<Done> {
  try {
    const { host, servername = isIP(host) === 0 ? host : '' } = options;
    // The path is that of the request.
    const stream = connectTls({ ...options, servername, path: undefined } as ConnectionOptions);
    gatherWrites(stream);
    return [null, stream];
  } catch (error) {
    return [error as Error];
  }
}

function tcpOptions(options: DialOptions, signal: AbortSignal): ConnectOptions {
  const { completionPort, socketPath, host, port, family, lookup, localAddress, localPort } = options;
  // Only the system's limit, as with net.connect; that of the handshake is the stream's.
  const shared = { completionPort, signal, timeoutMs: 0 };
  if (socketPath) return { ...shared, path: socketPath };
  return {
    ...shared,
    host,
    port: Number(port),
    family: family === 4 || family === 6 ? family : 0,
    localAddress,
    localPort,
    lookup: lookup && lookupOfAll(lookup),
  };
}

/** Functions made for `net` may answer with one address. */
function lookupOfAll(lookup: NodeLookup): LookupFunction {
  return (host, options, callback) =>
    lookup(host, options, (error, answer: string | LookupAddress[], family = 0) =>
      callback(error, typeof answer === 'string' ? [{ address: answer, family }] : answer),
    );
}
