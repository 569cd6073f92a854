import { expect, test } from 'vitest';
import { DATAGRAM_WORDS, SubmissionRing } from '../../src/port/submission-ring.js';
import {
  HEADER_WORDS,
  Limit,
  Operation,
  RECORD_WORDS,
  SubmissionHeader,
  SubmissionWord,
} from '../../src/protocol.gen.js';

function recordAt(ring: SubmissionRing, index: number): number[] {
  const start = HEADER_WORDS + index * RECORD_WORDS;
  return [...ring.block.subarray(start, start + RECORD_WORDS)];
}

const countOf = (ring: SubmissionRing) => ring.block[SubmissionHeader.COUNT];

test('an operation is one record, word by word as the protocol says', () => {
  const ring = new SubmissionRing();
  ring.operation(Operation.SHUTDOWN, 11, 12, 13, 14, 1);
  expect(countOf(ring)).toBe(1);
  const record = recordAt(ring, 0);
  expect(record[SubmissionWord.CODE]).toBe(Operation.SHUTDOWN);
  expect(record[SubmissionWord.TOKEN]).toBe(11);
  expect(record[SubmissionWord.TOKEN_GENERATION]).toBe(12);
  expect(record[SubmissionWord.HANDLE]).toBe(13);
  expect(record[SubmissionWord.HANDLE_GENERATION]).toBe(14);
  expect(record[SubmissionWord.A]).toBe(1);
});

test('a send of one segment is one record', () => {
  const ring = new SubmissionRing();
  ring.send(1, 2, 3, 4, [-1, 500, 64], 1);
  expect(countOf(ring)).toBe(1);
  expect(recordAt(ring, 0)).toEqual([Operation.SEND | (1 << 16), 1, 2, 3, 4, -1, 500, 64]);
});

test('a send of three segments is three records, the last half empty', () => {
  const ring = new SubmissionRing();
  ring.send(1, 2, 3, 4, [-1, 500, 64, 7, 0, 70000, -1, 9, 8], 3);
  expect(countOf(ring)).toBe(3);
  expect(recordAt(ring, 0).slice(0, 5)).toEqual([Operation.SEND | (3 << 16), 1, 2, 3, 4]);
  expect(recordAt(ring, 1)).toEqual([-1, 500, 64, 0, 7, 0, 70000, 0]);
  expect(recordAt(ring, 2).slice(0, 3)).toEqual([-1, 9, 8]);
});

test('words beyond the count of segments are not sent', () => {
  const ring = new SubmissionRing();
  ring.send(1, 2, 3, 4, [-1, 500, 64, -1, 600, 65, -1, 700, 66], 1);
  expect(countOf(ring)).toBe(1);
  expect(recordAt(ring, 0)[SubmissionWord.C]).toBe(64);
});

test('the records of a send stay together when the ring is full', () => {
  const ring = new SubmissionRing();
  const drains: number[] = [];
  ring.connect({
    flush() {
      drains.push(countOf(ring) ?? -1);
      ring.clear();
    },
  });
  for (let count = 0; count < Limit.SUBMISSION_RECORDS - 2; count++) ring.notice(Operation.PROVIDE, count);
  expect(drains).toEqual([]);
  ring.send(1, 2, 3, 4, [-1, 0, 1, -1, 2, 1, -1, 4, 1], 3);
  expect(drains).toEqual([Limit.SUBMISSION_RECORDS - 2]);
  expect(countOf(ring)).toBe(3);
  expect(recordAt(ring, 0)[SubmissionWord.TOKEN]).toBe(1);
});

test('the largest send fits, and exactly full is not drained', () => {
  const ring = new SubmissionRing();
  let drains = 0;
  ring.connect({
    flush() {
      drains++;
      ring.clear();
    },
  });
  const words = Array.from({ length: Limit.SEGMENTS_MAX * 3 }, (_, at) => at);
  ring.send(1, 2, 3, 4, words, Limit.SEGMENTS_MAX);
  expect(countOf(ring)).toBe(1 + Limit.SEGMENTS_MAX / 2);
  while ((countOf(ring) ?? 0) < Limit.SUBMISSION_RECORDS) ring.cancel(1, 2);
  expect(drains).toBe(0);
  ring.cancel(1, 2);
  expect(drains).toBe(1);
  expect(countOf(ring)).toBe(1);
});

test('a send of datagrams is two records each behind its own', () => {
  const ring = new SubmissionRing();
  const words = Int32Array.from({ length: 3 * DATAGRAM_WORDS }, (_, at) => 100 + at);
  ring.sendTo(1, 2, 3, 4, words, 2);
  expect(countOf(ring)).toBe(5);
  expect(recordAt(ring, 0).slice(0, 5)).toEqual([Operation.SEND_TO | (2 << 16), 1, 2, 3, 4]);
  const sent = [1, 2, 3, 4].flatMap((record) => recordAt(ring, record));
  expect(sent).toEqual([...words.subarray(0, 2 * DATAGRAM_WORDS)]);
  expect(ring.submissions).toBe(1);
});

test('the largest send of datagrams fits, in one piece', () => {
  const ring = new SubmissionRing();
  let drains = 0;
  ring.connect({
    flush() {
      drains++;
      ring.clear();
    },
  });
  const words = Int32Array.from({ length: Limit.DATAGRAMS_MAX * DATAGRAM_WORDS }, (_, at) => at);
  for (let count = 0; count < 4; count++) ring.sendTo(count, 2, 3, 4, words, Limit.DATAGRAMS_MAX);
  expect(drains).toBe(1);
  expect(countOf(ring)).toBe(1 + 2 * Limit.DATAGRAMS_MAX);
  expect(recordAt(ring, 0)[SubmissionWord.TOKEN]).toBe(3);
  const start = HEADER_WORDS + RECORD_WORDS;
  expect(ring.block.subarray(start, start + words.length)).toEqual(words);
});

test('without a driver a full ring forgets instead of failing', () => {
  const ring = new SubmissionRing();
  for (let count = 0; count <= Limit.SUBMISSION_RECORDS; count++) ring.notice(Operation.UNPIN, count);
  expect(countOf(ring)).toBe(1);
});
