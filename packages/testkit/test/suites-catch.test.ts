/** The suites are worth something only if they fail for channels and engines that break the rules. */

import {
  type Channel,
  IoError,
  type Lease,
  lease,
  type Receiver,
  type WriteCallback,
} from '@iocp/core/layer';
import { describe, expect, it } from 'vitest';
import { assertNoLeaks, channelSuite, engineSuite, layerSuite, MemoryNetwork } from '../src/index.js';
import { CollectingRunner } from './collecting-runner.js';

/** A channel over a channel that does nothing of its own. Each of the broken ones changes one thing. */
class Forwarding implements Channel, Receiver {
  protected upper: Receiver | null = null;

  constructor(protected readonly lower: Channel) {}

  attach(receiver: Receiver): void {
    this.lower.attach(this);
    this.upper = receiver;
  }
  detach(): Uint8Array[] {
    this.upper = null;
    return this.lower.detach();
  }
  pause(): void {
    this.lower.pause();
  }
  resume(): void {
    this.lower.resume();
  }
  write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
    return this.lower.write(chunks, done);
  }
  cork(): void {
    this.lower.cork();
  }
  uncork(): void {
    this.lower.uncork();
  }
  end(): void {
    this.lower.end();
  }
  abort(reason?: Error): void {
    this.lower.abort(reason);
  }
  get bufferedAmount(): number {
    return this.lower.bufferedAmount;
  }
  get info() {
    return this.lower.info;
  }
  get closed(): boolean {
    return this.lower.closed;
  }
  onData(data: Uint8Array): void {
    this.upper?.onData(data);
  }
  onEnd(): void {
    this.upper?.onEnd();
  }
  onDrain(): void {
    this.upper?.onDrain();
  }
  onClose(error: Error | null): void {
    this.upper?.onClose(error);
  }
}

/** What each broken channel does wrong, and the item of the list that must notice. */
const broken: Record<string, [item: string, channel: new (lower: Channel) => Channel]> = {
  'loses a byte': [
    '[1]',
    class extends Forwarding {
      override onData(data: Uint8Array): void {
        super.onData(data.byteLength > 100 ? data.subarray(1) : data);
      }
    },
  ],
  'calls the first callback late': [
    '[3]',
    class extends Forwarding {
      #first = true;
      override write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
        const late = this.#first;
        this.#first = false;
        return super.write(
          chunks,
          late ? (error) => setImmediate(() => setImmediate(() => done?.(error))) : done,
        );
      }
    },
  ],
  'calls back from inside write': [
    '[3]',
    class extends Forwarding {
      override write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
        done?.(null);
        return super.write(chunks);
      }
    },
  ],
  'never drains': [
    '[4]',
    class extends Forwarding {
      override onDrain(): void {}
    },
  ],
  'drains twice': [
    '[4]',
    class extends Forwarding {
      override onDrain(): void {
        super.onDrain();
        super.onDrain();
      }
    },
  ],
  'delivers one more chunk after pause': [
    '[5]',
    class extends Forwarding {
      override pause(): void {
        setImmediate(() => super.pause());
      }
    },
  ],
  'keeps what a paused reader does not take': [
    '[6]',
    class extends Forwarding {
      #held: Uint8Array[] | null = null;
      override pause(): void {
        this.#held ??= [];
      }
      override resume(): void {
        queueMicrotask(() => {
          const held = this.#held ?? [];
          this.#held = null;
          for (const data of held) super.onData(data);
        });
      }
      override onData(data: Uint8Array): void {
        if (this.#held === null) super.onData(data);
        else this.#held.push(new Uint8Array(data));
      }
    },
  ],
  'ends both directions at once': [
    '[7]',
    class extends Forwarding {
      override onEnd(): void {
        super.onEnd();
        this.lower.end();
      }
    },
  ],
  'closes twice': [
    '[8]',
    class extends Forwarding {
      override onClose(error: Error | null): void {
        super.onClose(error);
        super.onClose(error);
      }
    },
  ],
  'closes before its callbacks': [
    '[9]',
    class extends Forwarding {
      override write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
        return super.write(chunks, done && ((error) => setImmediate(() => done(error))));
      }
    },
  ],
  'takes a reset for an end': [
    '[10]',
    class extends Forwarding {
      override onClose(error: Error | null): void {
        if (error !== null) super.onEnd();
        super.onClose(null);
      }
    },
  ],
  'does not close when it is busy': [
    '[12]',
    class extends Forwarding {
      #busy = 0;
      override write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
        this.#busy++;
        return super.write(chunks, (error) => {
          this.#busy--;
          done?.(error);
        });
      }
      override abort(reason?: Error): void {
        if (this.#busy === 0) super.abort(reason);
      }
    },
  ],
  'keeps a lease': [
    '[13]',
    class extends Forwarding {
      #lease: Lease | null = null;
      override onData(data: Uint8Array): void {
        this.#lease ??= lease(data);
        super.onData(data);
      }
    },
  ],
  'lends bytes that are its own': [
    '[14]',
    class extends Forwarding {
      override onData(data: Uint8Array): void {
        super.onData(new Uint8Array(data));
      }
    },
  ],
  'takes an exhausted pool for an error': [
    '[15]',
    class extends Forwarding {
      #delivered = 0;
      override onData(data: Uint8Array): void {
        super.onData(data);
        if (++this.#delivered === 16) this.abort(new IoError('no slots', { code: 'ENOBUFS' }));
      }
    },
  ],
  'forgets what was not delivered': [
    '[16]',
    class extends Forwarding {
      override detach(): Uint8Array[] {
        super.detach();
        return [];
      }
    },
  ],
  'throws when it has closed': [
    '[17]',
    class extends Forwarding {
      override end(): void {
        if (this.closed) throw new TypeError("Cannot read properties of null (reading 'end')");
        super.end();
      }
    },
  ],
  'swaps bytes now and then': [
    '[19]',
    class extends Forwarding {
      override onData(data: Uint8Array): void {
        if (data.byteLength === 4096) data.reverse();
        super.onData(data);
      }
    },
  ],
};

