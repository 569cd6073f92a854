import {
  CompleteFlag,
  type CompletionHandler,
  type CompletionPort,
  ioError,
  Limit,
  Operation,
  type Socket,
  type TurnTask,
} from '@iocp/core';
import type { DatagramsScenario } from '../scenarios.js';
import { BatchClock } from './clock.js';
import { DatagramPayload } from './datagram-payload.js';
import { Failure } from './failure.js';
import type { MeasureJob, Measurement } from './jobs.js';
import { LatencyRecorder } from './latency.js';
import { measureLoad, type RunningLoad } from './measure.js';

/** Contents differ between this many peers, so that replies that go astray are noticed. */
const variants = 8;
/** A reply that takes longer is counted as lost, and its datagram sent again. */
const lostAfterMs = 250;
const receiveBufferBytes = 4 * 1024 * 1024;

/** Peers that keep a number of datagrams each on the way to one server and back. */
export class DatagramLoad implements RunningLoad {
  readonly clock: BatchClock;
  readonly latency = new LatencyRecorder();
  messages = 0;
  lost = 0;
  /** Set at the end: nobody sends any more. */
  stopping = false;
  readonly #job: MeasureJob<DatagramsScenario>;
  readonly #payloads: readonly DatagramPayload[];
  readonly #peers: DatagramPeer[] = [];
  readonly #failure = new Failure();

  constructor(
    readonly port: CompletionPort,
    job: MeasureJob<DatagramsScenario>,
  ) {
    this.#job = job;
    this.clock = new BatchClock(port);
    const { scenario } = job;
    this.#payloads = Array.from(
      { length: Math.min(variants, scenario.connections) },
      (_, variant) => new DatagramPayload(port, scenario.messageBytes, variant, scenario.inFlight),
    );
  }

  fail(error: Error): void {
    this.#failure.fail(error);
  }

  during(milliseconds: number): Promise<void> {
    return this.#failure.during(milliseconds);
  }

  async measure(): Promise<Measurement> {
    const { scenario, serverPort } = this.#job;
    for (let index = 0; index < scenario.connections; index++) {
      const payload = this.#payloads[index % this.#payloads.length] as DatagramPayload;
      const socket = await this.port.openDatagram({
        remote: { host: '127.0.0.1', port: serverPort },
        options: { receiveBuffer: receiveBufferBytes },
      });
      this.#peers.push(new DatagramPeer(this, socket, payload, scenario.inFlight));
    }
    const watch = setInterval(() => this.#resendLost(), lostAfterMs);
    try {
      for (const peer of this.#peers) peer.start();
      return await measureLoad(this, this.#job);
    } finally {
      clearInterval(watch);
      this.stopping = true;
      await Promise.all(this.#peers.map((peer) => peer.close()));
      for (const payload of this.#payloads) payload.release();
    }
  }

  #resendLost(): void {
    for (const peer of this.#peers) this.lost += peer.resendLost();
  }
}

/** One client. What arrives in a batch is answered by as many new datagrams at its end. */
class DatagramPeer implements CompletionHandler, TurnTask {
  readonly asyncResource = null;
  turnPending = false;
  readonly #load: DatagramLoad;
  readonly #socket: Socket;
  readonly #payload: DatagramPayload;
  readonly #inFlight: number;
  #due: number;
  #sending = false;
  #outstanding = 0;
  /** When each datagram in flight was sent, in a ring: replies come in order, nearly always. */
  readonly #sentAt: Float64Array;
  #newest = 0;
  #oldest = 0;
  #repliesSinceWatch = 0;
  #closed: (() => void) | undefined;

  constructor(load: DatagramLoad, socket: Socket, payload: DatagramPayload, inFlight: number) {
    this.#load = load;
    this.#socket = socket;
    this.#payload = payload;
    this.#inFlight = inFlight;
    this.#due = inFlight;
    this.#sentAt = new Float64Array(inFlight);
  }

  start(): void {
    this.#load.port.submitRecvFrom(this.#socket, this);
    this.onTurnEnd();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#closed = resolve;
      this.#load.port.submitClose(this.#socket, this);
    });
  }

  /** Sends anew when nothing has come back since the last time. Returns how many datagrams that were. */
  resendLost(): number {
    const silent = this.#repliesSinceWatch === 0 && this.#outstanding > 0;
    this.#repliesSinceWatch = 0;
    if (!silent) return 0;
    const lost = this.#outstanding;
    this.#outstanding = 0;
    this.#oldest = this.#newest;
    this.#due = this.#inFlight;
    this.onTurnEnd();
    return lost;
  }

  onTurnEnd(): void {
    if (this.#sending || this.#due === 0 || this.#load.stopping) return;
    this.#sending = true;
    const now = this.#load.clock.now();
    for (let each = 0; each < this.#due; each++) this.#newest = this.#putTime(this.#newest, now);
    this.#load.port.submitSendTo(this.#socket, this.#payload.list(this.#due), this);
    this.#outstanding += this.#due;
    this.#due = 0;
  }

  onCompletion(operation: Operation, result: number, flags: number, slot: number): void {
    if (operation === Operation.RECV_FROM) this.#received(result, flags, slot);
    else if (operation === Operation.SEND_TO) this.#sent(result, flags);
    else this.#closed?.();
  }

  #received(result: number, flags: number, slot: number): void {
    const load = this.#load;
    if (load.stopping) return;
    if (result < 0 || (flags & CompleteFlag.SLOT) === 0) {
      load.fail(ioError(result, 'recvmsg'));
      return;
    }
    if (!this.#payload.matches(load.port.pool.viewAt(slot, Limit.DATAGRAM_OFFSET, result))) {
      load.fail(new Error('something else came back than what was sent'));
      return;
    }
    load.messages += 1;
    this.#repliesSinceWatch += 1;
    // A reply that was given up and came after all is not answered twice.
    if (this.#outstanding === 0) return;
    load.latency.record(load.clock.now() - (this.#sentAt[this.#oldest] as number), 1);
    this.#oldest = (this.#oldest + 1) % this.#inFlight;
    this.#outstanding -= 1;
    this.#due += 1;
    load.port.atTurnEnd(this);
  }

  #putTime(at: number, now: number): number {
    this.#sentAt[at] = now;
    return (at + 1) % this.#inFlight;
  }

  #sent(result: number, flags: number): void {
    const load = this.#load;
    if (result < 0 && !load.stopping) load.fail(ioError(result, 'sendmsg'));
    if ((flags & CompleteFlag.MORE) !== 0) return;
    this.#sending = false;
    if (this.#due > 0) load.port.atTurnEnd(this);
  }
}
