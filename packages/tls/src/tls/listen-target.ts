import { invalidArgumentType, invalidArgumentValue, portOption } from '@iocp/core/layer';

/** As `net.ListenOptions`. */
export interface ListenOptions {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly path?: string | undefined;
  readonly backlog?: number | undefined;
  readonly ipv6Only?: boolean | undefined;
  readonly reusePort?: boolean | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
  /** Without effect: ports are never shared between the processes of a cluster. */
  readonly exclusive?: boolean | undefined;
}

/** Where to listen, as `@iocp/tcp` takes it. */
export interface ListenTarget {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly path?: string | undefined;
  readonly backlog?: number | undefined;
  readonly ipv6Only?: boolean | undefined;
  readonly reusePort?: boolean | undefined;
}

/**
 * Reads the arguments of `listen`, in any of the forms that `net.Server` has but those of handles and descriptors.
 * @throws `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_BAD_PORT`
 */
export function listenTarget(args: readonly unknown[]): ListenTarget {
  const [first, second, third] = args;
  if (typeof first === 'object' && first !== null) return targetOf(first);
  const backlog = [second, third].map(Number).find((each) => each > 0);
  if (typeof first === 'string' && Number.isNaN(Number(first))) return { path: first, backlog };
  const host = typeof second === 'string' && second !== '' ? second : undefined;
  return { port: portOf(first), host, backlog };
}

function targetOf(options: ListenOptions): ListenTarget {
  const { port, path, host, backlog, ipv6Only = false, reusePort = false } = options;
  const shared = { backlog: backlog || undefined };
  if ('fd' in options || '_handle' in options || 'listen' in options) {
    throw invalidArgumentValue('options', options, 'cannot be taken over: give a port or a path');
  }
  if (path) {
    if (typeof path !== 'string') throw invalidArgumentType('options.path', 'of type string', path);
    return { path, ...shared };
  }
  if (!('port' in options)) {
    throw invalidArgumentValue('options', options, 'must have the property "port" or "path"');
  }
  return { port: portOf(port), host: host || undefined, ipv6Only, reusePort, ...shared };
}

function portOf(port: unknown): number {
  const isMissing = port === undefined || port === null || typeof port === 'function';
  return isMissing ? 0 : portOption(port, 'options.port', 0);
}
