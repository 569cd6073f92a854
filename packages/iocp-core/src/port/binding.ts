/**
 * The seam to native code: what a driver of the rings must offer. The addon implements it in C++; anything else that
 * implements `NativePort` (a driver in JavaScript, a loop-back device in a test) can take its place.
 *
 * What crosses this seam per operation is only records in shared memory (`protocol/protocol.mjs`); the methods here are
 * for what is rare.
 */

/**
 * `'io_uring'` and `'epoll'` (Linux) and `'iocp'` (Windows) are drivers of the addon, `'node'` is the one on `node:net`, which
 * works everywhere. `'auto'` takes the best that works here, in this order.
 */
export type BackendChoice = 'auto' | 'io_uring' | 'epoll' | 'iocp' | 'node';

/** A backend that was tried and cannot be used here, and why. */
export interface RejectedBackend {
  /** Its name, or `'addon'` for all native ones when there is no addon to be loaded. */
  readonly backend: string;
  /** POSIX code of the failed probe, for example `EPERM`. */
  readonly code: string;
  /** What was found. */
  readonly reason: string;
  /** What to change so that it can be used. */
  readonly hint: string;
}

/**
 * Faults the simulating build of the addon injects at the completion. Probabilities from 0 to 1 per operation.
 * The ordinary build refuses them with `ENOSYS`.
 */
export interface FaultOptions {
  /** Seed of the pseudo-random sequence: the same seed and operations give the same faults. */
  readonly seed: number;
  readonly shortSend?: number;
  readonly shortRecv?: number;
  readonly reset?: number;
  readonly noBuffers?: number;
  readonly emfile?: number;
  readonly delay?: number;
}

/** Everything a driver is given; the typed arrays are allocated by JavaScript and borrowed until `close()`. */
export interface NativePortOptions {
  readonly backend: BackendChoice;
  /** Entries of the kernel's submission queue, a power of two. Drivers without one ignore it. */
  readonly entries: number;
  /** `HEADER_WORDS + SUBMISSION_RECORDS * RECORD_WORDS` words. JavaScript writes records and adds to COUNT; native code drains. */
  readonly submission: Int32Array;
  /** `HEADER_WORDS + COMPLETION_RECORDS * RECORD_WORDS` words. Native code writes a batch and calls `onBatch`. */
  readonly completion: Int32Array;
  /** `slots * slotBytes` bytes and one page more, so that slot 0 can start on a page. */
  readonly pool: Uint8Array;
  /** A power of two, at least 4096. */
  readonly slotBytes: number;
  /** Number of slots, 1 to SLOTS_MAX; slots belong to JavaScript until a PROVIDE record gives one away. */
  readonly slots: number;
  /**
   * Called with the number of records in the completion block, never from inside `flush`, `listen`, `open` or any
   * other method except `close`. Called in a callback scope (`napi_make_callback`), once per batch.
   * It never throws. When it returns, all records have been taken and the submission ring should be drained.
   * Called with 0 when there is nothing but news for the pool: receives were parked since the last call. It must not
   * be repeated for receives that were parked before, or an empty pool would keep the loop busy.
   */
  readonly onBatch: (count: number) => void;
  readonly faults?: FaultOptions;
}

/** What the driver says of itself. */
export interface NativePortInfo {
  /** `'io_uring'`, `'epoll'`, `'iocp'`, `'node'`, … */
  readonly backend: string;
  /** Release of the running kernel, for example `'6.18.0'`. */
  readonly kernel: string;
  /** Optional abilities in use, for example `'multishot-recv'`. */
  readonly features: readonly string[];
  /** Backends that `'auto'` passed over. */
  readonly rejected: readonly RejectedBackend[];
  /** Byte offset of slot 0 in `pool`, page-aligned in memory. Offsets of SEND segments in the pool count from slot 0. */
  readonly poolBase: number;
  /** Entries of the kernel's submission queue that were granted; 0 for drivers without one. */
  readonly entries: number;
}

/** Index and generation of a handle, as records carry them. */
export interface HandleRef {
  readonly index: number;
  readonly generation: number;
}

/** Options of the socket itself by name (see `socket-options.ts`); numbers, except `congestion` and `bindToDevice`. */
export type NativeSocketOptions = Readonly<Record<string, number | string>>;

export interface NativeListenOptions {
  /** Numeric IP address, IPv6 possibly with `%zone`; absent when `path` is given. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port?: number;
  /** Path of a Unix socket; a leading NUL names the abstract space. */
  readonly path?: string;
  readonly backlog: number;
  readonly ipv6Only: boolean;
  readonly reusePort: boolean;
  readonly reuseAddress: boolean;
  /** Set before `bind`; inherited by accepted sockets as far as the system does so. */
  readonly options: NativeSocketOptions;
}

export interface NativeOpenOptions {
  readonly family: 'ipv4' | 'ipv6' | 'unix';
  /** Where CONNECT goes. */
  readonly remote: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Bound before connecting. */
  readonly local?: { readonly host: string; readonly port: number };
  readonly options: NativeSocketOptions;
}

/** A datagram socket, bound, and connected when there is a `remote`. */
export interface NativeDatagramOptions {
  readonly family: 'ipv4' | 'ipv6';
  /** Numeric addresses. */
  readonly local: { readonly host: string; readonly port: number };
  readonly remote?: { readonly host: string; readonly port: number };
  readonly ipv6Only: boolean;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  /** Set before `bind`. */
  readonly options: NativeSocketOptions;
}

/** Joins or leaves a multicast group. */
export interface NativeMembership {
  readonly action: 'join' | 'leave';
  /** Numeric address of the group. */
  readonly group: string;
  /** Source-specific: numeric address of the only sender that is wanted. */
  readonly source?: string;
  /** Name, number or one of the addresses of an interface; the system chooses when absent. */
  readonly interface?: string;
}

