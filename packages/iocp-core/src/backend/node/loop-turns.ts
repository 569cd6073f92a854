/** When the port has its turn in the event loop. */

import { AsyncResource } from 'node:async_hooks';

const forever = 2 ** 31 - 1;

/** What a port does in its turns. */
export interface LoopClient {
  /** Reads what was submitted. Soon after it was written; calls nobody. */
  drain(): void;
  /** Delivers completions. Once per turn of the loop. */
  deliver(): void;
}

/**
 * Drains are made when the callback that wrote the first record has ended (`process.nextTick`), deliveries after the loop
 * has looked at all sockets (`setImmediate`), so that one batch has what all of them brought. Both run in the async
 * context in which the port was made. Nothing of this keeps the process alive unless `ref()` says so.
 */
export class LoopTurns {
  readonly #client: LoopClient;
  readonly #context = new AsyncResource('IOCP_PORT');
  readonly #drainNow = (): void => this.#drain();
  readonly #deliverNow = (): void => this.#deliver();
  #drainDue = false;
  #immediate: NodeJS.Immediate | null = null;
  /**
   * For ports that hold nothing alive. Their immediates do not keep the loop from blocking, but a timer ends that soon;
   * whichever comes first delivers.
   */
  #timer: NodeJS.Timeout | null = null;
  #holder: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(client: LoopClient) {
    this.#client = client;
  }

  requestDrain(): void {
    if (this.#drainDue) return;
    this.#drainDue = true;
    process.nextTick(this.#drainNow);
  }

  requestDelivery(): void {
    if (this.#immediate !== null || this.#closed) return;
    this.#immediate = setImmediate(this.#deliverNow);
    if (this.#holder === null) this.#loosen(this.#immediate);
  }

  ref(): void {
    this.#holder ??= setInterval(() => {}, forever);
    this.#immediate?.ref();
  }

  unref(): void {
    if (this.#holder !== null) clearInterval(this.#holder);
    this.#holder = null;
    if (this.#immediate !== null) this.#loosen(this.#immediate);
  }

  close(): void {
    this.#closed = true;
    this.unref();
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#context.emitDestroy();
  }

  #loosen(immediate: NodeJS.Immediate): void {
    immediate.unref();
    if (this.#timer === null) this.#timer = setTimeout(this.#deliverNow, 0).unref();
    else this.#timer.refresh();
  }

  #drain(): void {
    this.#drainDue = false;
    if (!this.#closed) this.#context.runInAsyncScope(this.#client.drain, this.#client);
  }

  #deliver(): void {
    if (this.#immediate === null || this.#closed) return;
    clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#context.runInAsyncScope(this.#client.deliver, this.#client);
  }
}
