import type { CompletionPort, SocketOpenOptions } from '@iocp/core';
import type { ConnectsScenario, MessagesScenario, WebSocketMessagesScenario } from '../scenarios.js';
import { BatchClock } from './clock.js';
import { Failure } from './failure.js';
import type { MeasureJob, Measurement } from './jobs.js';
import { LatencyRecorder } from './latency.js';
import { measureLoad, type RunningLoad } from './measure.js';
import { Payload, plainExchange } from './payload.js';
import { Peer, type PeerRun, targetAt } from './peer.js';
import { Opening, webSocketExchange } from './websocket.js';

type ConnectionsScenario = MessagesScenario | ConnectsScenario | WebSocketMessagesScenario;

/** Contents differ between this many connections, so that replies that go astray are noticed. */
const variants = 8;
/** How long the last replies may take after the end of a measurement. */
const drainMsMax = 10_000;

/** A run of one scenario against one server. */
export class MeasuredLoad implements PeerRun, RunningLoad {
  readonly target: SocketOpenOptions;
  readonly opening: Opening | null;
  readonly clock: BatchClock;
  readonly latency = new LatencyRecorder();
  /** Messages answered so far. */
  messages = 0;
  /** TCP loses nothing. */
  readonly lost = 0;
  /** Set at the end: nobody sends or connects any more. */
  stopping = false;
  readonly #job: MeasureJob<ConnectionsScenario>;
  readonly #payloads: readonly Payload[];
  #peersOpen = 0;
  #onFinish: (() => void) | undefined;
  readonly #failure = new Failure();

  constructor(
    readonly port: CompletionPort,
    job: MeasureJob<ConnectionsScenario>,
  ) {
    this.#job = job;
    this.target = targetAt(job.serverPort);
    this.clock = new BatchClock(port);
    const { scenario } = job;
    const inFlight = 'inFlight' in scenario ? scenario.inFlight : 1;
    const isWebSocket = scenario.kind === 'ws-messages';
    this.opening = isWebSocket ? new Opening(port) : null;
    const exchange = isWebSocket ? webSocketExchange : plainExchange;
    this.#payloads = Array.from(
      { length: Math.min(variants, scenario.connections) },
      (_, variant) => new Payload(port, exchange(scenario.messageBytes, variant), inFlight),
    );
  }

  fail(error: Error): void {
    this.#failure.fail(error);
  }

  during(milliseconds: number): Promise<void> {
    return this.#failure.during(milliseconds);
  }

  /** A peer has done its last. */
  peerFinished(): void {
    this.#peersOpen -= 1;
    if (this.#peersOpen === 0) this.#onFinish?.();
  }

  async measure(): Promise<Measurement> {
    this.#startPeers();
    const measurement = await measureLoad(this, this.#job);
    await this.#finish();
    return measurement;
  }

  #startPeers(): void {
    const { scenario } = this.#job;
    for (let index = 0; index < scenario.connections; index++) {
      const payload = this.#payloads[index % this.#payloads.length] as Payload;
      this.#peersOpen += 1;
      const peer =
        'inFlight' in scenario
          ? new SteadyPeer(this, payload, scenario.inFlight)
          : new ConnectingPeer(this, payload);
      peer.connect();
    }
  }

  /** Waits for every reply that is due, so that a loss is noticed. */
  async #finish(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.#onFinish = resolve;
    });
    this.stopping = true;
    await this.#failure.awaitEnd(
      finished,
      drainMsMax,
      () => `${this.#peersOpen} connections still wait for replies ${drainMsMax / 1000} s after the end.`,
    );
    for (const payload of this.#payloads) payload.release();
    this.opening?.release();
  }
}

/** Keeps a number of messages in flight on one connection. */
class SteadyPeer extends Peer {
  readonly #load: MeasuredLoad;
  readonly #inFlight: number;
  /** When each message in flight was sent, in a ring. */
  readonly #sentAt: Float64Array;
  #oldest = 0;

  constructor(load: MeasuredLoad, payload: Payload, inFlight: number) {
    super(load, payload);
    this.#load = load;
    this.#inFlight = inFlight;
    this.#sentAt = new Float64Array(inFlight);
  }

  protected override onConnected(): void {
    this.#sentAt.fill(this.#load.clock.now());
    this.say(this.#inFlight);
  }

  protected override onReplies(messages: number): void {
    const load = this.#load;
    const now = load.clock.now();
    load.messages += messages;
    this.#recordLatencies(messages, now);
    if (!load.stopping) this.say(messages);
    else if (this.outstanding === 0) this.close();
  }

  protected override onClosed(): void {
    this.#load.peerFinished();
  }

  /** Takes the oldest of the messages in flight out of the ring, and puts the new ones in. */
  #recordLatencies(messages: number, now: number): void {
    const sentAt = this.#sentAt;
    let since = sentAt[this.#oldest] as number;
    let same = 0;
    for (let index = 0; index < messages; index++) {
      const sent = sentAt[this.#oldest] as number;
      if (sent !== since) {
        this.#load.latency.record(now - since, same);
        since = sent;
        same = 0;
      }
      same += 1;
      sentAt[this.#oldest] = now;
      this.#oldest = this.#oldest + 1 === this.#inFlight ? 0 : this.#oldest + 1;
    }
    this.#load.latency.record(now - since, same);
  }
}

/** Connects, echoes one message, resets, and begins again. */
class ConnectingPeer extends Peer {
  readonly #load: MeasuredLoad;
  #startedAt = 0;

  constructor(load: MeasuredLoad, payload: Payload) {
    super(load, payload);
    this.#load = load;
  }

  override connect(): void {
    this.#startedAt = this.#load.clock.now();
    super.connect();
  }

  protected override onConnected(): void {
    this.say(1);
  }

  protected override onReplies(): void {
    const load = this.#load;
    load.messages += 1;
    load.latency.record(load.clock.now() - this.#startedAt, 1);
    this.close();
  }

  protected override onClosed(): void {
    if (this.#load.stopping) this.#load.peerFinished();
    else this.connect();
  }
}
