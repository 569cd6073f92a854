/** What carries the bytes of `listen` and `connect`: `@iocp/tcp`, which need not be installed for anything else here. */

import { IoError, validateFunction, validateObject } from '@iocp/core/layer';

/** `@iocp/tcp`, or a module with the same `listen` and `connect`. */
export type TcpModule = Pick<typeof import('@iocp/tcp'), 'listen' | 'connect'>;

/**
 * The module given, or `@iocp/tcp`.
 * @throws `ERR_INVALID_ARG_TYPE`; rejects with `ERR_TLS_NO_TRANSPORT` when there is none
 */
export async function transportOf(given: TcpModule | undefined): Promise<TcpModule> {
  if (given !== undefined) {
    // The namespace of a module is an object, too.
    validateObject(given, 'options.tcp');
    validateFunction(given.listen, 'options.tcp.listen');
    validateFunction(given.connect, 'options.tcp.connect');
    return given;
  }
  try {
    return await import('@iocp/tcp');
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new IoError('There is nothing to carry TLS: install @iocp/tcp or pass options.tcp', {
      code: 'ERR_TLS_NO_TRANSPORT',
      cause,
    });
  }
}

function isMissing(error: unknown): boolean {
  const { code, message = '' } = error as NodeJS.ErrnoException;
  const notFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  // Something that `@iocp/tcp` itself misses is another matter.
  return notFound && message.includes('@iocp/tcp');
}
