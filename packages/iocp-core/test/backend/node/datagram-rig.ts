/** Datagram sockets of the backend `node`, for its tests. */

import { networkInterfaces } from 'node:os';
import { DatagramAddress } from '../../../src/layer/datagram-address.js';
import type { CompletionPort } from '../../../src/port/completion-port.js';
import { DatagramList } from '../../../src/port/datagram-list.js';
import type { Socket } from '../../../src/port/socket.js';
import type { DatagramSocketOptions } from '../../../src/port/socket-addresses.js';
import { CompleteFlag, IncomingWord, Limit } from '../../../src/protocol.gen.js';
import { NativeRig } from '../../port/native-rig.js';
import { Recorder } from '../../port/recorder.js';

export const slotBytes = 4096;
export const loopback = { host: '127.0.0.1', port: 0 };

export const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

interface Arrived {
  readonly text: string;
  readonly sender: DatagramAddress;
  readonly flags: number;
}

/** What a SEND_TO has come to. */
export interface Sent {
  /** What it settled with. */
  readonly taken: number;
  /** Number and error of each datagram that was refused. */
  readonly refused: readonly (readonly [number: number, error: number])[];
}

/** Receives datagrams; keeps their slots when it is told to. */
export class Receiver extends Recorder {
  readonly arrived: Arrived[] = [];
  readonly kept: number[] = [];
  keeps = false;
  readonly #pool: CompletionPort['pool'];

  constructor(port: CompletionPort) {
    super(port);
    this.#pool = port.pool;
    this.on = ({ flags, result: length, value: slot }) => {
      if ((flags & CompleteFlag.SLOT) === 0) return;
      this.arrived.push(this.#read(slot, length));
      if (!this.keeps) return;
      this.#pool.retain(slot);
      this.kept.push(slot);
    };
  }

  get texts(): string[] {
    return this.arrived.map(({ text }) => text);
  }

  giveBack(): void {
    for (const slot of this.kept.splice(0)) this.#pool.release(slot);
  }

  #read(slot: number, length: number): Arrived {
    const words = this.#pool.words.subarray(this.#pool.wordOf(slot));
    const word = (at: number) => words[at] ?? 0;
    const family = word(IncomingWord.FAMILY);
    const sender = new DatagramAddress(
      (family & 0xff) === 6 ? 'IPv6' : 'IPv4',
      word(IncomingWord.PORT),
      word(IncomingWord.SCOPE),
      word(IncomingWord.ADDRESS),
      word(IncomingWord.ADDRESS + 1),
      word(IncomingWord.ADDRESS + 2),
      word(IncomingWord.ADDRESS + 3),
    );
    const text = this.#pool.viewAt(slot, Limit.DATAGRAM_OFFSET, length).toString('latin1');
    return { text, sender, flags: family >> 8 };
  }
}

/** A port with 8 slots. */
export class DatagramRig extends NativeRig {
  constructor() {
    super({ backend: 'node', pool: { slotBytes, minSlots: 8, maxSlots: 8 } });
  }

  open(options: DatagramSocketOptions = { local: loopback }): Promise<Socket> {
    return this.port.openDatagram(options);
  }

  receiveOn(socket: Socket): Receiver {
    const receiver = new Receiver(this.port);
    this.port.submitRecvFrom(socket, receiver);
    return receiver;
  }

  async sendOn(socket: Socket, fill: (list: DatagramList) => void): Promise<Sent> {
    const list = new DatagramList(this.port);
    fill(list);
    const recorder = new Recorder(this.port);
    this.port.submitSendTo(socket, list, recorder);
    await recorder.until(({ settled }) => settled.length > 0);
    list.releaseAll();
    const refused = recorder.completions.slice(0, -1).map(({ value, result }) => [value, result] as const);
    return { taken: recorder.last.result, refused };
  }

  /** Submits, and gives the result that settles the operation. */
  async outcome(submit: (recorder: Recorder) => void): Promise<number | undefined> {
    const recorder = new Recorder(this.port);
    submit(recorder);
    await recorder.until(({ settled }) => settled.length > 0);
    return recorder.settled[0];
  }

  closeOn(socket: Socket): Promise<number | undefined> {
    return this.outcome((recorder) => this.port.submitClose(socket, recorder, false));
  }
}

export function addressOf(socket: Socket): DatagramAddress {
  const address = socket.address();
  if (address === null) throw new Error('the socket is not bound');
  return DatagramAddress.of(address.address, address.port);
}
