import { build, type Histogram } from 'hdr-histogram-js';

/** Microseconds from sending to the reply. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Collects latencies, with a precision of three digits. */
export class LatencyRecorder {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
  });

  /** @param milliseconds how long each of `count` messages took */
  record(milliseconds: number, count: number): void {
    this.#histogram.recordValueWithCount(
      Math.min(Math.max(1, Math.round(milliseconds * 1000)), 60_000_000),
      count,
    );
  }

  reset(): void {
    this.#histogram.reset();
  }

  summary(): LatencySummary {
    const at = (percentile: number): number => this.#histogram.getValueAtPercentile(percentile);
    return { p50: at(50), p99: at(99), max: this.#histogram.maxValue };
  }
}
