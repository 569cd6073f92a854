import { expect, test } from 'vitest';
import type { CompletionHandler } from '../../src/port/completion-handler.js';
import { TokenTable } from '../../src/port/token-table.js';
import { Operation } from '../../src/protocol.gen.js';

const handler: CompletionHandler = { asyncResource: null, onCompletion() {} };

test('an index used again has another generation, and the old token finds nothing', () => {
  const table = new TokenTable();
  const first = table.acquire(Operation.RECV, handler);
  const old = table.tokenOf(first);
  table.release(first);
  const second = table.acquire(Operation.SEND, handler);
  expect(second).toBe(first);
  expect(table.tokenOf(second)).not.toBe(old);
  expect(table.handlerOf(TokenTable.indexOf(old), TokenTable.generationOf(old))).toBeNull();
  expect(table.handlerOf(second, table.generationOf(second))).toBe(handler);
  expect(table.operationOf(second)).toBe(Operation.SEND);
});

test('a token carries its index and generation', () => {
  const table = new TokenTable();
  table.acquire(Operation.RECV, handler);
  const index = table.acquire(Operation.RECV, handler);
  for (let round = 0; round < 5000; round++) {
    table.release(index);
    expect(table.acquire(Operation.RECV, handler)).toBe(index);
  }
  const token = table.tokenOf(index);
  expect(TokenTable.indexOf(token)).toBe(index);
  expect(TokenTable.generationOf(token)).toBe(5001);
});

test('growth keeps what is in flight, and all indices differ', () => {
  const table = new TokenTable();
  const handlers = Array.from({ length: 1000 }, () => ({ ...handler }));
  const indices = handlers.map((each) => table.acquire(Operation.RECV, each));
  expect(new Set(indices).size).toBe(1000);
  expect(table.live).toBe(1000);
  indices.forEach((index, at) => {
    expect(table.handlerOf(index, table.generationOf(index))).toBe(handlers[at]);
  });
  expect(table.liveIndices().sort((a, b) => a - b)).toEqual([...indices].sort((a, b) => a - b));
  for (const index of indices) table.release(index);
  expect(table.live).toBe(0);
  expect(table.liveIndices()).toEqual([]);
});

test('an index out of range and a free one find nothing', () => {
  const table = new TokenTable();
  expect(table.handlerOf(99999, 1)).toBeNull();
  expect(table.handlerOf(-1, 1)).toBeNull();
  expect(table.handlerOf(0, 1)).toBeNull();
});

test('there is a limit, and it is said which', () => {
  const table = new TokenTable();
  for (let count = 0; count < 2 ** 20; count++) table.acquire(Operation.POST, handler);
  expect(() => table.acquire(Operation.POST, handler)).toThrow(
    expect.objectContaining({ code: 'ERR_IOCP_OPERATIONS_MAX' }),
  );
});
