import { setTimeout as delay } from 'node:timers/promises';
import type { CompletionPort } from '@iocp/core';
import { DatagramAddress, type DatagramBatch } from '@iocp/core/layer';
import { bind, type UdpSocket } from '@iocp/udp';
import type { BulkScenario } from '../scenarios.js';
import { askEveryMs, SentCounter } from './bulk-protocol.js';
import type { MeasureJob, Measurement } from './jobs.js';
import { LatencyRecorder } from './latency.js';
import { measureLoad, type RunningLoad } from './measure.js';

/** The target of a sender in bulk. It counts what was sent, whether it arrived or not: the cost is the sender's. */
export class BulkLoad implements RunningLoad {
  /** Nothing comes back. */
  readonly latency = new LatencyRecorder();
  readonly lost = 0;
  readonly #counter = new SentCounter();
  readonly #job: MeasureJob<BulkScenario>;
  readonly #port: CompletionPort;

  constructor(port: CompletionPort, job: MeasureJob<BulkScenario>) {
    this.#port = port;
    this.#job = job;
  }

  get messages(): number {
    return this.#counter.sent;
  }

  during(milliseconds: number): Promise<void> {
    return delay(milliseconds);
  }

  messagesArrived(_socket: UdpSocket, batch: DatagramBatch): void {
    for (const message of batch) this.#counter.seen(message.data);
  }

  async measure(): Promise<Measurement> {
    const socket = await bind(
      {
        host: '127.0.0.1',
        completionPort: this.#port,
        lend: true,
        receiveOffload: true,
        receiveBuffer: 4 * 1024 * 1024,
      },
      { messages: (from, batch) => this.messagesArrived(from, batch) },
    );
    const sender = DatagramAddress.of('127.0.0.1', this.#job.serverPort);
    const go = Buffer.from('go');
    const asking = setInterval(() => socket.send(go, sender), askEveryMs);
    socket.send(go, sender);
    try {
      return await measureLoad(this, this.#job);
    } finally {
      clearInterval(asking);
      await socket.close();
    }
  }
}
