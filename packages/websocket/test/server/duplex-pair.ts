import { Duplex } from 'node:stream';

/** Two streams that are each other's other end; Node 20 has none of its own. */
export function duplexPair(): [Duplex, Duplex] {
  const left = new End();
  const right = new End();
  left.other = right;
  right.other = left;
  return [left, right];
}

class End extends Duplex {
  other!: End;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.other.push(chunk);
    callback();
  }

  override _final(callback: () => void): void {
    this.other.push(null);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    setImmediate(() => this.other.destroy());
    callback(error);
  }
}
