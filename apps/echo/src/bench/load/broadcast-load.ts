import type { CompletionPort, SocketOpenOptions } from '@iocp/core';
import type { BroadcastScenario } from '../scenarios.js';
import { BatchClock } from './clock.js';
import { Failure } from './failure.js';
import { Gathering } from './gathering.js';
import type { MeasureJob, Measurement } from './jobs.js';
import { LatencyRecorder } from './latency.js';
import { measureLoad, type RunningLoad } from './measure.js';
import { Payload } from './payload.js';
import { Peer, type PeerRun, targetAt } from './peer.js';
import { Opening, webSocketExchange } from './websocket.js';

/** How long the last messages may take after the end of a measurement. */
const drainMsMax = 10_000;

/** Connections that all get what the first of them sends. The next is sent when one has reached everybody. */
export class BroadcastLoad implements PeerRun, RunningLoad {
  readonly target: SocketOpenOptions;
  readonly opening: Opening;
  readonly clock: BatchClock;
  /** Until the last has it. */
  readonly latency = new LatencyRecorder();
  /** Messages that somebody got. */
  messages = 0;
  readonly lost = 0;
  readonly #job: MeasureJob<BroadcastScenario>;
  readonly #payload: Payload;
  readonly #members: readonly Member[];
  readonly #gathering = new Gathering();
  /** When each message under way was sent, in a ring. */
  readonly #sentAt: Float64Array;
  /** How many have been sent, and how many of them everybody has. */
  #sent = 0;
  #complete = 0;
  #stopping = false;
  #onDrained: () => void = () => undefined;
  readonly #failure = new Failure();

  constructor(
    readonly port: CompletionPort,
    job: MeasureJob<BroadcastScenario>,
  ) {
    const { scenario, serverPort } = job;
    this.#job = job;
    this.target = targetAt(serverPort);
    this.opening = new Opening(port);
    this.clock = new BatchClock(port);
    this.#payload = new Payload(port, webSocketExchange(scenario.messageBytes, 0), scenario.underWay);
    this.#sentAt = new Float64Array(scenario.underWay);
    this.#members = Array.from(
      { length: scenario.connections },
      () => new Member(this, this.#payload, this.#gathering),
    );
  }

  fail(error: Error): void {
    this.#gathering.fail(error);
    this.#failure.fail(error);
  }

  during(milliseconds: number): Promise<void> {
    return this.#failure.during(milliseconds);
  }

  async measure(): Promise<Measurement> {
    await this.#gathering.inWaves(this.#members, (member) => member.connect());
    for (let each = 0; each < this.#job.scenario.underWay; each++) this.#send();
    const measurement = await measureLoad(this, this.#job);
    await this.#drain();
    await this.#gathering.all(this.#members, (member) => member.close());
    this.#payload.release();
    this.opening.release();
    return measurement;
  }

  /** A member has got so many messages. */
  delivered(messages: number): void {
    this.messages += messages;
    const { connections } = this.#job.scenario;
    if (this.messages > this.#sent * connections) this.fail(new Error('more arrived than was sent'));
    while (this.messages >= (this.#complete + 1) * connections) this.#reachedAll();
  }

  #reachedAll(): void {
    const { connections, underWay } = this.#job.scenario;
    const sentAt = this.#sentAt[this.#complete % underWay] as number;
    this.latency.record(this.clock.now() - sentAt, connections);
    this.#complete += 1;
    if (!this.#stopping) this.#send();
    else if (this.#complete === this.#sent) this.#onDrained();
  }

  #send(): void {
    this.#sentAt[this.#sent % this.#job.scenario.underWay] = this.clock.now();
    this.#sent += 1;
    this.#members[0]?.say(1);
  }

  /** Waits for every message that is under way, so that a loss is noticed. */
  async #drain(): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.#stopping = true;
    await this.#failure.awaitEnd(
      drained,
      drainMsMax,
      () => `messages have not reached everybody ${drainMsMax / 1000} s after the end.`,
    );
  }
}

/** One connection. It does not know how much the others send, so it expects any number of messages. */
class Member extends Peer {
  readonly #load: BroadcastLoad;
  readonly #gathering: Gathering;

  constructor(load: BroadcastLoad, payload: Payload, gathering: Gathering) {
    super(load, payload);
    this.#load = load;
    this.#gathering = gathering;
  }

  protected override onConnected(): void {
    this.expect(Number.POSITIVE_INFINITY);
    this.#gathering.arrived();
  }

  protected override onReplies(messages: number): void {
    this.#load.delivered(messages);
  }

  protected override onClosed(): void {
    this.#gathering.arrived();
  }
}
