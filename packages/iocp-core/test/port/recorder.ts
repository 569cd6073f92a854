import type { AsyncResource } from 'node:async_hooks';
import type { CompletionHandler } from '../../src/port/completion-handler.js';
import type { CompletionPort } from '../../src/port/completion-port.js';
import { CompleteFlag, type Operation } from '../../src/protocol.gen.js';

export interface Recorded {
  readonly operation: Operation;
  readonly result: number;
  readonly flags: number;
  readonly value: number;
  readonly extra: number;
  /** Copy of the bytes, when a slot came with it. */
  readonly bytes: Buffer | undefined;
}

/** A handler that remembers what it got and can be waited for. */
export class Recorder implements CompletionHandler {
  asyncResource: AsyncResource | null = null;
  readonly completions: Recorded[] = [];
  /** Called with each completion, in the call of the handler. */
  on: ((completion: Recorded) => void) | undefined;
  readonly #port: CompletionPort;
  #wake: (() => void) | undefined;

  constructor(port: CompletionPort) {
    this.#port = port;
  }

  onCompletion(operation: Operation, result: number, flags: number, value: number, extra: number): void {
    const lent = (flags & CompleteFlag.SLOT) !== 0 && result >= 0;
    const bytes = lent ? Buffer.from(this.#port.pool.view(value, result)) : undefined;
    const completion = { operation, result, flags, value, extra, bytes };
    this.completions.push(completion);
    this.#wake?.();
    this.on?.(completion);
  }

  get last(): Recorded {
    const last = this.completions.at(-1);
    if (last === undefined) throw new Error('nothing has completed');
    return last;
  }

  /** All bytes received. */
  get received(): Buffer {
    return Buffer.concat(this.completions.map(({ bytes }) => bytes ?? Buffer.alloc(0)));
  }

  /** The results of everything that settled, in order. */
  get settled(): number[] {
    return this.completions
      .filter(({ flags }) => (flags & CompleteFlag.MORE) === 0)
      .map(({ result }) => result);
  }

  /** Waits, as long as the test may take, until the condition holds. */
  async until(condition: (recorder: this) => boolean): Promise<this> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this;
  }

  /** Waits for the first completion. */
  first(): Promise<this> {
    return this.until((self) => self.completions.length > 0);
  }
}
