/** Hosts and ports as people give them, and how a name becomes addresses. */

import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { IoError } from './errors.js';
import { onAbort } from './signal.js';
import { invalidArgumentType, invalidArgumentValue, validatePort, validateString } from './validate.js';

/** Finds the addresses of a name, called as `dns.lookup` is, always for all addresses in the resolver's order. */
export type LookupFunction = (
  hostname: string,
  options: { readonly all: true; readonly verbatim: true; readonly family: 0 | 4 | 6 },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** `dns.lookup`. */
export const systemLookup = dnsLookup as LookupFunction;

/** What is to be resolved, and how. */
export interface LookupRequest {
  readonly host: string;
  /** For errors. */
  readonly port: number;
  /** Only addresses of this family; 0: both. */
  readonly family: 0 | 4 | 6;
  readonly lookup: LookupFunction;
  readonly signal?: AbortSignal | undefined;
}

/** A numeric address. */
export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` unless `host` can be a name or address. */
export function validateHost(host: unknown, name: string): asserts host is string {
  validateString(host, name);
  if (host === '' || /[\s\0/]/.test(host))
    throw invalidArgumentValue(name, host, 'must be a host name or IP address');
}

/**
 * The number of a port given as an option: a whole number, or a string of one, from `min` to 65535.
 * Throws `ERR_INVALID_ARG_TYPE` or `ERR_SOCKET_BAD_PORT`.
 */
export function portOption(port: unknown, name: string, min: 0 | 1): number {
  if (typeof port !== 'number' && typeof port !== 'string')
    throw invalidArgumentType(name, 'of type number', port);
  return validatePort(port, name, min);
}

/**
 * The addresses of a host, at least one, in the resolver's order; a numeric one is its own.
 * Rejects with an `IoError`: ENOTFOUND, EAI_AGAIN, …; `ERR_INVALID_IP_ADDRESS` when the lookup function, which may be the
 * user's, gives something else; and with the signal's reason.
 */
export async function resolveHost(request: LookupRequest): Promise<HostAddress[]> {
  const { host, port, family, lookup, signal } = request;
  signal?.throwIfAborted();
  const numeric = isIP(host);
  if (numeric !== 0) return [{ address: host, family: numeric as 4 | 6 }];
  const answer = await new Promise<LookupAddress[]>((resolve, reject) => {
    // The resolver cannot be stopped: when the signal fires, its answer is not waited for.
    const stopListening = onAbort(signal, () => reject(signal?.reason));
    lookup(host, { all: true, verbatim: true, family }, (error, addresses) => {
      stopListening();
      if (error) reject(lookupError(error, host, port));
      else resolve(addresses);
    });
  });
  const found = (Array.isArray(answer) ? answer : []).map((entry) => usable(entry?.address, host, port));
  const wanted = found.filter((entry) => family === 0 || entry.family === family);
  if (wanted.length > 0) return wanted;
  throw lookupError(Object.assign(new Error('No addresses'), { code: 'ENOTFOUND' }), host, port);
}

function usable(address: unknown, host: string, port: number): HostAddress {
  const family = typeof address === 'string' ? isIP(address) : 0;
  if (family !== 0) return { address: address as string, family: family as 4 | 6 };
  const message = `The lookup function gave something for ${host} that is no IP address: ${String(address)}`;
  const code = 'ERR_INVALID_IP_ADDRESS';
  throw new IoError(message, { code, syscall: 'getaddrinfo', address: host, port });
}

const lookupAdvice: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no address is known for that name',
  EAI_AGAIN: 'the name server did not answer: check the network, or try again',
};

/** What the resolver said, with our properties. */
function lookupError(cause: NodeJS.ErrnoException, host: string, port: number): IoError {
  const code = cause.code ?? 'ENOTFOUND';
  const advice = lookupAdvice[code] ?? cause.message;
  return new IoError(`getaddrinfo ${code} ${host}: ${advice}`, {
    code,
    errno: cause.errno,
    syscall: 'getaddrinfo',
    address: host,
    port,
    cause,
  });
}
