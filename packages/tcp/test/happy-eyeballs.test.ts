import type { HostAddress } from '@iocp/core/layer';
import { describe, expect, test } from 'vitest';
import { HappyEyeballs, interleave } from '../src/happy-eyeballs.js';

const v6 = (address: string): HostAddress => ({ address, family: 6 });
const v4 = (address: string): HostAddress => ({ address, family: 4 });

describe('interleave', () => {
  test('families take turns, the first address leads, and the order within a family stays', () => {
    const ordered = interleave([v6('::1'), v6('::2'), v6('::3'), v4('1.1.1.1'), v4('2.2.2.2')]);
    expect(ordered.map(({ address }) => address)).toEqual(['::1', '1.1.1.1', '::2', '2.2.2.2', '::3']);
  });

  test('begins with IPv4 when the resolver does', () => {
    const ordered = interleave([v4('1.1.1.1'), v4('2.2.2.2'), v6('::1')]);
    expect(ordered.map(({ address }) => address)).toEqual(['1.1.1.1', '::1', '2.2.2.2']);
  });

  test('one family, and none', () => {
    expect(interleave([v4('1.1.1.1'), v4('2.2.2.2')])).toEqual([v4('1.1.1.1'), v4('2.2.2.2')]);
    expect(interleave([])).toEqual([]);
  });
});

/** Everything that is due at `nowMs`. */
function take(schedule: HappyEyeballs, nowMs: number): number[] {
  const started: number[] = [];
  for (let attempt = schedule.next(nowMs); attempt >= 0; attempt = schedule.next(nowMs))
    started.push(attempt);
  return started;
}

describe('HappyEyeballs', () => {
  test('starts one attempt at once and the next ones after the delay', () => {
    const schedule = new HappyEyeballs(3, 250);
    expect(take(schedule, 1000)).toEqual([0]);
    expect(schedule.dueAt).toBe(1250);
    expect(take(schedule, 1249)).toEqual([]);
    expect(take(schedule, 1250)).toEqual([1]);
    expect(schedule.dueAt).toBe(1500);
    expect(take(schedule, 1600)).toEqual([2]);
    expect(schedule.dueAt).toBe(Number.POSITIVE_INFINITY);
    expect(take(schedule, 99_999)).toEqual([]);
  });

  test('a late timer starts one attempt, not all that were missed', () => {
    const schedule = new HappyEyeballs(4, 250);
    take(schedule, 0);
    expect(take(schedule, 10_000)).toEqual([1]);
    expect(schedule.dueAt).toBe(10_250);
  });

  test('a failure of the newest attempt starts the next at once', () => {
    const schedule = new HappyEyeballs(3, 250);
    take(schedule, 0);
    schedule.failed(0, 20);
    expect(schedule.dueAt).toBe(20);
    expect(take(schedule, 20)).toEqual([1]);
    expect(schedule.dueAt).toBe(270);
  });

  test('a failure of an older attempt leaves the newest its time', () => {
    const schedule = new HappyEyeballs(3, 250);
    take(schedule, 0);
    take(schedule, 250);
    schedule.failed(0, 300);
    expect(take(schedule, 300)).toEqual([]);
    expect(schedule.dueAt).toBe(500);
  });

  test('the next starts at once when all that were started have failed, in whatever order', () => {
    const schedule = new HappyEyeballs(3, 250);
    take(schedule, 0);
    take(schedule, 250);
    schedule.failed(1, 300);
    take(schedule, 300);
    schedule.failed(0, 310);
    expect(schedule.exhausted).toBe(false);
    schedule.failed(2, 320);
    expect(schedule.exhausted).toBe(true);
  });

  test('is exhausted when every attempt has failed', () => {
    const schedule = new HappyEyeballs(2, 250);
    take(schedule, 0);
    schedule.failed(0, 1);
    expect(schedule.exhausted).toBe(false);
    take(schedule, 1);
    schedule.failed(1, 2);
    expect(schedule.exhausted).toBe(true);
    expect(schedule.dueAt).toBe(Number.POSITIVE_INFINITY);
  });

  test('nothing starts once it is decided', () => {
    const schedule = new HappyEyeballs(3, 250);
    take(schedule, 0);
    schedule.decide();
    expect(schedule.dueAt).toBe(Number.POSITIVE_INFINITY);
    schedule.failed(0, 10);
    expect(take(schedule, 99_999)).toEqual([]);
  });

  test('no addresses: exhausted from the start', () => {
    const schedule = new HappyEyeballs(0, 250);
    expect(take(schedule, 0)).toEqual([]);
    expect(schedule.exhausted).toBe(true);
  });
});
