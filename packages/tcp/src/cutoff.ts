/** What can end a wait early: the caller's signal, or the time allowed. */
export class Cutoff {
  /** What ended it; undefined while nothing has. */
  cause: 'signal' | 'timeout' | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #listener: (() => void) | undefined;
  readonly #onAbort = (): void => this.#cut('signal');

  /** @param timeoutMs 0: no limit */
  constructor(signal: AbortSignal | undefined, timeoutMs: number) {
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#cut('timeout'), timeoutMs);
  }

  /** Replaces the listener; calls it at once when the cut has come already. */
  onCut(listener: () => void): void {
    this.#listener = listener;
    if (this.cause !== undefined) listener();
  }

  /** To be called in every case: a long-lived signal would collect listeners. */
  dispose(): void {
    this.#listener = undefined;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #cut(cause: 'signal' | 'timeout'): void {
    if (this.cause !== undefined) return;
    this.cause = cause;
    this.#listener?.();
  }
}
