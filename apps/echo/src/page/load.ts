import type { EchoSocket } from './echo-socket.js';
import type { LatencyWindow } from './latency-window.js';

/** Keeps a number of messages in flight until it is stopped. */
export class Load {
  readonly #socket: EchoSocket;
  readonly #window: LatencyWindow;
  readonly #message: string;
  #stopped = false;

  constructor(socket: EchoSocket, window: LatencyWindow, messageBytes: number, inFlight: number) {
    this.#socket = socket;
    this.#window = window;
    this.#message = 'x'.repeat(messageBytes);
    for (let each = 0; each < inFlight; each++) this.#send();
  }

  /** What is on the way still comes. */
  stop(): void {
    this.#stopped = true;
  }

  #send(): void {
    this.#socket.send(this.#message, this.#answered);
  }

  readonly #answered = (milliseconds: number): void => {
    this.#window.record(milliseconds);
    if (!this.#stopped && this.#socket.isOpen) this.#send();
  };
}
