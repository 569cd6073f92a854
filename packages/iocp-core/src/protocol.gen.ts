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

export const CompletionWord = {
  /** operation | flags << 8 */
  CODE: 0,
  /** index of the operation token */
  TOKEN: 1,
  /** generation of the operation token */
  TOKEN_GENERATION: 2,
  /** bytes or 0, or a negative error number */
  RESULT: 3,
  /** slot or handle index, as the flags say */
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
