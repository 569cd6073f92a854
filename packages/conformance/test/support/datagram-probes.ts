/** Handlers for operations on datagram sockets that remember what happened and can be waited for. */

import {
  CompleteFlag,
  type CompletionHandler,
  type CompletionPort,
  type DatagramList,
  IncomingFlag,
  IncomingWord,
  Limit,
  Operation,
  type Socket,
  type Token,
} from '@iocp/core';
import { DatagramAddress } from '@iocp/core/layer';
import { withDeadline } from '@iocp/testkit';

const deadlineMs = 15_000;

/** What every probe knows; breaches of the rules for completions are collected in `violations`. */
export abstract class OperationProbe implements CompletionHandler {
  readonly asyncResource = null;
  readonly violations: string[] = [];
  token: Token | null = null;
  /** Result of the last completion. */
  result: number | null = null;
  readonly #waiters = new Set<() => void>();
  readonly #operation: Operation;

  constructor(operation: Operation) {
    this.#operation = operation;
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number): void {
    if (operation !== this.#operation) this.violations.push(`operation ${operation}`);
    if (this.result !== null) this.violations.push('a completion after the operation had settled');
    const more = (flags & CompleteFlag.MORE) !== 0;
    if (more) this.onMore(result, flags, value);
    else if (flags !== 0) this.violations.push(`the last completion has flags: ${flags}`);
    if (!more) {
      this.result = result;
      this.onSettled();
    }
    for (const wake of this.#waiters) wake();
  }

  /** Waits until the condition holds, which is looked at after each completion. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    let wake = () => {};
    const met = new Promise<void>((resolve) => {
      wake = () => condition() && resolve();
      this.#waiters.add(wake);
    });
    try {
      await withDeadline(met, deadlineMs, () => `${what}; ${this.describe()}`);
    } finally {
      this.#waiters.delete(wake);
    }
  }

  async settled(): Promise<number> {
    await this.until('the end of the operation', () => this.result !== null);
    return this.result as number;
  }

  protected describe(): string {
    return `operation ${this.#operation} has the result ${this.result}`;
  }

  protected onMore(_result: number, flags: number, _value: number): void {
    this.violations.push(`more completions, with flags ${flags}`);
  }

  protected onSettled(): void {}
}

/** CLOSE, and other operations of one completion. */
export class SingleProbe extends OperationProbe {}

/** A received datagram; the data is a copy. */
export interface Received {
  readonly data: Buffer;
  readonly from: DatagramAddress;
  readonly truncated: boolean;
  readonly local: DatagramAddress | undefined;
  readonly interfaceIndex: number | undefined;
  readonly tos: number | undefined;
  readonly ttl: number | undefined;
  /** 0: it is one datagram. */
  readonly segmentBytes: number;
}

export interface ReceiveProbeOptions {
  /** Called with each datagram while its slot is lent. */
  readonly onSlot?: ((slot: number, byteCount: number) => void) | undefined;
}

/** RECV_FROM. */
export class ReceiveProbe extends OperationProbe {
  readonly datagrams: Received[] = [];
  readonly #port: CompletionPort;
  readonly #options: ReceiveProbeOptions;

  constructor(port: CompletionPort, options: ReceiveProbeOptions) {
    super(Operation.RECV_FROM);
    this.#port = port;
    this.#options = options;
  }

  /** The payloads as text, sorted: datagrams have no order. */
  get texts(): string[] {
    return this.datagrams.map(({ data }) => data.toString('latin1')).sort();
  }

  untilReceived(count: number): Promise<void> {
    return this.until(`${count} datagrams`, () => this.datagrams.length >= count);
  }

  protected override describe(): string {
    return `${super.describe()} after ${this.datagrams.length} datagrams`;
  }

  protected override onMore(result: number, flags: number, slot: number): void {
    const { pool } = this.#port;
    if (flags !== (CompleteFlag.MORE | CompleteFlag.SLOT))
      this.violations.push(`a datagram with flags ${flags}`);
    if (result < 0 || result > pool.slotBytes - Limit.DATAGRAM_OFFSET) {
      this.violations.push(`a datagram of ${result} bytes`);
      return;
    }
    const { words } = pool;
    const header = pool.wordOf(slot);
    const word = (at: number) => words[header + at] ?? 0;
    const family = (word(IncomingWord.FAMILY) & 0xff) === 4 ? 'IPv4' : 'IPv6';
    const has = (flag: number) => ((word(IncomingWord.FAMILY) >> 8) & flag) !== 0;
    const addressAt = (at: number, port: number) =>
      new DatagramAddress(
        family,
        port,
        word(IncomingWord.SCOPE),
        ...([0, 1, 2, 3].map((each) => word(at + each)) as [number, number, number, number]),
      );
    this.datagrams.push({
      data: Buffer.from(pool.viewAt(slot, Limit.DATAGRAM_OFFSET, result)),
      from: addressAt(IncomingWord.ADDRESS, word(IncomingWord.PORT)),
      truncated: has(IncomingFlag.TRUNCATED),
      local: has(IncomingFlag.LOCAL) ? addressAt(IncomingWord.LOCAL, 0) : undefined,
      interfaceIndex: has(IncomingFlag.LOCAL) ? word(IncomingWord.INTERFACE) : undefined,
      tos: has(IncomingFlag.TOS) ? word(IncomingWord.TOS) : undefined,
      ttl: has(IncomingFlag.TTL) ? word(IncomingWord.TTL) : undefined,
      segmentBytes: word(IncomingWord.SEGMENT_BYTES),
    });
    this.#options.onSlot?.(slot, result);
  }
}

/** SEND_TO; its list is released when it has settled. */
export class SendProbe extends OperationProbe {
  /** Errors of refused entries, by number. */
  readonly refused = new Map<number, number>();
  readonly #list: DatagramList;
  readonly #entries: number;
  readonly #onSettled: (list: DatagramList) => void;

  /** @param onSettled called before the list is released */
  constructor(list: DatagramList, onSettled: (list: DatagramList) => void = () => {}) {
    super(Operation.SEND_TO);
    this.#list = list;
    this.#entries = list.count;
    this.#onSettled = onSettled;
  }

  protected override onMore(result: number, flags: number, entry: number): void {
    if (flags !== CompleteFlag.MORE) this.violations.push(`a refusal with flags ${flags}`);
    if (result >= 0) this.violations.push(`a refusal with the result ${result}`);
    if (entry < 0 || entry >= this.#entries) this.violations.push(`a refusal of entry ${entry}`);
    if (this.refused.has(entry)) this.violations.push(`entry ${entry} was refused twice`);
    this.refused.set(entry, result);
  }

  protected override onSettled(): void {
    const taken = this.result ?? 0;
    if (taken > this.#entries - this.refused.size) this.violations.push(`${taken} of ${this.#entries} taken`);
    this.#onSettled(this.#list);
    this.#list.releaseAll();
  }
}

/** Waits for an operation to be over and tells what broke the rules. */
export function brokenRules(probes: Iterable<OperationProbe>): string[] {
  return [...probes].flatMap(({ violations }) => violations);
}

/** The address a socket is bound to. */
export function addressOf(socket: Socket): DatagramAddress {
  const own = socket.address();
  if (own === null) throw new Error('The socket has no address');
  return DatagramAddress.of(own.address, own.port);
}
