import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Watched, watchIdle } from '../src/idle-timeout.js';

class Line implements Watched {
  closed = false;
  bytes = 0;
  readonly idleAt: number[] = [];
  traffic(): number {
    return this.bytes;
  }
  onIdle(): void {
    this.idleAt.push(performance.now());
  }
}

describe('watchIdle', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('fires not before the time, and at most a quarter later, whenever the watch began', () => {
    const first = new Line();
    const firstWatch = watchIdle(first, 1000);
    for (const offset of [1, 100, 249, 250, 251, 600]) {
      vi.advanceTimersByTime(offset);
      const line = new Line();
      const begin = performance.now();
      const watch = watchIdle(line, 1000);
      vi.advanceTimersByTime(1500);
      expect(line.idleAt).toHaveLength(1);
      const after = (line.idleAt[0] as number) - begin;
      expect(after).toBeGreaterThanOrEqual(1000);
      expect(after).toBeLessThanOrEqual(1250);
      watch.stop();
    }
    firstWatch.stop();
  });

  test('traffic starts the time anew', () => {
    const line = new Line();
    const watch = watchIdle(line, 1000);
    for (let round = 0; round < 20; round++) {
      vi.advanceTimersByTime(700);
      line.bytes += 1;
    }
    expect(line.idleAt).toEqual([]);
    const last = performance.now();
    vi.advanceTimersByTime(1500);
    expect(line.idleAt).toHaveLength(1);
    expect((line.idleAt[0] as number) - last).toBeGreaterThanOrEqual(1000);
    watch.stop();
  });

  test('fires again after the same time of silence', () => {
    const line = new Line();
    const watch = watchIdle(line, 400);
    vi.advanceTimersByTime(2000);
    expect(line.idleAt.length).toBeGreaterThanOrEqual(4);
    expect((line.idleAt[1] as number) - (line.idleAt[0] as number)).toBe(400);
    watch.stop();
  });

  test('one timer serves all watches of one time and ends with the last, by stop() or because it closed', () => {
    const lines = Array.from({ length: 100 }, () => new Line());
    const watches = lines.map((line) => watchIdle(line, 1000));
    expect(vi.getTimerCount()).toBe(1);
    for (const watch of watches.slice(1)) {
      watch.stop();
      watch.stop();
    }
    expect(vi.getTimerCount()).toBe(1);
    (lines[0] as Line).closed = true;
    vi.advanceTimersByTime(250);
    expect(vi.getTimerCount()).toBe(0);
    expect(lines.flatMap((line) => line.idleAt)).toEqual([]);
  });

  test('a throw reaches the process and does not keep the others from their turn', async () => {
    const thrown: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => thrown.push(error));
    const bad = new Line();
    bad.onIdle = () => {
      throw new Error('mistake');
    };
    const good = new Line();
    const watches = [watchIdle(bad, 1000), watchIdle(good, 1000)];
    vi.advanceTimersByTime(1500);
    for (const watch of watches) watch.stop();
    await new Promise((resolve) => setImmediate(resolve));
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(thrown).toEqual([expect.objectContaining({ message: 'mistake' })]);
    expect(good.idleAt).toHaveLength(1);
  });
});
