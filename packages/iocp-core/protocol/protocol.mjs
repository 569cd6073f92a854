/**
 * The one definition of what crosses the border between JavaScript and native code: operation codes, flags, record
 * layouts and error numbers. `scripts/generate-protocol.mjs` makes `native/core/protocol.gen.h` and
 * `src/protocol.gen.ts` from it; a test fails when they are out of date.
 */

/** Width of every record in both rings, in Int32 words. */
export const RECORD_WORDS = 8;

/** Words before the first record of the submission block. */
export const SUBMISSION_HEADER = {
  COUNT: ['0', 'records written and not yet drained; JavaScript adds, native code resets to 0'],
};

/** Words before the first record of the completion block. */
export const COMPLETION_HEADER = {
  PARKED: ['0', 'receives that wait for a buffer slot at the time of the batch'],
  KERNEL_SLOTS: ['1', 'slots provided to the kernel and not yet consumed'],
};

/** Words reserved for the header of either block. */
export const HEADER_WORDS = 8;

/** Operations. The number goes into the low 8 bits of word 0 of a record. */
export const OPERATIONS = {
  NONE: [0, 'never submitted; fills unused records'],
  ACCEPT: [1, 'multishot accept on a listening socket; each completion carries a new handle'],
  CONNECT: [2, 'connects the socket to the remote address given when it was opened'],
  RECV: [3, 'multishot receive into pool slots; result 0 is the end of the stream'],
  SEND: [4, 'sends one or more segments, in order, whole'],
  SHUTDOWN: [5, 'half-close; A is the direction'],
  CLOSE: [6, 'cancels and joins what is in flight, then closes; with ABORT the peer is reset'],
  CANCEL: [7, 'asks for an early end of the operation whose token it carries; completes nothing itself'],
  POST: [8, 'completes its own token with A as the result'],
  PROVIDE: [9, 'gives pool slot A to the kernel for receives'],
  UNPIN: [10, 'forgets the pinned memory with the number A'],
  DISCARD: [11, 'returns the pages of pool slot A to the system'],
  RECV_FROM: [12, 'multishot receive of datagrams, each into a pool slot, behind a header'],
  SEND_TO: [13, 'sends datagrams, each of them whole or not at all'],
};

/**
 * Flags of a submission: bits 8-15 of word 0. The number of segments of a SEND, and of datagrams of a SEND_TO, is in bits
 * 16-31.
 */
export const SUBMIT_FLAGS = {
  ABORT: [1, 'CLOSE: reset the peer instead of closing in order'],
};

/** Flags of a completion: bits 8-15 of word 0. */
export const COMPLETE_FLAGS = {
  MORE: [1, 'the operation goes on: more completions with this token will follow'],
  SLOT: [2, 'VALUE is a pool slot that now belongs to JavaScript'],
  HANDLE: [4, 'VALUE and EXTRA are the index and generation of a new handle'],
};

/** Words of a submission record. */
export const SUBMISSION_WORDS = {
  CODE: [0, 'operation | flags << 8 | segments << 16'],
  TOKEN: [1, 'index of the operation token'],
  TOKEN_GENERATION: [2, 'generation of the operation token'],
  HANDLE: [3, 'index of the handle'],
  HANDLE_GENERATION: [4, 'generation of the handle'],
  A: [5, 'SEND: pin number of the only segment, or -1 for the pool; else the argument'],
  B: [6, 'SEND: offset of the only segment'],
  C: [7, 'SEND: length of the only segment in bytes'],
};

/** A SEND with more than one segment is followed by records of two segments each, four words a segment. */
export const SEGMENT_WORDS = {
  PIN: [0, 'pin number, or -1 for the pool'],
  OFFSET: [1, 'bytes from the start of the pool or of the pinned memory'],
  LENGTH: [2, 'bytes'],
};

/** A SEND_TO is followed by two records for each datagram. Addresses are in network byte order, IPv4 in the first word. */
export const OUTGOING_WORDS = {
  PIN: [0, 'pin number, or -1 for the pool'],
  OFFSET: [1, 'bytes from the start of the pool or of the pinned memory'],
  LENGTH: [2, 'bytes'],
  FAMILY: [
    3,
    'family of the addresses: 4, 6, or 0 for the peer that the socket is connected to | flags << 8',
  ],
  PORT: [4, 'port of the peer'],
  SCOPE: [5, 'interface of a link-local IPv6 address, or 0'],
  ADDRESS: [6, 'address of the peer: four words'],
  SOURCE: [10, 'with SOURCE: the address to send from, of the same family: four words; all zero for any'],
  INTERFACE: [14, 'with SOURCE: the interface to send through, or 0 for any'],
  CONTROL: [
    15,
    'bytes of each datagram that the system is to cut this one into, or 0 | TOS << 16 | TTL << 24',
  ],
};

/** Flags of a datagram to send: bits 8-15 of FAMILY. Without them the options of the socket hold. */
export const OUTGOING_FLAGS = {
  TOS: [1, 'IP_TOS or IPV6_TCLASS for this datagram, ECN included'],
  TTL: [2, 'IP_TTL or IPV6_HOPLIMIT for this datagram'],
  SOURCE: [4, 'SOURCE and INTERFACE are given'],
};

