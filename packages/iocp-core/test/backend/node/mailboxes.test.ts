import { BroadcastChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { closeMailbox, isNodeMailbox, openMailbox, postToNode } from '../../../src/backend/node/mailboxes.js';

test('numbers are safe integers, all different, and none that the addon gives', () => {
  const ids = Array.from({ length: 10_000 }, () => openMailbox(() => true));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => Number.isSafeInteger(id) && isNodeMailbox(id))).toBe(true);
  expect(isNodeMailbox(1)).toBe(false);
  expect(isNodeMailbox(2 ** 40)).toBe(false);
  for (const id of ids) closeMailbox(id);
});

test('posts in one thread arrive at once, until the mailbox is full or closed', () => {
  const values: number[] = [];
  const id = openMailbox((value) => values.push(value) <= 2);
  expect([1, 2, 3].map((value) => postToNode(id, value))).toEqual([true, true, false]);
  closeMailbox(id);
  closeMailbox(id);
  expect(postToNode(id, 4)).toBe(false);
  expect(values).toEqual([1, 2, 3]);
});

test('what nobody here has opened is broadcast, and what is broadcast finds the mailbox', async () => {
  const elsewhere = new BroadcastChannel('@iocp/core mailboxes');
  const heard = new Promise((resolve) => {
    elsewhere.onmessage = (event) => resolve((event as { data: unknown }).data);
  });
  expect(postToNode(2 ** 53 - 1, 5)).toBe(true);
  expect(await heard).toEqual([2 ** 53 - 1, 5]);
  const received = new Promise((resolve) => {
    const id = openMailbox((value) => {
      resolve([id, value]);
      return true;
    });
    elsewhere.postMessage([id + 1, 1]);
    elsewhere.postMessage([id, 9]);
  });
  const [id, value] = (await received) as [number, number];
  expect(value).toBe(9);
  closeMailbox(id);
  elsewhere.close();
});
