/** A handler for one operation that records its completions and holds the driver to the rules for them. */

import assert from 'node:assert/strict';
import type { CompletionHandler, CompletionPort, Operation, Socket, Token } from '@iocp/core';
import { concatenate } from '../../chunkings.js';
import type { Core } from './scene.js';

export interface CompletionRecord {
  readonly operation: Operation;
  readonly result: number;
  readonly flags: number;
}

export interface CompletionProbeOptions {
  /** Called with each lent slot, while it is lent, after its bytes were copied. */
  readonly onSlot?: (bytes: Uint8Array, slot: number) => void;
  /** Leave accepted sockets to the port. Default false. */
  readonly refuseSockets?: boolean;
  /** Called with each completion, last. */
  readonly onRecord?: (record: CompletionRecord) => void;
}

/** Watches one operation. Received bytes are copied, accepted sockets taken. */
export class CompletionProbe implements CompletionHandler {
  readonly asyncResource = null;
  readonly name: string;
  readonly records: CompletionRecord[] = [];
  readonly chunks: Uint8Array[] = [];
  readonly sockets: Socket[] = [];
  bytesReceived = 0;
  /** The last completion: the one that settled the operation. */
  settledWith: CompletionRecord | null = null;
  token: Token | null = null;
  readonly #core: Core;
  readonly port: CompletionPort;
  readonly #options: CompletionProbeOptions;
  readonly #violations: string[] = [];
  readonly #waiters = new Set<() => void>();

  constructor(core: Core, port: CompletionPort, name: string, options: CompletionProbeOptions = {}) {
    this.#core = core;
    this.port = port;
    this.name = name;
    this.#options = options;
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number, extra: number): void {
    const { CompleteFlag, Operation: codes } = this.#core;
    const record = { operation, result, flags };
    this.records.push(record);
    if (this.settledWith !== null) this.#violations.push('a completion after the operation had settled');
    const more = (flags & CompleteFlag.MORE) !== 0;
    if (more && operation !== codes.ACCEPT && operation !== codes.RECV && operation !== codes.POST) {
      this.#violations.push(`MORE on operation ${operation}`);
    }
    if ((flags & CompleteFlag.SLOT) !== 0) this.#takeBytes(value, result);
    if ((flags & CompleteFlag.HANDLE) !== 0 && this.#options.refuseSockets !== true) {
      this.sockets.push(this.port.socket(value, extra));
    }
    if (!more) this.settledWith = record;
    try {
      this.#options.onRecord?.(record);
    } finally {
      for (const wake of this.#waiters) wake();
    }
  }

  #takeBytes(slot: number, byteCount: number): void {
    if (byteCount > this.port.pool.slotBytes) this.#violations.push(`${byteCount} bytes in one slot`);
    // A slot without bytes is allowed: the end may come in one.
    if (byteCount <= 0) return;
    const view = this.port.pool.view(slot, byteCount);
    this.chunks.push(new Uint8Array(view));
    this.bytesReceived += byteCount;
    this.#options.onSlot?.(view, slot);
  }

  received(): Uint8Array<ArrayBuffer> {
    return concatenate(this.chunks);
  }

  /** Resolves when the condition holds; it is looked at after each completion of this operation. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    const deadlineMs = 10_000;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(wake);
        reject(
          new Error(`${this.name} is still waiting for ${what} after ${deadlineMs} ms\n${this.describe()}`),
        );
      }, deadlineMs);
      const wake = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
    });
  }

  async untilReceived(byteCount: number): Promise<void> {
    await this.until(`${byteCount} bytes (has ${this.bytesReceived})`, () => this.bytesReceived >= byteCount);
  }

  /** The next accepted socket that was not taken by this yet. */
  async nextSocket(): Promise<Socket> {
    await this.until('a connection', () => this.sockets.length > 0);
    return this.sockets.shift() as Socket;
  }

  /** Resolves with the result that settled the operation. */
  async settled(): Promise<number> {
    await this.until('the operation to settle', () => this.settledWith !== null);
    return this.settledWith?.result ?? 0;
  }

  /** Throws when a rule was broken, or the operation has not settled. */
  verify(): void {
    if (this.settledWith === null) this.#violations.push('the operation has not settled');
    if (this.#violations.length > 0) {
      assert.fail(`${this.name}: ${this.#violations.join('; ')}\n${this.describe()}`);
    }
  }

  describe(): string {
    const lines = this.records.slice(-20).map(({ result, flags }) => `  result ${result}, flags ${flags}`);
    return [`${this.name}, ${this.records.length} completions:`, ...lines].join('\n');
  }
}