function suiteFor(channel: new (lower: Channel) => Channel): CollectingRunner {
  const runner = new CollectingRunner();
  channelSuite(
    runner,
    {
      async setup() {
        const network = new MemoryNetwork();
        return {
          deadlineMs: 300,
          async pair() {
            const { near, far } = network.pair();
            return { near: new channel(near), far: new channel(far) };
          },
          assertReleased: () => assertNoLeaks(network, { turnsMax: 100 }),
        };
      },
      teardown: (source) => source.assertReleased(),
    },
    { lentBytesBecome: 'poisoned', bytesUntilBlocked: 1024 * 1024, stressRounds: 20, soakRounds: 10 },
  );
  return runner;
}

describe('the channel suite', () => {
  it('finds nothing wrong with a channel that only forwards', { timeout: 60_000 }, async () => {
    expect(await suiteFor(Forwarding).failures('')).toEqual([]);
  });

  for (const [name, [item, channel]] of Object.entries(broken)) {
    it(`notices with ${item} a channel that ${name}`, { timeout: 60_000 }, async () => {
      expect(await suiteFor(channel).failures(item)).not.toEqual([]);
    });
  }
});

describe('the layer suite', () => {
  class Rounding extends Forwarding {
    override onData(data: Uint8Array): void {
      super.onData(data.subarray(0, Math.max(1, data.byteLength & ~1)));
    }
  }

  function failuresOf(channel: new (lower: Channel) => Channel, prefix: string): Promise<string[]> {
    const layer = { name: 'broken', wrap: async (lower: Channel) => new channel(lower) };
    const runner = new CollectingRunner();
    layerSuite(runner, { setup: async () => ({ client: layer, server: layer }), teardown: async () => {} });
    const own = runner.tests.slice(runner.tests.findIndex(({ name }) => name.startsWith('adds its name')));
    return runner.failures(prefix, own);
  }

  it('notices a layer that depends on the cuts', async () => {
    expect(await failuresOf(Rounding, '[2]')).not.toEqual([]);
  });

  it('notices a layer that takes a reset for an end', async () => {
    expect(await failuresOf(broken['takes a reset for an end']?.[1] ?? Forwarding, '[10]')).not.toEqual([]);
  });

  it('notices a layer without a name in the protocols', async () => {
    expect(await failuresOf(Forwarding, 'adds its name')).toHaveLength(1);
  });

  it('notices a layer that does not heed its signal', async () => {
    expect(await failuresOf(Forwarding, 'aborts the lower channel when the signal')).toHaveLength(1);
  });
});

/** A decoder of lines. */
function decodeLines(parts: Iterable<Uint8Array>): string[] {
  const lines: string[] = [];
  let rest = '';
  for (const part of parts) {
    const pieces = (rest + Buffer.from(part).toString('latin1')).split('\n');
    rest = pieces.pop() as string;
    lines.push(...pieces);
  }
  return lines;
}

describe('the engine suite', () => {
  const samples = [Buffer.from('one\ntwo\n')];

  async function failuresOf(
    decode: (parts: Iterable<Uint8Array>) => unknown[],
    item: string,
  ): Promise<string[]> {
    const runner = new CollectingRunner();
    engineSuite(runner, { decode, samples });
    return runner.failures(item);
  }

  it('finds nothing wrong with an engine that does as it should', async () => {
    expect(await failuresOf(decodeLines, '')).toEqual([]);
  });

  it('notices an engine that depends on the cuts', async () => {
    const decode = (parts: Iterable<Uint8Array>) =>
      Array.from(parts, (part) => Buffer.from(part).toString('latin1'));
    expect(await failuresOf(decode, '[2]')).toHaveLength(2);
  });

  it('notices an engine that keeps lent bytes', async () => {
    const decode = (parts: Iterable<Uint8Array>) => [Buffer.concat([...parts]).toString('latin1')];
    expect(await failuresOf(decode, '[2]')).not.toEqual([]);
  });

  it('notices an engine that throws errors without a code', async () => {
    const decode = (parts: Iterable<Uint8Array>) =>
      decodeLines(parts).map((line) => {
        if (!/^[a-z]+$/.test(line)) throw new TypeError('unexpected character');
        return line;
      });
    expect(await failuresOf(decode, '[20]')).not.toEqual([]);
  });
});
