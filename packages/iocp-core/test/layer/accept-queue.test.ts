import { describe, expect, it } from 'vitest';
import { AcceptQueue } from '../../src/layer/index.js';

describe('what was accepted', () => {
  it('waits to be taken, in order', async () => {
    const queue = new AcceptQueue<string>();
    queue.push('a');
    queue.push('b');
    expect(queue.length).toBe(2);
    expect([await queue.take(undefined), await queue.take(undefined), queue.length]).toEqual(['a', 'b', 0]);
  });

  it('goes to whoever has waited longest', async () => {
    const queue = new AcceptQueue<string>();
    const takes = [queue.take(undefined), queue.take(undefined)];
    queue.push('a');
    queue.push('b');
    expect(await Promise.all(takes)).toEqual(['a', 'b']);
    expect(queue.length).toBe(0);
  });

  it('is not lost to a wait that was canceled', async () => {
    const queue = new AcceptQueue<string>();
    const controller = new AbortController();
    const canceled = queue.take(controller.signal);
    const patient = queue.take(undefined);
    controller.abort(new Error('enough'));
    await expect(canceled).rejects.toThrow('enough');
    await expect(queue.take(controller.signal)).rejects.toThrow('enough');
    queue.push('a');
    expect(await patient).toBe('a');
  });

  it('is given back when the queue closes, and those who wait get null', async () => {
    const idle = new AcceptQueue<string>();
    const waiting = idle.take(undefined);
    expect(idle.close()).toEqual([]);
    expect([await waiting, await idle.take(undefined)]).toEqual([null, null]);
    const full = new AcceptQueue<string>();
    full.push('a');
    expect([full.close(), full.length]).toEqual([['a'], 0]);
  });

  it('says why there will be nothing', async () => {
    const queue = new AcceptQueue<string>();
    const waiting = queue.take(undefined);
    queue.close(new Error('broken'));
    await expect(waiting).rejects.toThrow('broken');
    await expect(queue.take(undefined)).rejects.toThrow('broken');
  });
});
