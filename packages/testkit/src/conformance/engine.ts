/** Engine suite: parsers and state machines without input and output. Cuts must not matter, rubbish must not crash. */

import assert from 'node:assert/strict';
import { byteByByte, everySplitInTwo, randomSplit, withBitFlipped } from '../chunkings.js';
import { POISON } from '../lent-memory.js';
import { withSeed } from '../prng.js';
import type { TestRunner } from '../runner.js';
import { codeOf } from '../transcript.js';

/** An engine, as a function from input to what came out. */
export interface EngineSubject<Event> {
  /**
   * Feeds the parts, in order, to a new engine and gives the events that came out. Throws what the engine throws, or
   * reports, for a broken input. The events must not depend on the cuts: join what the engine hands out in pieces.
   * Each part is lent: it is overwritten when the next one is asked for, so copy what the events keep of it.
   */
  decode(parts: Iterable<Uint8Array>): readonly Event[];
  /** Inputs that decode without an error; short ones (up to some 100 bytes) are cut at every offset. */
  readonly samples: readonly Uint8Array[];
  /** Rounds of each random test. Default 300. */
  readonly rounds?: number;
}

/** Registers the tests that every sans-I/O engine must pass. */
export function engineSuite<Event>(runner: TestRunner, subject: EngineSubject<Event>): void {
  const rounds = subject.rounds ?? 300;

  runner.it('[2] gives the same events for every split in two', async () => {
    for (const sample of subject.samples) {
      const expected = subject.decode([sample]);
      assert.deepEqual(subject.decode(lend([sample])), expected, 'lent bytes were kept');
      for (const parts of everySplitInTwo(sample)) {
        assert.deepEqual(subject.decode(lend(parts)), expected, `cut at ${parts[0].byteLength}`);
      }
    }
  });

  runner.it('[2] gives the same events byte by byte and for random cuts', async () => {
    await withSeed((random) => {
      for (const sample of subject.samples) {
        const expected = subject.decode([sample]);
        assert.ok(expected.length > 0, 'a sample must give events');
        assert.deepEqual(subject.decode(lend(byteByByte(sample))), expected);
        for (let round = 0; round < rounds / 10; round++) {
          assert.deepEqual(subject.decode(lend(randomSplit(sample, random))), expected);
        }
      }
    });
  });

  runner.it('[20] answers a turned bit with events or a coded error, whatever the cuts', async () => {
    await withSeed((random) => {
      for (let round = 0; round < rounds; round++) {
        const sample = random.pick(subject.samples);
        const input = withBitFlipped(sample, random.integer(0, sample.byteLength * 8 - 1));
        assert.deepEqual(outcome(subject, randomSplit(input, random)), outcome(subject, [input]));
      }
    });
  });

  runner.it('[20] answers rubbish and broken-off input with events or a coded error', async () => {
    await withSeed((random) => {
      for (let round = 0; round < rounds; round++) {
        const sample = random.pick(subject.samples);
        const brokenOff = sample.subarray(0, random.integer(0, sample.byteLength - 1));
        outcome(subject, randomSplit(brokenOff, random));
        outcome(subject, randomSplit(random.bytes(random.integer(1, 400)), random));
      }
    });
  });
}

/** The parts, each as a Buffer that is overwritten after its turn, as those of a channel are. */
function* lend(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const part of parts) {
    const lent = Buffer.from(part);
    yield lent;
    lent.fill(POISON);
  }
}

/** The events, or the code of the error. An error without a code fails the test. */
function outcome<Event>(subject: EngineSubject<Event>, parts: readonly Uint8Array[]): unknown {
  try {
    return subject.decode(lend(parts));
  } catch (error) {
    assertCoded(error);
    return codeOf(error);
  }
}

/** Fails unless the error has a code: an `E…` of the system, an `ERR_…` of ours, a name of OpenSSL's as Node.js has them. */
export function assertCoded(error: unknown): void {
  const code = codeOf(error);
  if (code !== undefined && /^[A-Z][A-Z0-9]*([_/][A-Z0-9]+)*$/.test(code)) return;
  assert.fail(`An error without a code came out: ${error instanceof Error ? error.stack : String(error)}`);
}
