import { CloseCode, type WebSocketConnection, type WebSocketHandlers } from '@iocp/websocket';
import type { Talk } from './conversation.js';
import { describeError, UserError } from './user-error.js';

/** Lines sent to a server, each as a text message, and the messages that come back, each shown as a line. */
export class WebSocketConversation implements Talk, WebSocketHandlers {
  readonly ended: Promise<void>;
  readonly #show: (text: string) => void;
  #socket: WebSocketConnection | undefined;
  #linesSent = 0;
  #linesAnswered = 0;
  #leaving = false;
  #failure: Error | undefined;
  #onAnswer: (() => void) | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  private constructor(show: (text: string) => void) {
    this.#show = show;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ended.catch(() => undefined);
  }

  /**
   * @param connect opens the WebSocket, with the conversation as its handlers
   * @param show called with the text of every message that arrives, and a line feed
   */
  static async open(
    connect: (handlers: WebSocketHandlers) => Promise<WebSocketConnection>,
    show: (text: string) => void,
  ): Promise<WebSocketConversation> {
    const conversation = new WebSocketConversation(show);
    conversation.#socket = await connect(conversation);
    return conversation;
  }

  message(_socket: WebSocketConnection, data: Buffer): void {
    this.#linesAnswered += 1;
    this.#show(`${data.toString()}\n`);
    this.#onAnswer?.();
  }

  error(_socket: WebSocketConnection, error: Error): void {
    this.#failure = error;
  }

  close(_socket: WebSocketConnection, code: number, reason: string): void {
    if (this.#leaving) {
      this.#resolve();
      return;
    }
    const missing = this.#linesSent - this.#linesAnswered;
    const why = this.#describeEnd(code, reason);
    const unanswered = missing === 1 ? 'a line was' : `${missing} lines were`;
    this.#reject(new UserError(missing > 0 ? `${why}, and ${unanswered} not answered` : why));
  }

  async say(line: string): Promise<void> {
    this.#linesSent += 1;
    const socket = this.#open();
    // A refusal means that it is closing, and `ended` says why.
    if (socket.send(line) === 'full') await Promise.race([socket.drained(), this.ended]);
  }

  async answered(): Promise<void> {
    while (this.#linesAnswered < this.#linesSent) {
      const answer = new Promise<void>((resolve) => {
        this.#onAnswer = resolve;
      });
      await Promise.race([answer, this.ended]);
    }
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#open().close();
    await this.ended;
  }

  #describeEnd(code: number, reason: string): string {
    if (this.#failure !== undefined) return `the connection broke: ${describeError(this.#failure)}`;
    if (code === CloseCode.ABNORMAL) return 'the server ended the connection without closing it in order';
    return `the server closed the connection with code ${code}${reason && ` (${reason})`}`;
  }

  #open(): WebSocketConnection {
    if (this.#socket === undefined) throw new UserError('the conversation is not open');
    return this.#socket;
  }
}
