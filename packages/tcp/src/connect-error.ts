import { IoError } from '@iocp/core/layer';
import { formatAddress } from './address.js';

/** Several addresses were tried and none answered. `errors` holds one `IoError` for each, in the order they were tried. */
export class ConnectError extends AggregateError {
  /** The code all attempts failed with, or that of the first; `ETIMEDOUT` when time was up. */
  readonly code: string;
  readonly syscall = 'connect';
  /** The host as it was given. */
  readonly address: string;
  readonly port: number;
  declare readonly errors: IoError[];

  constructor(host: string, port: number, code: string, errors: readonly IoError[]) {
    const tried = errors
      .map((error) => `${formatAddress(error.address ?? '', error.port)} ${error.code}`)
      .join(', ');
    super(
      errors,
      `connect ${code} ${formatAddress(host, port)}: none of ${errors.length} addresses worked: ${tried}`,
    );
    this.code = code;
    this.address = host;
    this.port = port;
  }

  static {
    Object.defineProperty(ConnectError.prototype, 'name', {
      value: 'ConnectError',
      configurable: true,
      writable: true,
    });
  }
}

/** Where an attempt goes. `port` is undefined for Unix sockets. */
export interface Target {
  readonly address: string;
  readonly port: number | undefined;
}

/** Time was up while this address had not answered. */
export function timeoutError(target: Target, timeoutMs: number): IoError {
  return new IoError(
    `connect ETIMEDOUT ${formatAddress(target.address, target.port)}: no answer within ${timeoutMs} ms`,
    { code: 'ETIMEDOUT', errno: -110, syscall: 'connect', address: target.address, port: target.port },
  );
}

/** Time was up before the name was resolved. */
export function lookupTimeoutError(host: string, port: number, timeoutMs: number): IoError {
  return new IoError(`getaddrinfo ETIMEDOUT ${host}: the name was not resolved within ${timeoutMs} ms`, {
    code: 'ETIMEDOUT',
    errno: -110,
    syscall: 'getaddrinfo',
    address: host,
    port,
  });
}

/** One error for all attempts: theirs if there was only one, else a `ConnectError`. */
export function failureOf(host: string, port: number, errors: readonly IoError[], timedOut: boolean): Error {
  const [first] = errors;
  if (first !== undefined && errors.length === 1) return first;
  return new ConnectError(host, port, timedOut ? 'ETIMEDOUT' : (first?.code ?? 'ENOTFOUND'), errors);
}
