// Generated from protocol/protocol.mjs by scripts/generate-protocol.mjs. Do not edit.

export const RECORD_WORDS = 8;
export const HEADER_WORDS = 8;

export const Operation = {
  /** never submitted; fills unused records */
  NONE: 0,
  /** multishot accept on a listening socket; each completion carries a new handle */
  ACCEPT: 1,
  /** connects the socket to the remote address given when it was opened */
  CONNECT: 2,
  /** multishot receive into pool slots; result 0 is the end of the stream */
  RECV: 3,
  /** sends one or more segments, in order, whole */
  SEND: 4,
  /** half-close; A is the direction */
  SHUTDOWN: 5,
  /** cancels and joins what is in flight, then closes; with ABORT the peer is reset */
  CLOSE: 6,
  /** asks for an early end of the operation whose token it carries; completes nothing itself */
  CANCEL: 7,
  /** completes its own token with A as the result */
  POST: 8,
  /** gives pool slot A to the kernel for receives */
  PROVIDE: 9,
  /** forgets the pinned memory with the number A */
  UNPIN: 10,
  /** returns the pages of pool slot A to the system */
  DISCARD: 11,
  /** multishot receive of datagrams, each into a pool slot, behind a header */
  RECV_FROM: 12,
  /** sends datagrams, each of them whole or not at all */
  SEND_TO: 13,
} as const;
export type Operation = (typeof Operation)[keyof typeof Operation];

export const SubmitFlag = {
  /** CLOSE: reset the peer instead of closing in order */
  ABORT: 1,
} as const;
export type SubmitFlag = (typeof SubmitFlag)[keyof typeof SubmitFlag];

export const CompleteFlag = {
  /** the operation goes on: more completions with this token will follow */
  MORE: 1,
  /** VALUE is a pool slot that now belongs to JavaScript */
  SLOT: 2,
  /** VALUE and EXTRA are the index and generation of a new handle */
  HANDLE: 4,
} as const;
export type CompleteFlag = (typeof CompleteFlag)[keyof typeof CompleteFlag];

export const SubmissionHeader = {
  /** records written and not yet drained; JavaScript adds, native code resets to 0 */
  COUNT: 0,
} as const;
export type SubmissionHeader = (typeof SubmissionHeader)[keyof typeof SubmissionHeader];

export const CompletionHeader = {
  /** receives that wait for a buffer slot at the time of the batch */
  PARKED: 0,
  /** slots provided to the kernel and not yet consumed */
  KERNEL_SLOTS: 1,
} as const;
export type CompletionHeader = (typeof CompletionHeader)[keyof typeof CompletionHeader];

export const SubmissionWord = {
  /** operation | flags << 8 | segments << 16 */
  CODE: 0,
  /** index of the operation token */
  TOKEN: 1,
  /** generation of the operation token */
  TOKEN_GENERATION: 2,
  /** index of the handle */
  HANDLE: 3,
  /** generation of the handle */
  HANDLE_GENERATION: 4,
  /** SEND: pin number of the only segment, or -1 for the pool; else the argument */
  A: 5,
  /** SEND: offset of the only segment */
  B: 6,
  /** SEND: length of the only segment in bytes */
  C: 7,
} as const;
export type SubmissionWord = (typeof SubmissionWord)[keyof typeof SubmissionWord];

export const SegmentWord = {
  /** pin number, or -1 for the pool */
  PIN: 0,
  /** bytes from the start of the pool or of the pinned memory */
  OFFSET: 1,
  /** bytes */
  LENGTH: 2,
} as const;
export type SegmentWord = (typeof SegmentWord)[keyof typeof SegmentWord];

export const OutgoingWord = {
  /** pin number, or -1 for the pool */
  PIN: 0,
  /** bytes from the start of the pool or of the pinned memory */
  OFFSET: 1,
  /** bytes */
  LENGTH: 2,
  /** family of the addresses: 4, 6, or 0 for the peer that the socket is connected to | flags << 8 */
  FAMILY: 3,
  /** port of the peer */
  PORT: 4,
  /** interface of a link-local IPv6 address, or 0 */
  SCOPE: 5,
  /** address of the peer: four words */
  ADDRESS: 6,
  /** with SOURCE: the address to send from, of the same family: four words; all zero for any */
  SOURCE: 10,
  /** with SOURCE: the interface to send through, or 0 for any */
  INTERFACE: 14,
  /** bytes of each datagram that the system is to cut this one into, or 0 | TOS << 16 | TTL << 24 */
  CONTROL: 15,
} as const;
export type OutgoingWord = (typeof OutgoingWord)[keyof typeof OutgoingWord];

export const OutgoingFlag = {
  /** IP_TOS or IPV6_TCLASS for this datagram, ECN included */
  TOS: 1,
  /** IP_TTL or IPV6_HOPLIMIT for this datagram */
  TTL: 2,
  /** SOURCE and INTERFACE are given */
  SOURCE: 4,
} as const;
export type OutgoingFlag = (typeof OutgoingFlag)[keyof typeof OutgoingFlag];

export const IncomingWord = {
  /** family of the addresses: 4, 6, or 0 when unknown | flags << 8 */
  FAMILY: 0,
  /** port of the sender */
  PORT: 1,
  /** interface of a link-local IPv6 address, or 0 */
  SCOPE: 2,
  /** address of the sender: four words */
  ADDRESS: 3,
  /** with LOCAL: the interface it came in through */
  INTERFACE: 7,
  /** with LOCAL: the address it was sent to: four words */
  LOCAL: 8,
  /** with TOS: the type of service or traffic class, ECN included */
  TOS: 12,
  /** with TTL: the time to live or hop limit */
  TTL: 13,
  /** bytes of each of the datagrams in this slot, the last may be shorter; 0: it is one */
  SEGMENT_BYTES: 14,
} as const;
export type IncomingWord = (typeof IncomingWord)[keyof typeof IncomingWord];

