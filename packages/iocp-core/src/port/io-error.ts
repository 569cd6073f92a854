/** From error numbers to errors that say what to do. */

import { IoError } from '../layer/errors.js';
import { ERRORS } from '../protocol.gen.js';
import type { NativeDatagramError, NativeError, RejectedBackend } from './binding.js';

/** Whom the failed operation was about. */
export interface ErrorTarget {
  /** Host or address, or the path of a Unix socket. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

/**
 * The error for the negative result of an operation.
 * @param result negative error number of a completion.
 * @param syscall name of the operation in the message: `connect`, `read`, `write`, …
 * @returns an error with Node's properties; `errno` is `result`, `code` its POSIX name on every platform, `UNKNOWN` when
 * it has none.
 */
export function ioError(result: number, syscall: string, target: ErrorTarget = {}): IoError {
  const [code, advice] = ERRORS.get(-result) ?? ['UNKNOWN', `unknown error ${result}`];
  const place = describe(target);
  const message = `${syscall} ${code}${place === '' ? '' : ` ${place}`}: ${advice}`;
  return new IoError(message, { code, errno: result, syscall, address: target.address, port: target.port });
}

/** The result of an operation that was cancelled or cut short by a local close. */
export const canceledResult = -125;

/** What a driver threw, as an error of ours. Other exceptions are returned as they are. */
export function fromNativeError(error: unknown, target: ErrorTarget = {}): unknown {
  const { errno, syscall } = error as NativeError;
  if (!(error instanceof Error) || typeof errno !== 'number') return error;
  return ioError(-Math.abs(errno), syscall ?? 'native', target);
}

/** What the network answered to a datagram that was sent before. */
export function datagramError({ errno, address, port, offender }: NativeDatagramError): IoError {
  const error = ioError(-errno, 'send', { address, port });
  if (offender !== undefined && offender !== address) error.message += ` (answered by ${offender})`;
  return error;
}

/** No backend works, or not the one that was asked for. */
export function noBackendError(
  choice: string,
  rejected: readonly RejectedBackend[],
  cause: unknown,
): IoError {
  const reasons = rejected.map(
    ({ backend, code, reason, hint }) =>
      `\n  ${backend}: ${code}, ${reason}${hint === '' ? '' : ` (${hint})`}`,
  );
  const subject =
    choice === 'auto' ? 'No backend works here.' : `The backend '${choice}' does not work here.`;
  return new IoError(`${subject}${reasons.join('')}`, { code: 'ERR_IOCP_NO_BACKEND', cause });
}

export function portClosedError(): IoError {
  return new IoError('The completion port is closed: make a new one, or ask defaultPort() again.', {
    code: 'ERR_IOCP_PORT_CLOSED',
  });
}

function describe({ address, port }: ErrorTarget): string {
  if (address === undefined) return '';
  return port === undefined ? address : `${address}:${port}`;
}