/** What a router or host answered to a datagram that was sent before (`IP_RECVERR`). */
export interface NativeDatagramError {
  /** Positive error number. */
  readonly errno: number;
  /** Where that datagram was sent. */
  readonly address: string;
  readonly port: number;
  /** Who answered; absent when it was this machine. */
  readonly offender?: string;
}

export interface NativeAddress {
  readonly family: 'IPv4' | 'IPv6' | 'unix';
  /** Numeric address without zone; for Unix sockets the path, `''` when unnamed. */
  readonly address: string;
  /** 0 for Unix sockets. */
  readonly port: number;
  /** Interface index of a link-local IPv6 address; absent when 0. */
  readonly scopeId?: number;
}

/** Counts the driver keeps. All are numbers; a driver may add more of its own. */
export interface NativeStats {
  /** Operations submitted and not settled. */
  readonly operationsInFlight: number;
  /** Handles open, listening sockets included. */
  readonly handlesOpen: number;
  /** Receives waiting for a slot. */
  readonly parked: number;
  /** Pinned memory blocks. */
  readonly pins: number;
  /** System calls made by the driver; 0 when it does not count. */
  readonly systemCalls: number;
  /** Times a kernel queue overflowed. */
  readonly overflows: number;
  readonly [name: string]: number;
}

/** What a driver throws: an `Error` with these properties. */
export interface NativeError extends Error {
  /** Positive Linux error number, as in the ERRORS table. */
  readonly errno?: number;
  /** The call that failed: `bind`, `listen`, `setsockopt`, … */
  readonly syscall?: string;
  /** From the constructor, and where the addon cannot be loaded: every backend that was tried. */
  readonly rejected?: readonly RejectedBackend[];
}

/**
 * One driver with its rings, bound to the event loop of the thread that made it.
 * Methods that take a handle throw a `NativeError` with EBADF when the handle is closed or the generation does not match.
 */
export interface NativePort {
  readonly info: NativePortInfo;
  /**
   * Drains the submission ring now (COUNT is 0 afterwards). Called when the ring is full, also from inside `onBatch`: it
   * therefore neither writes the completion block nor calls `onBatch`; operations that complete meanwhile come with a
   * later batch.
   */
  flush(): void;
  /**
   * The first record was written since the ring was drained; may be called again for further records. Only for drivers that
   * cannot look at the ring just before the event loop blocks; the addon does not have it.
   */
  submitted?(): void;
  /** A bound, listening socket. A driver that learns later whether it could bind gives a promise. */
  listen(options: NativeListenOptions): HandleRef | Promise<HandleRef>;
  /** A socket that is not connected yet. */
  open(options: NativeOpenOptions): HandleRef;
  /** A datagram socket. A driver that learns later whether it could bind gives a promise. */
  openDatagram(options: NativeDatagramOptions): HandleRef | Promise<HandleRef>;
  /** Connects a datagram socket, anew when it is connected; null takes the connection back. */
  connectDatagram(
    index: number,
    generation: number,
    remote: { readonly host: string; readonly port: number } | null,
  ): void | Promise<void>;
  changeMembership(index: number, generation: number, membership: NativeMembership): void;
  /** The next answer of the network, oldest first, or null; with the option `receiveErrors`. */
  takeDatagramError(index: number, generation: number): NativeDatagramError | null;
  /** Datagrams that the system has dropped because the socket's receive buffer was full; -1 where it does not say. */
  droppedDatagrams(index: number, generation: number): number;
  /** Takes over a descriptor: non-blocking from now on, closed by CLOSE. */
  associate(fd: number): HandleRef;
  /** The local address, or the peer's; null when there is none (not connected, not a socket with addresses). */
  address(index: number, generation: number, peer: boolean): NativeAddress | null;
  getOption(index: number, generation: number, name: string): number | string;
  setOption(index: number, generation: number, name: string, value: number | string): void;
  /** Facts of the kernel about a TCP connection (`TCP_INFO`), times in microseconds. */
  tcpInfo(index: number, generation: number): Readonly<Record<string, number>>;
  /** The descriptor, or -1 when the handle has none. */
  descriptor(index: number, generation: number): number;
  /** Remembers where `bytes` lie and returns a number from 0 up for SEND segments. JavaScript keeps `bytes` until UNPIN. */
  pin(bytes: Uint8Array): number;
  /** The port keeps the event loop alive from `ref()` to `unref()`; not counted; initially not. */
  ref(): void;
  unref(): void;
  stats(): NativeStats;
  /**
   * Opens a mailbox: each `postTo(id, value)` from any thread completes the token with POST, the value as result and
   * the flag MORE. The token is not an operation of the driver: JavaScript ends it after `closeMailbox`.
   * @returns a number that is never used again in this process, at most `Number.MAX_SAFE_INTEGER`.
   */
  mailbox(tokenIndex: number, tokenGeneration: number): number;
  /** Later posts return false. What is on its way may still be delivered; JavaScript drops it as stale. */
  closeMailbox(id: number): void;
  /**
   * Cancels and joins every operation (with a bound in time), closes all handles and mailboxes. Calls `onBatch` from
   * inside for what settles. JavaScript calls `flush()` just before; records written while this runs are not drained
   * any more. Afterwards nothing is touched or called, and no method may be used. Never called from inside `onBatch`.
   */
  close(): void;
}

/** What the addon exports. */
export interface NativeBinding {
  readonly Port: new (options: NativePortOptions) => NativePort;
  /** From any thread; false when the mailbox is closed or unknown, or its queue is full. `value` is an Int32. */
  postTo(id: number, value: number): boolean;
  readonly versions: Readonly<Record<string, string>>;
}
