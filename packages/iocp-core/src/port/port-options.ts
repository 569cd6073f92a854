/** Options of a completion port, checked, with their defaults. */

import {
  invalidArgumentValue,
  validateBoolean,
  validateInteger,
  validateObject,
  validateOneOf,
} from '../layer/validate.js';
import { Limit } from '../protocol.gen.js';
import type { BackendChoice, FaultOptions } from './binding.js';
import type { BufferPoolSettings } from './buffer-pool.js';

/** How a completion port is made. */
export interface PortOptions {
  /**
   * Which backend: `'auto'` (default) takes the best that works and says in `port.info.rejected` why others do not: the last
   * resort is `'node'`, on `node:net`, which works everywhere. Any other choice fails when it does not work. The environment
   * variable `IOCP_BACKEND` is used when this is undefined.
   */
  readonly backend?: BackendChoice | undefined;
  readonly pool?: PoolOptions | undefined;
  /** Entries of io_uring's submission queue. 1 to 32768, rounded up to a power of two by the kernel. Default 1024. */
  readonly entries?: number | undefined;
  /**
   * For tests: released slots are overwritten, and lent bytes are copies that lose their memory when they are given back,
   * so that use after release shows. Slow. Default false.
   */
  readonly debug?: boolean | undefined;
  /** For tests, with the simulating build of the addon: faults injected at the completion. */
  readonly faults?: FaultOptions | undefined;
}

/** The memory that the kernel receives into. Only what was used is committed. */
export interface PoolOptions {
  /**
   * Bytes of one slot, a power of two from 4096 to 1048576. A receive never exceeds it. Default 32768, in which a TLS record of
   * full size has room.
   */
  readonly slotBytes?: number | undefined;
  /** Slots provided at first and when idle, 1 to `maxSlots`. Default 32, or `maxSlots` when that is less. */
  readonly minSlots?: number | undefined;
  /** The most slots, 1 to 32768; with `slotBytes` at most 1 GiB together. Default 2048. */
  readonly maxSlots?: number | undefined;
}

/** Every option with its value. */
export interface PortSettings {
  readonly backend: BackendChoice;
  readonly entries: number;
  readonly pool: BufferPoolSettings;
  readonly faults: FaultOptions | undefined;
}

const backends = ['auto', 'io_uring', 'epoll', 'iocp', 'node'] as const satisfies readonly BackendChoice[];
const slotBytesMin = 4096;
const slotBytesMax = 1024 * 1024;
const poolBytesMax = 1024 * 1024 * 1024;
const entriesMax = 32768;

export function portSettings(options: PortOptions): PortSettings {
  validateObject(options, 'options');
  const { entries = 1024, debug = false, faults } = options;
  validateInteger(entries, 'options.entries', 1, entriesMax);
  validateBoolean(debug, 'options.debug');
  if (faults !== undefined) validateObject(faults, 'options.faults');
  return {
    backend: chosenBackend(options.backend),
    entries,
    pool: poolSettings(options.pool ?? {}, debug),
    faults,
  };
}

function chosenBackend(option: unknown): BackendChoice {
  if (option !== undefined) {
    validateOneOf(option, 'options.backend', backends);
    return option;
  }
  const variable = process.env.IOCP_BACKEND;
  if (variable === undefined || variable === '') return 'auto';
  validateOneOf(variable, 'process.env.IOCP_BACKEND', backends);
  return variable;
}

function poolSettings(options: PoolOptions, debug: boolean): BufferPoolSettings {
  validateObject(options, 'options.pool');
  const { slotBytes = 32768, maxSlots = 2048 } = options;
  validateInteger(slotBytes, 'options.pool.slotBytes', slotBytesMin, slotBytesMax);
  if (!Number.isInteger(Math.log2(slotBytes))) {
    throw invalidArgumentValue('options.pool.slotBytes', slotBytes, 'must be a power of two');
  }
  const slotsMax = Math.min(Limit.SLOTS_MAX, poolBytesMax / slotBytes);
  validateInteger(maxSlots, 'options.pool.maxSlots', 1, slotsMax);
  const { minSlots = Math.min(32, maxSlots) } = options;
  validateInteger(minSlots, 'options.pool.minSlots', 1, maxSlots);
  return { slotBytes, minSlots, maxSlots, debug };
}
