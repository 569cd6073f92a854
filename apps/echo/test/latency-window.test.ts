import { expect, it } from 'vitest';
import { LatencyWindow } from '../src/page/latency-window.js';

it('gives rate and percentiles of what came since the last sample', () => {
  const window = new LatencyWindow();
  for (let each = 200; each >= 1; each--) window.record(each);
  expect(window.take(0.5)).toEqual({ messagesPerSecond: 400, p50: 100, p99: 198 });
  expect(window.take(0.5)).toEqual({ messagesPerSecond: 0, p50: null, p99: null });
  window.record(3);
  expect(window.take(2)).toEqual({ messagesPerSecond: 0.5, p50: 3, p99: 3 });
});
