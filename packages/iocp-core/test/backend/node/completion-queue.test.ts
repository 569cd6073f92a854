import { expect, test } from 'vitest';
import { CompletionQueue } from '../../../src/backend/node/completion-queue.js';
import { CompletionWord, HEADER_WORDS, Limit, RECORD_WORDS } from '../../../src/protocol.gen.js';

const block = new Int32Array(HEADER_WORDS + Limit.COMPLETION_RECORDS * RECORD_WORDS);

function take(queue: CompletionQueue, max: number): number[] {
  const count = queue.moveTo(block, max);
  return Array.from(
    { length: count },
    (_, record) => block[HEADER_WORDS + record * RECORD_WORDS + CompletionWord.RESULT] ?? Number.NaN,
  );
}

test('gives every word of what was put in, first in, first out', () => {
  const queue = new CompletionQueue();
  queue.push(1, 2, 3, 4, 5, 6);
  expect(queue.moveTo(block, 10)).toBe(1);
  expect([...block.subarray(HEADER_WORDS, HEADER_WORDS + 6)]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(queue.moveTo(block, 10)).toBe(0);
});

test('keeps the order while it grows, empties and moves together', () => {
  const queue = new CompletionQueue();
  let written = 0;
  let read = 0;
  for (const [puts, takes] of [
    [200, 150],
    [180, 30],
    [100, 290],
    [3000, 1024],
    [10, 1024],
    [2000, 1024],
    [0, 1024],
    [0, 1024],
  ] as const) {
    for (let put = 0; put < puts; put++) queue.push(0, 0, 0, written++, 0, 0);
    const results = take(queue, takes);
    expect(results).toEqual(results.map((_, at) => read + at));
    read += results.length;
    expect(queue.length).toBe(written - read);
  }
  expect(read).toBe(written);
});