/** Words of the header at the start of a slot that RECV_FROM has filled; the datagram follows at DATAGRAM_OFFSET. */
export const INCOMING_WORDS = {
  FAMILY: [0, 'family of the addresses: 4, 6, or 0 when unknown | flags << 8'],
  PORT: [1, 'port of the sender'],
  SCOPE: [2, 'interface of a link-local IPv6 address, or 0'],
  ADDRESS: [3, 'address of the sender: four words'],
  INTERFACE: [7, 'with LOCAL: the interface it came in through'],
  LOCAL: [8, 'with LOCAL: the address it was sent to: four words'],
  TOS: [12, 'with TOS: the type of service or traffic class, ECN included'],
  TTL: [13, 'with TTL: the time to live or hop limit'],
  SEGMENT_BYTES: [14, 'bytes of each of the datagrams in this slot, the last may be shorter; 0: it is one'],
};

/** Flags of a received datagram: bits 8-15 of FAMILY. */
export const INCOMING_FLAGS = {
  TRUNCATED: [1, 'it was longer than the slot: the rest is lost'],
  LOCAL: [2, 'LOCAL and INTERFACE are known'],
  TOS: [4, 'TOS is known'],
  TTL: [8, 'TTL is known'],
};

/** Words of a completion record. */
export const COMPLETION_WORDS = {
  CODE: [0, 'operation | flags << 8'],
  TOKEN: [1, 'index of the operation token'],
  TOKEN_GENERATION: [2, 'generation of the operation token'],
  RESULT: [3, 'bytes, datagrams taken by a SEND_TO, or 0; or a negative error number'],
  VALUE: [4, 'slot or handle index, as the flags say; SEND_TO with MORE: which datagram failed, from 0'],
  EXTRA: [5, 'handle generation'],
};

/** Direction of a SHUTDOWN. */
export const SHUTDOWN_DIRECTIONS = {
  READ: [0, 'no more receives'],
  WRITE: [1, 'no more sends: the peer sees the end of the stream'],
  BOTH: [2, 'both'],
};

/** Limits that both sides know. */
export const LIMITS = {
  SUBMISSION_RECORDS: [4096, 'records the submission ring holds before it must be drained'],
  COMPLETION_RECORDS: [1024, 'records of one batch'],
  SEGMENTS_MAX: [512, 'segments of one SEND'],
  DATAGRAMS_MAX: [512, 'datagrams of one SEND_TO'],
  DATAGRAM_OFFSET: [256, 'bytes from the start of a slot to the datagram that RECV_FROM has received'],
  SLOTS_MAX: [32768, 'slots of one pool, the most a kernel buffer ring takes'],
};

/**
 * Error numbers are Linux's on every platform; each backend maps its system's errors to these names.
 * [number, name, what it means and what to do]
 */
export const ERRORS = [
  [1, 'EPERM', 'operation not permitted'],
  [2, 'ENOENT', 'no such file or directory'],
  [4, 'EINTR', 'interrupted system call'],
  [5, 'EIO', 'input/output error'],
  [6, 'ENXIO', 'no such device or address'],
  [9, 'EBADF', 'bad file descriptor'],
  [11, 'EAGAIN', 'resource temporarily unavailable'],
  [12, 'ENOMEM', 'not enough memory'],
  [13, 'EACCES', 'permission denied'],
  [14, 'EFAULT', 'bad address in system call argument'],
  [16, 'EBUSY', 'resource busy or locked'],
  [17, 'EEXIST', 'file already exists'],
  [19, 'ENODEV', 'no such device'],
  [20, 'ENOTDIR', 'not a directory'],
  [22, 'EINVAL', 'invalid argument'],
  [23, 'ENFILE', 'file table overflow: the system has no descriptors left'],
  [24, 'EMFILE', 'too many open files: raise the descriptor limit (ulimit -n)'],
  [28, 'ENOSPC', 'no space left on device'],
  [32, 'EPIPE', 'broken pipe: the peer has closed the connection'],
  [36, 'ENAMETOOLONG', 'name too long'],
  [38, 'ENOSYS', 'function not implemented by this kernel'],
  [71, 'EPROTO', 'protocol error'],
  [75, 'EOVERFLOW', 'value too large for defined data type'],
  [88, 'ENOTSOCK', 'socket operation on non-socket'],
  [89, 'EDESTADDRREQ', 'destination address required'],
  [90, 'EMSGSIZE', 'message too long'],
  [91, 'EPROTOTYPE', 'protocol wrong type for socket'],
  [92, 'ENOPROTOOPT', 'protocol not available'],
  [93, 'EPROTONOSUPPORT', 'protocol not supported'],
  [95, 'EOPNOTSUPP', 'operation not supported on socket'],
  [97, 'EAFNOSUPPORT', 'address family not supported'],
  [
    98,
    'EADDRINUSE',
    'address already in use: another socket listens there; choose another port or stop the other program',
  ],
  [99, 'EADDRNOTAVAIL', 'address not available: no interface of this machine has it'],
  [100, 'ENETDOWN', 'network is down'],
  [101, 'ENETUNREACH', 'network is unreachable'],
  [102, 'ENETRESET', 'connection dropped by network'],
  [103, 'ECONNABORTED', 'connection aborted'],
  [104, 'ECONNRESET', 'connection reset by peer'],
  [105, 'ENOBUFS', 'no buffer space available'],
  [106, 'EISCONN', 'socket is already connected'],
  [107, 'ENOTCONN', 'socket is not connected'],
  [110, 'ETIMEDOUT', 'connection timed out'],
  [111, 'ECONNREFUSED', 'connection refused: nothing listens at that address'],
  [112, 'EHOSTDOWN', 'host is down'],
  [113, 'EHOSTUNREACH', 'host is unreachable'],
  [114, 'EALREADY', 'operation already in progress'],
  [115, 'EINPROGRESS', 'operation in progress'],
  [125, 'ECANCELED', 'operation canceled'],
];
