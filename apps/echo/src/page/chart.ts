import UPlot from 'uplot';
import type { LatencySample } from './latency-window.js';

const samplesMax = 120;
const height = 320;

/** Messages per second and latencies as they come, over the last samples. */
export class Chart {
  readonly #plot: UPlot;
  readonly #container: HTMLElement;
  readonly #times: number[] = [];
  readonly #rates: number[] = [];
  readonly #p50: (number | null)[] = [];
  readonly #p99: (number | null)[] = [];

  constructor(container: HTMLElement) {
    this.#container = container;
    const colour = (name: string): string => getComputedStyle(container).getPropertyValue(name);
    const axis = {
      stroke: () => getComputedStyle(container).color,
      grid: { stroke: 'rgb(128 128 128 / 25%)' },
    };
    this.#plot = new UPlot(
      {
        width: container.clientWidth,
        height,
        scales: {
          rate: { range: (_plot, _low, high) => [0, Math.max(1, high ?? 1) * 1.05] },
          ms: { range: (_plot, _low, high) => [0, Math.max(0.1, high ?? 0) * 1.05] },
        },
        axes: [
          axis,
          { ...axis, scale: 'rate', size: 70 },
          { ...axis, scale: 'ms', side: 1, grid: { show: false } },
        ],
        series: [
          {},
          { label: 'messages/s', scale: 'rate', stroke: colour('--rate'), width: 2 },
          { label: 'p50 ms', scale: 'ms', stroke: colour('--p50') },
          { label: 'p99 ms', scale: 'ms', stroke: colour('--p99') },
        ],
      },
      [this.#times, this.#rates, this.#p50, this.#p99],
      container,
    );
    new ResizeObserver(() => this.#plot.setSize({ width: container.clientWidth, height })).observe(container);
  }

  /** @param seconds when the sample was taken, as Unix time */
  add(seconds: number, { messagesPerSecond, p50, p99 }: LatencySample): void {
    this.#times.push(seconds);
    this.#rates.push(messagesPerSecond);
    this.#p50.push(p50);
    this.#p99.push(p99);
    const columns = [this.#times, this.#rates, this.#p50, this.#p99] as const;
    if (this.#times.length > samplesMax) for (const column of columns) column.shift();
    this.#plot.setData([...columns]);
    this.#container.dataset.samples = `${this.#times.length}`;
  }
}
