/** From names to addresses. */

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { IoError, onAbort } from '@iocp/core/layer';

/** Finds the addresses of a name, called as `dns.lookup` is, always for all addresses in the resolver's order. */
export type LookupFunction = (
  hostname: string,
  options: { readonly all: true; readonly verbatim: true; readonly family: 0 | 4 | 6 },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const defaultLookup = systemLookup as LookupFunction;

/** What is to be resolved, and how. */
export interface LookupRequest {
  readonly host: string;
  /** For errors. */
  readonly port: number;
  readonly family: 0 | 4 | 6;
  readonly lookup: LookupFunction;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The addresses of a host, at least one, in the resolver's order; a numeric one is its own.
 * Rejects with an `IoError` (ENOTFOUND, EAI_AGAIN, …), and with the signal's reason.
 */
export async function addressesOf(request: LookupRequest): Promise<string[]> {
  const { host, port, family, lookup, signal } = request;
  signal?.throwIfAborted();
  if (isIP(host) !== 0) return [host];
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
  const wanted = found.filter((address) => family === 0 || isIP(address) === family);
  if (wanted.length > 0) return wanted;
  throw lookupError(Object.assign(new Error('No addresses'), { code: 'ENOTFOUND' }), host, port);
}

/** The lookup function may be the user's. */
function usable(address: unknown, host: string, port: number): string {
  if (typeof address === 'string' && isIP(address) !== 0) return address;
  const message = `The lookup function gave something for ${host} that is no IP address: ${String(address)}`;
  throw new IoError(message, {
    code: 'ERR_INVALID_IP_ADDRESS',
    syscall: 'getaddrinfo',
    address: host,
    port,
  });
}

const lookupAdvice: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no address is known for that name',
  EAI_AGAIN: 'the name server did not answer: check the network, or try again',
};

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