export const IncomingFlag = {
  /** it was longer than the slot: the rest is lost */
  TRUNCATED: 1,
  /** LOCAL and INTERFACE are known */
  LOCAL: 2,
  /** TOS is known */
  TOS: 4,
  /** TTL is known */
  TTL: 8,
} as const;
export type IncomingFlag = (typeof IncomingFlag)[keyof typeof IncomingFlag];

export const CompletionWord = {
  /** operation | flags << 8 */
  CODE: 0,
  /** index of the operation token */
  TOKEN: 1,
  /** generation of the operation token */
  TOKEN_GENERATION: 2,
  /** bytes, datagrams taken by a SEND_TO, or 0; or a negative error number */
  RESULT: 3,
  /** slot or handle index, as the flags say; SEND_TO with MORE: which datagram failed, from 0 */
  VALUE: 4,
  /** handle generation */
  EXTRA: 5,
} as const;
export type CompletionWord = (typeof CompletionWord)[keyof typeof CompletionWord];

export const ShutdownDirection = {
  /** no more receives */
  READ: 0,
  /** no more sends: the peer sees the end of the stream */
  WRITE: 1,
  /** both */
  BOTH: 2,
} as const;
export type ShutdownDirection = (typeof ShutdownDirection)[keyof typeof ShutdownDirection];

export const Limit = {
  /** records the submission ring holds before it must be drained */
  SUBMISSION_RECORDS: 4096,
  /** records of one batch */
  COMPLETION_RECORDS: 1024,
  /** segments of one SEND */
  SEGMENTS_MAX: 512,
  /** datagrams of one SEND_TO */
  DATAGRAMS_MAX: 512,
  /** bytes from the start of a slot to the datagram that RECV_FROM has received */
  DATAGRAM_OFFSET: 256,
  /** slots of one pool, the most a kernel buffer ring takes */
  SLOTS_MAX: 32768,
} as const;
export type Limit = (typeof Limit)[keyof typeof Limit];

/** Error number to name and advice. */
export const ERRORS: ReadonlyMap<number, readonly [name: string, advice: string]> = new Map([
  [1, ['EPERM', 'operation not permitted']],
  [2, ['ENOENT', 'no such file or directory']],
  [4, ['EINTR', 'interrupted system call']],
  [5, ['EIO', 'input/output error']],
  [6, ['ENXIO', 'no such device or address']],
  [9, ['EBADF', 'bad file descriptor']],
  [11, ['EAGAIN', 'resource temporarily unavailable']],
  [12, ['ENOMEM', 'not enough memory']],
  [13, ['EACCES', 'permission denied']],
  [14, ['EFAULT', 'bad address in system call argument']],
  [16, ['EBUSY', 'resource busy or locked']],
  [17, ['EEXIST', 'file already exists']],
  [19, ['ENODEV', 'no such device']],
  [20, ['ENOTDIR', 'not a directory']],
  [22, ['EINVAL', 'invalid argument']],
  [23, ['ENFILE', 'file table overflow: the system has no descriptors left']],
  [24, ['EMFILE', 'too many open files: raise the descriptor limit (ulimit -n)']],
  [28, ['ENOSPC', 'no space left on device']],
  [32, ['EPIPE', 'broken pipe: the peer has closed the connection']],
  [36, ['ENAMETOOLONG', 'name too long']],
  [38, ['ENOSYS', 'function not implemented by this kernel']],
  [71, ['EPROTO', 'protocol error']],
  [75, ['EOVERFLOW', 'value too large for defined data type']],
  [88, ['ENOTSOCK', 'socket operation on non-socket']],
  [89, ['EDESTADDRREQ', 'destination address required']],
  [90, ['EMSGSIZE', 'message too long']],
  [91, ['EPROTOTYPE', 'protocol wrong type for socket']],
  [92, ['ENOPROTOOPT', 'protocol not available']],
  [93, ['EPROTONOSUPPORT', 'protocol not supported']],
  [95, ['EOPNOTSUPP', 'operation not supported on socket']],
  [97, ['EAFNOSUPPORT', 'address family not supported']],
  [98, ['EADDRINUSE', 'address already in use: another socket listens there; choose another port or stop the other program']],
  [99, ['EADDRNOTAVAIL', 'address not available: no interface of this machine has it']],
  [100, ['ENETDOWN', 'network is down']],
  [101, ['ENETUNREACH', 'network is unreachable']],
  [102, ['ENETRESET', 'connection dropped by network']],
  [103, ['ECONNABORTED', 'connection aborted']],
  [104, ['ECONNRESET', 'connection reset by peer']],
  [105, ['ENOBUFS', 'no buffer space available']],
  [106, ['EISCONN', 'socket is already connected']],
  [107, ['ENOTCONN', 'socket is not connected']],
  [110, ['ETIMEDOUT', 'connection timed out']],
  [111, ['ECONNREFUSED', 'connection refused: nothing listens at that address']],
  [112, ['EHOSTDOWN', 'host is down']],
  [113, ['EHOSTUNREACH', 'host is unreachable']],
  [114, ['EALREADY', 'operation already in progress']],
  [115, ['EINPROGRESS', 'operation in progress']],
  [125, ['ECANCELED', 'operation canceled']],
]);
