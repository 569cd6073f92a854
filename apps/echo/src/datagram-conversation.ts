import type { CompletionPort } from '@iocp/core';
import type { DatagramBatch } from '@iocp/core/layer';
import { connect, type UdpHandlers, type UdpSocket } from '@iocp/udp';
import type { Address } from './address.js';
import type { Talk } from './conversation.js';
import { describeError, UserError } from './user-error.js';

/** How long a reply may take. Datagrams get lost without anybody being told. */
const replyMsMax = 2000;

/** Lines sent to a server, each as a datagram with a line feed at its end, and the datagrams that come back. */
export class DatagramConversation implements Talk, UdpHandlers {
  readonly ended: Promise<void>;
  readonly #show: (text: string) => void;
  #socket: UdpSocket | undefined;
  #linesSent = 0;
  #linesAnswered = 0;
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

  /** @param show called with the text of every datagram that arrives */
  static async open(
    completionPort: CompletionPort,
    { host = 'localhost', port }: Address,
    show: (text: string) => void,
  ): Promise<DatagramConversation> {
    const conversation = new DatagramConversation(show);
    conversation.#socket = await connect({ host, port, completionPort }, conversation);
    return conversation;
  }

  get remoteAddress(): { address: string; port: number } {
    const { remoteAddress = '', remotePort = 0 } = this.#open().info;
    return { address: remoteAddress, port: remotePort };
  }

  messages(_socket: UdpSocket, batch: DatagramBatch): void {
    for (const { data } of batch) {
      this.#linesAnswered += 1;
      this.#show(Buffer.from(data).toString());
    }
    this.#onAnswer?.();
  }

  error(_socket: UdpSocket, error: Error): void {
    this.#reject(new UserError(describeError(error)));
  }

  close(): void {
    this.#resolve();
  }

  async say(line: string): Promise<void> {
    this.#linesSent += 1;
    this.#open().send(Buffer.from(`${line}\n`));
    // One at a time: who sends more than the server receives loses some.
    await this.answered();
  }

  async answered(): Promise<void> {
    while (this.#linesAnswered < this.#linesSent) await Promise.race([this.#nextAnswer(), this.ended]);
  }

  async leave(): Promise<void> {
    await this.#open().close();
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new UserError(
            `no reply within ${replyMsMax / 1000} s: nobody answers there, or a datagram got lost`,
          ),
        );
      }, replyMsMax);
      this.#onAnswer = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #open(): UdpSocket {
    if (this.#socket === undefined) throw new UserError('the conversation is not open');
    return this.#socket;
  }
}
