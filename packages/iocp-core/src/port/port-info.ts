/** What a port says of itself. */

import type { NativePortInfo, RejectedBackend } from './binding.js';
import type { SlotCounts } from './buffer-pool.js';
import type { PortSettings } from './port-options.js';

/** What runs, and why. */
export interface PortInfo {
  /** The backend in use: `'io_uring'`, `'epoll'`, `'iocp'` or `'node'`. */
  readonly backend: string;
  /** Release of the running kernel. */
  readonly kernel: string;
  /** Optional abilities of the backend in use. */
  readonly features: readonly string[];
  /** Backends that were tried before and why they cannot be used; one entry `'addon'` when it could not be loaded at all. */
  readonly rejected: readonly RejectedBackend[];
  readonly pool: { readonly slotBytes: number; readonly minSlots: number; readonly maxSlots: number };
  /** Entries of the kernel's submission queue; 0 for backends without one. */
  readonly entries: number;
}

/** Counts of a port at one moment. All return to zero or stand still when nothing happens. */
export interface PortStats {
  /** Operations submitted and not settled, posters included. */
  readonly operationsInFlight: number;
  /** Sockets open, listening ones included. */
  readonly handlesOpen: number;
  /** Receives that wait for a slot. */
  readonly parked: number;
  readonly slots: SlotCounts;
  /** Memory of the application that is held for sends under way. */
  readonly pins: number;
  /** Batches dispatched, and completions in them. */
  readonly batches: number;
  readonly completions: number;
  /** Completions that came for a token that was dead: always 0, but for posts to a closed poster. */
  readonly staleCompletions: number;
  /** Operations submitted. */
  readonly submissions: number;
  /** Times a queue of the kernel overflowed. */
  readonly overflows: number;
  /** System calls made for input and output. */
  readonly systemCalls: number;
}

export function portInfo(native: NativePortInfo, { pool }: PortSettings): PortInfo {
  const { slotBytes, minSlots, maxSlots } = pool;
  return Object.freeze({
    backend: native.backend,
    kernel: native.kernel,
    features: native.features,
    rejected: native.rejected,
    pool: Object.freeze({ slotBytes, minSlots, maxSlots }),
    entries: native.entries,
  });
}
