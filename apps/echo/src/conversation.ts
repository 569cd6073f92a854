import { StringDecoder } from 'node:string_decoder';
import type { TcpConnection } from '@iocp/tcp';
import { describeError, UserError } from './user-error.js';

/** A conversation with a server, line by line. */
export interface Talk {
  /** Sends a line. Resolves when the next one may be sent. */
  say(line: string): Promise<void>;
  /** Resolves when every line sent has its reply, shown. */
  answered(): Promise<void>;
  leave(): Promise<void>;
  /** Rejects when the server leaves first; resolves when we do. */
  readonly ended: Promise<void>;
}

/** Lines sent to a server, and its replies as text. A reply is what comes up to the next line feed. */
export class Conversation implements Talk {
  readonly #connection: TcpConnection;
  readonly #show: (text: string) => void;
  /** Keeps the bytes of a character together when a reply arrives in pieces. */
  readonly #decoder = new StringDecoder('utf8');
  #linesSent = 0;
  #linesAnswered = 0;
  #leaving = false;
  #onAnswer: (() => void) | undefined;
  /** Rejects when the server leaves first; resolves when we do. */
  readonly ended: Promise<void>;

  /** @param show called with every piece of text that arrives, whole characters only */
  constructor(connection: TcpConnection, show: (text: string) => void) {
    this.#connection = connection;
    this.#show = show;
    this.ended = this.#receive();
  }

  /** Sends a line. Resolves when the system has taken it, so that the sender is never far ahead of the server. */
  async say(line: string): Promise<void> {
    this.#linesSent += 1;
    await this.#orEnded(this.#connection.send(Buffer.from(`${line}\n`)));
  }

  /** Resolves when every line sent has its reply, shown. */
  async answered(): Promise<void> {
    while (this.#linesAnswered < this.#linesSent) {
      await this.#orEnded(
        new Promise<void>((resolve) => {
          this.#onAnswer = resolve;
        }),
      );
    }
  }

  /** Ends the connection and waits for the server to do the same, for a while. */
  async leave(waitMs = 2000): Promise<void> {
    this.#leaving = true;
    this.#connection.end();
    const timer = setTimeout(() => this.#connection.abort(), waitMs);
    await this.ended.finally(() => clearTimeout(timer));
  }

  async #receive(): Promise<void> {
    let failure: unknown;
    try {
      for await (const bytes of this.#connection) this.#take(this.#decoder.write(Buffer.from(bytes)));
    } catch (error) {
      failure = error;
    }
    this.#take(this.#decoder.end());
    if (this.#leaving) return;
    const missing = this.#linesSent - this.#linesAnswered;
    const reason =
      failure === undefined
        ? 'the server closed the connection'
        : `the connection broke: ${describeError(failure)}`;
    throw new UserError(
      missing > 0
        ? `${reason}, and ${missing === 1 ? 'a line was' : `${missing} lines were`} not answered`
        : reason,
    );
  }

  #take(text: string): void {
    if (text === '') return;
    this.#show(text);
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#linesAnswered += 1;
    this.#onAnswer?.();
  }

  /** When the connection ends, that is the better reason than a failed write. */
  async #orEnded(work: Promise<void>): Promise<void> {
    const guarded = work.catch((error: unknown) => this.ended.then(() => Promise.reject(error)));
    await Promise.race([guarded, this.ended]);
  }
}
