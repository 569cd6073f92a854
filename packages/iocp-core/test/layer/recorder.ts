import type { Channel, Receiver } from '../../src/layer/index.js';

/** A receiver that writes down what happens, and lets a test wait for it. */
export class Recorder implements Receiver {
  readonly events: string[] = [];
  received = '';
  error: Error | null | undefined;
  onBytes: ((bytes: Uint8Array) => void) | undefined;
  private waiters: { done: () => boolean; resolve: () => void }[] = [];

  onData(data: Uint8Array): void {
    const text = Buffer.from(data).toString('latin1');
    this.received += text;
    this.note('data');
    this.onBytes?.(data);
  }

  onEnd(): void {
    this.note('end');
  }

  onDrain(): void {
    this.note('drain');
  }

  onClose(error: Error | null): void {
    this.error = error;
    this.note('close');
  }

  note(event: string): void {
    if (event !== 'data' || this.events.at(-1) !== 'data') this.events.push(event);
    for (const waiter of this.waiters.filter((each) => each.done())) waiter.resolve();
    this.waiters = this.waiters.filter((each) => !each.done());
  }

  until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ done, resolve }));
  }

  seen(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }
}

export function record(channel: Channel): Recorder {
  const recorder = new Recorder();
  channel.attach(recorder);
  return recorder;
}

/** Long enough for everything that is due without the network: several turns of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function text(bytes: Uint8Array | readonly Uint8Array[]): string {
  const all = bytes instanceof Uint8Array ? [bytes] : bytes;
  return Buffer.concat(all).toString('latin1');
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** What would have been an uncaught exception while `action` runs. */
export async function uncaughtDuring(action: () => Promise<void> | void): Promise<unknown[]> {
  const before = process.listeners('uncaughtException');
  const caught: unknown[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  try {
    await action();
    await turns();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return caught;
}
