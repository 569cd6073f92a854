/** What becomes of the connection. */
export interface EchoSocketEvents {
  opened(): void;
  /** Not open any more, or never. @param reason one line */
  closed(reason: string): void;
  /** What came back is not what was sent. */
  differed(): void;
}

/** A message on the way. */
interface Sent {
  readonly data: string;
  readonly at: number;
  /** @param milliseconds from sending to the reply */
  readonly answered: (milliseconds: number) => void;
}

/** A WebSocket to an echo server: replies come in the order of the messages, and are compared with them. */
export class EchoSocket {
  readonly #socket: WebSocket;
  readonly #events: EchoSocketEvents;
  readonly #underWay: Sent[] = [];

  constructor(url: string, events: EchoSocketEvents) {
    this.#events = events;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => events.opened();
    this.#socket.onmessage = ({ data }) => this.#received(data);
    this.#socket.onclose = ({ code, reason }) => events.closed(`closed (${code}${reason && `: ${reason}`})`);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** @param answered called with the time it took, once the same text has come back */
  send(data: string, answered: Sent['answered']): void {
    this.#underWay.push({ data, at: performance.now(), answered });
    this.#socket.send(data);
  }

  #received(data: unknown): void {
    const sent = this.#underWay.shift();
    if (sent === undefined || sent.data !== data) this.#events.differed();
    else sent.answered(performance.now() - sent.at);
  }
}
