import { describe, expect, it } from 'vitest';
import { type Channel, type Layer, stack } from '../../src/layer/index.js';
import { pipePair } from './pipe-channel.js';
import { record, turns } from './recorder.js';

/** A layer without a protocol: hands the lower channel on, and writes down how it was asked. */
function passThrough(name: string, log: string[]): Layer {
  return {
    name,
    async wrap(lower, role) {
      log.push(`${name} as ${role}`);
      return lower;
    },
  };
}

describe('stack', () => {
  it('wraps from the bottom up', async () => {
    const [left] = pipePair();
    const log: string[] = [];
    const top = await stack(left, 'server', [passThrough('a', log), passThrough('b', log)]);
    expect(log).toEqual(['a as server', 'b as server']);
    expect(top).toBe(left);
    expect(await stack(left, 'client', [])).toBe(left);
  });

  it('aborts the channel when a layer fails', async () => {
    const [left] = pipePair();
    const own = record(left);
    const failure = new Error('no common protocol');
    const failing: Layer = { name: 'failing', wrap: () => Promise.reject(failure) };
    await expect(stack(left, 'client', [failing])).rejects.toBe(failure);
    await own.seen('close');
    expect(own.error).toBe(failure);
  });

  it('aborts the channel when its signal fires, even during a layer that does not look at it', async () => {
    const [left, other] = pipePair();
    const abort = new AbortController();
    let finish = (_channel: Channel): void => {};
    const slow: Layer = { name: 'slow', wrap: () => new Promise((resolve) => (finish = resolve)) };
    const stacked = stack(left, 'client', [slow], { signal: abort.signal });
    abort.abort();
    finish(left);
    await expect(stacked).rejects.toBe(abort.signal.reason);
    expect(left.closed).toBe(true);
    await expect(stack(other, 'client', [slow], { signal: abort.signal })).rejects.toBe(abort.signal.reason);
    expect(other.closed).toBe(true);
  });

  it('checks its arguments without touching the channel', async () => {
    const [left] = pipePair();
    await expect(stack(left, 'peer' as never, [])).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    await expect(stack(left, 'client', [{} as never])).rejects.toThrow(/layers\[0\]\.wrap/);
    await turns();
    expect(left.closed).toBe(false);
  });
});
