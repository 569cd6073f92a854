/** Which results of the system are about what. */

import { ChannelError } from '@iocp/core/layer';

const errno = {
  EPERM: -1,
  EIO: -5,
  EBADF: -9,
  ENOMEM: -12,
  EACCES: -13,
  EFAULT: -14,
  EINVAL: -22,
  EPROTO: -71,
  ENOTSOCK: -88,
  EMSGSIZE: -90,
  ENOPROTOOPT: -92,
  EOPNOTSUPP: -95,
  ENETDOWN: -100,
  ENETUNREACH: -101,
  ENETRESET: -102,
  ECONNRESET: -104,
  ENOBUFS: -105,
  ETIMEDOUT: -110,
  ECONNREFUSED: -111,
  EHOSTDOWN: -112,
  EHOSTUNREACH: -113,
  EALREADY: -114,
} as const;

export const canceledResult = -125;

/**
 * What the network may have answered to an earlier datagram. Linux tells it at the next send, which has sent nothing then
 * (ip(7), udp(7)).
 */
const answers: ReadonlySet<number> = new Set([
  errno.EPERM,
  errno.EACCES,
  errno.EPROTO,
  errno.EMSGSIZE,
  errno.ENOPROTOOPT,
  errno.ENETDOWN,
  errno.ENETUNREACH,
  errno.ENETRESET,
  errno.ECONNRESET,
  errno.ETIMEDOUT,
  errno.ECONNREFUSED,
  errno.EHOSTDOWN,
  errno.EHOSTUNREACH,
]);

/** How systems refuse to cut a datagram: without GSO, with IPsec, for a path that takes smaller packets only. */
const cutRefusals: ReadonlySet<number> = new Set([
  errno.EIO,
  errno.EINVAL,
  errno.EMSGSIZE,
  errno.ENOPROTOOPT,
  errno.EOPNOTSUPP,
]);

/** The socket does not work any more, or was never right: receiving again would only fail again. */
const fatal: ReadonlySet<number> = new Set([
  errno.EBADF,
  errno.EFAULT,
  errno.EINVAL,
  errno.ENOTSOCK,
  errno.EOPNOTSUPP,
  errno.EALREADY,
]);

const exhausted: ReadonlySet<number> = new Set([errno.ENOMEM, errno.ENOBUFS]);

/** May be about an earlier datagram: a second try tells. */
export function mayBeAnswer(result: number): boolean {
  return answers.has(result);
}

/** The system does not cut datagrams on this socket. */
export function refusesToCut(result: number): boolean {
  return cutRefusals.has(result);
}

/** Receiving again would fail again. */
export function isFatal(result: number): boolean {
  return fatal.has(result);
}

/** The system has no memory at present: receiving again at once would only spin. */
export function isExhausted(result: number): boolean {
  return exhausted.has(result);
}

export function overflowError(): ChannelError {
  return new ChannelError(
    'ERR_CHANNEL_OVERFLOW',
    'The send queue is full, and the datagram was dropped: send less at a time, or raise queuedDatagramsMax or queuedBytesMax',
  );
}

export function closedError(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CLOSED', 'Cannot send: the socket has closed');
}

export function abortedError(reason: Error | null): Error {
  return (
    reason ?? new ChannelError('ERR_CHANNEL_ABORTED', 'The socket was aborted before the datagram was sent')
  );
}
