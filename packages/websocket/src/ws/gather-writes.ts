import type { Duplex } from 'node:stream';

/**
 * What is written to the stream within one turn of the event loop leaves as one write: from the first on the stream is corked
 * until the turn's callbacks have run. Once per stream.
 */
export function gatherWrites(stream: Duplex): void {
  const write = stream.write as (chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;
  let corked = false;
  const uncork = (): void => {
    corked = false;
    stream.uncork();
  };
  stream.write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return write.call(stream, chunk, encoding, callback);
  };
}
