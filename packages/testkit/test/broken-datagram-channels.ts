/** Datagram channels that break the rules, each in one way. */

import {
  type Datagram,
  DatagramAddress,
  type DatagramBatch,
  type DatagramChannel,
  type DatagramReceiver,
  type DatagramSendOptions,
  IoError,
  type Lease,
  lease,
} from '@iocp/core/layer';
import { batchOf, Changing, changed, type Data, Forwarding } from './forwarding-datagrams.js';

/** What each broken channel does wrong, and the item of the list that must notice. */
export const brokenDatagramChannels: Record<
  string,
  [item: string, channel: new (lower: DatagramChannel) => DatagramChannel]
> = {
  'loses a byte of long ones': [
    '[1]',
    class extends Changing {
      protected override change({ data }: Datagram) {
        return { data: data.byteLength > 9000 ? data.subarray(1) : data };
      }
    },
  ],
  'drops empty datagrams': [
    '[1]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        if (data.length > 0) return super.send(data, to, options);
        queueMicrotask(() => options?.done?.(null));
        return true;
      }
    },
  ],
  'makes a datagram of each chunk': [
    '[1]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        if (!Array.isArray(data)) return super.send(data, to, options);
        return data.map((chunk) => super.send(chunk, to, options)).every((taken) => taken);
      }
    },
  ],
  'sends from the memory of the caller': [
    '[1]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        queueMicrotask(() => super.send(data, to, options));
        return true;
      }
    },
  ],
  'delivers everything twice': [
    '[1]',
    class extends Forwarding {
      override onDatagrams(batch: DatagramBatch): void {
        const twice = function* () {
          for (const datagram of batch) {
            yield datagram;
            yield datagram;
          }
        };
        super.onDatagrams(batchOf(twice(), batch.length * 2));
      }
    },
  ],
  'throws for what is too long': [
    '[2]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        if (data.length > this.payloadBytesMax) throw new IoError('too long', { code: 'EMSGSIZE' });
        return super.send(data, to, options);
      }
    },
  ],
  'does not say what was cut': [
    '[2]',
    class extends Changing {
      protected override change() {
        return { truncated: false };
      }
    },
  ],
  'takes a second receiver': [
    '[3]',
    class extends Forwarding {
      override attach(receiver: DatagramReceiver): void {
        if (this.upper === null) super.attach(receiver);
        else this.upper = receiver;
      }
    },
  ],
  'receives before attach': [
    '[3]',
    class extends Forwarding {
      constructor(lower: DatagramChannel) {
        super(lower);
        lower.attach(this);
      }
      override attach(receiver: DatagramReceiver): void {
        if (this.upper !== null) throw new IoError('twice', { code: 'ERR_CHANNEL_CONSUMER' });
        this.upper = receiver;
      }
    },
  ],
  'delivers one more batch after pause': [
    '[4]',
    class extends Forwarding {
      override pause(): void {
        setImmediate(() => super.pause());
      }
    },
  ],
  'forgets what arrives while paused': [
    '[4]',
    class extends Forwarding {
      #paused = false;
      override pause(): void {
        this.#paused = true;
      }
      override resume(): void {
        this.#paused = false;
      }
      override onDatagrams(batch: DatagramBatch): void {
        if (!this.#paused) super.onDatagrams(batch);
      }
    },
  ],
  'delivers from inside resume': [
    '[4]',
    class extends Forwarding {
      #held: DatagramBatch[] | null = null;
      override pause(): void {
        this.#held ??= [];
      }
      override resume(): void {
        const held = this.#held ?? [];
        this.#held = null;
        for (const batch of held) super.onDatagrams(batch);
      }
      override onDatagrams(batch: DatagramBatch): void {
        if (this.#held === null) super.onDatagrams(batch);
        else {
          const kept = Array.from(
            changed(batch, ({ data }) => ({ data: new Uint8Array(data) })),
            (each) => ({
              ...each,
            }),
          );
          this.#held.push(batchOf(kept, kept.length));
        }
      }
    },
  ],
  'lends bytes that are its own': [
    '[5]',
    class extends Changing {
      protected override change({ data }: Datagram) {
        return { data: new Uint8Array(data) };
      }
    },
  ],
  'lends less time than it should': [
    '[5]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        // The copy by the owner of the bytes is too late: they are somebody else's by then.
        const views = Array.isArray(data) ? data : [data as Uint8Array];
        setImmediate(() => super.send(views, to, options));
        return true;
      }
    },
  ],
  'closes when the slots are used up': [
    '[5]',
    class extends Forwarding {
      #arrived = 0;
      override onDatagrams(batch: DatagramBatch): void {
        super.onDatagrams(batch);
        this.#arrived += batch.length;
        if (this.#arrived >= 32) this.abort(new IoError('no slots', { code: 'ENOBUFS' }));
      }
    },
  ],
  'keeps slots of loops that were broken off': [
    '[6]',
    class extends Forwarding {
      override onDatagrams(batch: DatagramBatch): void {
        const kept: { bytes: Lease; left: boolean }[] = [];
        const watch = function* () {
          for (const datagram of batch) {
            const watched = { bytes: lease(datagram.data), left: true };
            kept.push(watched);
            yield datagram;
            watched.left = false;
          }
        };
        super.onDatagrams(batchOf(watch(), batch.length));
        for (const { bytes, left } of kept) if (!left) bytes.release();
      }
    },
  ],
  'makes an object for each datagram': [
    '[6]',
    class extends Forwarding {
      override onDatagrams(batch: DatagramBatch): void {
        const each = function* () {
          for (const one of changed(batch, () => ({}))) yield { ...one };
        };
        super.onDatagrams(batchOf(each(), batch.length));
      }
    },
  ],
  'says a wrong length': [
    '[6]',
    class extends Forwarding {
      override onDatagrams(batch: DatagramBatch): void {
        super.onDatagrams(batchOf(batch, batch.length + 1));
      }
    },
  ],
  'makes a new peer each time': [
    '[7]',
    class extends Changing {
      protected override change({ address, port }: Datagram) {
        return { peer: DatagramAddress.of(address, port) };
      }
    },
  ],
  'tells another port': [
    '[7]',
    class extends Changing {
      protected override change({ port }: Datagram) {
        return { port: port + 1 };
      }
    },
  ],
  'hides that IPv4 is mapped': [
    '[7]',
    class extends Changing {
      protected override change({ address, port, peer }: Datagram) {
        if (!address.startsWith('::ffff:')) return { peer };
        const plain = DatagramAddress.of(address.slice(7), port);
        return { peer: plain, address: plain.address, family: plain.family };
      }
    },
  ],
  'takes one more than the cap': [
    '[8]',
    class extends Forwarding {
      #kept: [Data, DatagramAddress | undefined, DatagramSendOptions | undefined] | null = null;
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        if (this.stats.queued !== 10 || this.#kept !== null) return super.send(data, to, options);
        this.#kept = [data, to, options];
        setImmediate(() => super.send(data, to, options));
        return true;
      }
    },
  ],
  'tells drops to onError': [
    '[8]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const taken = super.send(data, to, options);
        if (!taken) setImmediate(() => this.onError(new IoError('full', { code: 'ENOBUFS' })));
        return taken;
      }
    },
  ],
  'drops the new one for the old': [
    '[9]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        if (this.stats.queued < 10) return super.send(data, to, options);
        queueMicrotask(() => options?.done?.(new IoError('full', { code: 'ERR_CHANNEL_OVERFLOW' })));
        return true;
      }
    },
  ],
  'calls back for what it did not take': [
    '[10]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const taken = super.send(data, to, options);
        if (!taken) setImmediate(() => options?.done?.(new IoError('full', { code: 'ENOBUFS' })));
        return taken;
      }
    },
  ],
  'never drains': [
    '[11]',
    class extends Forwarding {
      override onDrain(): void {}
    },
  ],
  'drains twice': [
    '[11]',
    class extends Forwarding {
      override onDrain(): void {
        super.onDrain();
        super.onDrain();
      }
    },
  ],
  'drains when nothing is free': [
    '[11]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const taken = super.send(data, to, options);
        if (!taken && this.stats.queued === 10) queueMicrotask(() => this.#drainOnce());
        return taken;
      }
      #told = false;
      #drainOnce(): void {
        if (!this.#told) super.onDrain();
        this.#told = true;
      }
      override onDrain(): void {
        this.#told = false;
      }
    },
  ],
  'calls back from inside send': [
    '[12]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        options?.done?.(null);
        return super.send(data, to, { ...options, done: undefined });
      }
    },
  ],
  'calls back twice': [
    '[12]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const done = (error: Error | null) => {
          options?.done?.(error);
          options?.done?.(error);
        };
        return super.send(data, to, { ...options, done });
      }
    },
  ],
  'counts what it sent twice': [
    '[12]',
    class extends Forwarding {
      override get stats() {
        return { ...super.stats, sent: super.stats.sent * 2 };
      }
    },
  ],
  'drops what is queued when it closes': [
    '[13]',
    class extends Forwarding {
      override close(): void {
        super.abort();
      }
    },
  ],
  'closes before its callbacks': [
    '[13]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const done = (error: Error | null) => setImmediate(() => options?.done?.(error));
        return super.send(data, to, { ...options, done });
      }
    },
  ],
  'closes twice': [
    '[13]',
    class extends Forwarding {
      override onClose(error: Error | null): void {
        super.onClose(error);
        super.onClose(error);
      }
    },
  ],
  'sends what is queued when it is aborted': [
    '[14]',
    class extends Forwarding {
      override abort(): void {
        super.close();
      }
    },
  ],
  'forgets to count what it dropped': [
    '[14]',
    class extends Forwarding {
      override get stats() {
        return { ...super.stats, droppedClosed: 0 };
      }
    },
  ],
  'sends to where it is connected whatever it is told': [
    '[15]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        return super.send(data, this.info.remotePort === undefined ? to : undefined, options);
      }
    },
  ],
  'takes any time to live': [
    '[15]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        return super.send(data, to, typeof options?.ttl === 'number' ? { ...options, ttl: 64 } : options);
      }
    },
  ],
  'closes when nobody is there': [
    '[16]',
    class extends Forwarding {
      override onError(error: Error): void {
        super.onError(error);
        this.lower.abort(error);
      }
    },
  ],
  'keeps to itself that nobody is there': [
    '[16]',
    class extends Forwarding {
      override onError(): void {}
    },
  ],
  'tells errors to done and to onError': [
    '[16]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const done = (error: Error | null) => {
          options?.done?.(error);
          if (error !== null) this.onError(error);
        };
        return super.send(data, to, { ...options, done });
      }
    },
  ],
  'swallows what handlers throw': [
    '[17]',
    class extends Forwarding {
      override onDatagrams(batch: DatagramBatch): void {
        try {
          super.onDatagrams(batch);
        } catch {}
      }
    },
  ],
  'loses the other callbacks when one throws': [
    '[17]',
    class extends Forwarding {
      #failed = false;
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        const done = (error: Error | null) => {
          if (this.#failed) return;
          this.#failed = true;
          options?.done?.(error);
          this.#failed = false;
        };
        return super.send(data, to, { ...options, done });
      }
    },
  ],
  'throws when it has closed': [
    '[18]',
    class extends Forwarding {
      override resume(): void {
        if (this.closed) throw new TypeError("Cannot read properties of null (reading 'resume')");
        super.resume();
      }
    },
  ],
  'says nothing to who comes after the close': [
    '[18]',
    class extends Forwarding {
      override attach(receiver: DatagramReceiver): void {
        if (!this.closed) super.attach(receiver);
      }
    },
  ],
  'swaps bytes now and then': [
    '[19]',
    class extends Changing {
      #count = 0;
      protected override change({ data }: Datagram) {
        return { data: this.#count++ % 50 === 49 ? data.slice().reverse() : data };
      }
    },
  ],
  'keeps a lease': [
    '[20]',
    class extends Changing {
      #lease: Lease | null = null;
      protected override change({ data }: Datagram) {
        this.#lease ??= lease(data);
        return {};
      }
    },
  ],
  'does not close when it is busy': [
    '[20]',
    class extends Forwarding {
      override abort(reason?: Error): void {
        if (this.stats.queued === 0) super.abort(reason);
      }
    },
  ],
  'carries no type of service': [
    '[21]',
    class extends Forwarding {
      override send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
        return super.send(data, to, { ...options, tos: undefined });
      }
    },
  ],
};
