import { onAbort } from './signal.js';

interface Waiter<T> {
  resolve(value: T | null): void;
  reject(reason: unknown): void;
  stopListening(): void;
}

/** What a listener has accepted, and who waits for it. Cancelling a wait loses nothing. For transports and servers. */
export class AcceptQueue<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  #closed = false;
  #failure: Error | null = null;

  /** What waits to be taken. */
  get length(): number {
    return this.#items.length;
  }

  /** Gives it to whoever has waited longest, or keeps it. */
  push(item: T): void {
    for (const waiter of this.#waiters) {
      this.#forget(waiter);
      waiter.resolve(item);
      return;
    }
    this.#items.push(item);
  }

  /** The next item; null once closed. Rejects with `signal.reason`, or with what the queue failed with. */
  take(signal: AbortSignal | undefined): Promise<T | null> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        this.#forget(waiter);
        reject(signal?.reason);
      });
      const waiter: Waiter<T> = { resolve, reject, stopListening };
      this.#waiters.add(waiter);
    });
  }

  /** Nothing comes any more: those who wait get null, or `failure`. Returns what nobody has taken. */
  close(failure: Error | null = null): T[] {
    this.#closed = true;
    this.#failure = failure;
    for (const waiter of this.#waiters) {
      this.#forget(waiter);
      if (failure === null) waiter.resolve(null);
      else waiter.reject(failure);
    }
    return this.#items.splice(0);
  }

  #forget(waiter: Waiter<T>): void {
    waiter.stopListening();
    this.#waiters.delete(waiter);
  }
}
