import { invalidArgumentValue, validateString } from '@iocp/core/layer';

/** As `dgram.BindOptions`. */
export interface BindOptions {
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  /** Without effect: sockets are never shared between the processes of a cluster. */
  readonly exclusive?: boolean | undefined;
  /** Refused with `ERR_INVALID_ARG_VALUE`: descriptors are not taken over. */
  readonly fd?: number | undefined;
}

/**
 * Reads the arguments of `bind`. An empty address stands for all of the family; the port is whatever was given.
 * @throws `ERR_INVALID_ARG_TYPE`, and `ERR_INVALID_ARG_VALUE` for a descriptor or a handle
 */
export function bindTarget([first, second]: readonly unknown[]): { port: unknown; address: string } {
  if (typeof first !== 'object' || first === null) {
    return { port: first, address: addressOf(typeof second === 'function' ? '' : second) };
  }
  const { fd, port, address } = first as BindOptions;
  const isDescriptor = typeof fd === 'number' && fd > 0 && (fd | 0) === fd;
  if (isDescriptor) throw invalidArgumentValue('options.fd', fd, advice);
  if ('recvStart' in first) throw invalidArgumentValue('handle', first, advice);
  return { port, address: addressOf(address) };
}

const advice = 'cannot be taken over: bind to an address, or use node:dgram';

function addressOf(given: unknown): string {
  if (!given) return '';
  validateString(given, 'address');
  return given;
}
