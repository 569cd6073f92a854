/** What happened in a span of time. Latencies in milliseconds, `null` when there was no message. */
export interface LatencySample {
  readonly messagesPerSecond: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** Collects latencies between one sample and the next. */
export class LatencyWindow {
  #latencies: number[] = [];

  record(milliseconds: number): void {
    this.#latencies.push(milliseconds);
  }

  /** What was recorded since the last call. @param seconds how long that was */
  take(seconds: number): LatencySample {
    const sorted = Float64Array.from(this.#latencies).sort();
    this.#latencies = [];
    /** The lowest that so large a share does not exceed. */
    const at = (share: number): number | null => sorted[Math.ceil(sorted.length * share) - 1] ?? null;
    return { messagesPerSecond: sorted.length / seconds, p50: at(0.5), p99: at(0.99) };
  }
}
