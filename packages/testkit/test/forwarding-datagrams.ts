/** Datagram channels over datagram channels, to change one thing in. */

import type {
  Datagram,
  DatagramAddress,
  DatagramBatch,
  DatagramChannel,
  DatagramReceiver,
  DatagramSendOptions,
} from '@iocp/core/layer';

export type Data = Uint8Array | readonly Uint8Array[];

/** A channel over a channel that does nothing of its own. Each of the broken ones changes one thing. */
export class Forwarding implements DatagramChannel, DatagramReceiver {
  protected upper: DatagramReceiver | null = null;

  constructor(protected readonly lower: DatagramChannel) {}

  attach(receiver: DatagramReceiver): void {
    this.lower.attach(this);
    this.upper = receiver;
  }
  pause(): void {
    this.lower.pause();
  }
  resume(): void {
    this.lower.resume();
  }
  send(data: Data, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
    return this.lower.send(data, to, options);
  }
  close(): void {
    this.lower.close();
  }
  abort(reason?: Error): void {
    this.lower.abort(reason);
  }
  get stats() {
    return this.lower.stats;
  }
  get info() {
    return this.lower.info;
  }
  get payloadBytesMax(): number {
    return this.lower.payloadBytesMax;
  }
  get closed(): boolean {
    return this.lower.closed;
  }
  onDatagrams(batch: DatagramBatch): void {
    this.upper?.onDatagrams(batch);
  }
  onDrain(): void {
    this.upper?.onDrain();
  }
  onError(error: Error): void {
    this.upper?.onError(error);
  }
  onClose(error: Error | null): void {
    this.upper?.onClose(error);
  }
}

/** A batch of the same datagrams with some properties changed. */
export function* changed(
  batch: Iterable<Datagram>,
  change: (datagram: Datagram) => Partial<Datagram>,
): Generator<Datagram> {
  const shown = {} as { -readonly [Key in keyof Datagram]: Datagram[Key] };
  for (const datagram of batch) {
    const { data, peer, address, port, family, truncated, tos, ttl, localAddress, interfaceIndex } = datagram;
    const reply: Datagram['reply'] = (bytes, options) => datagram.reply(bytes, options);
    Object.assign(shown, { data, peer, address, port, family, truncated, tos, ttl, localAddress }, { reply });
    yield Object.assign(shown, { interfaceIndex }, change(datagram));
  }
}

export function batchOf(datagrams: Iterable<Datagram>, length: number): DatagramBatch {
  return { length, [Symbol.iterator]: () => datagrams[Symbol.iterator]() };
}

/** Changes each datagram on its way up. */
export abstract class Changing extends Forwarding {
  protected abstract change(datagram: Datagram): Partial<Datagram>;
  override onDatagrams(batch: DatagramBatch): void {
    super.onDatagrams(
      batchOf(
        changed(batch, (each) => this.change(each)),
        batch.length,
      ),
    );
  }
}
