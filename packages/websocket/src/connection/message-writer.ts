import { invalidArgumentType } from '@iocp/core/layer';
import { FIN, Opcode } from '../codec/frame.js';
import { webSocketError } from '../errors.js';
import { keep, type Sender, type SendStatus } from './sender.js';

/** A message that is sent in parts, each as one fragment, while it is being made. Other messages wait until it has ended. */
export class MessageWriter {
  readonly #sender: Sender;
  /** Of the next fragment; only the first one says what it is. */
  #opcode: number;
  /** What was written before it was this message's turn; null from then on. */
  #early: { readonly first: number; readonly bytes: Uint8Array }[] | null = [];
  #giveBack: (() => void) | null = null;
  #ended = false;

  /** @internal */
  constructor(sender: Sender, binary: boolean) {
    this.#sender = sender;
    this.#opcode = binary ? Opcode.BINARY : Opcode.TEXT;
    sender.takeFloor((giveBack, canceled) => {
      if (canceled === null) this.#begin(giveBack);
      else this.#early = null;
    });
  }

  /**
   * The next part. Parts of a text may be cut inside a character.
   * @returns as `send`; `'refused'` when the connection has closed, or by the policy for slow consumers
   * @throws `ERR_INVALID_ARG_TYPE`; `ERR_WS_MESSAGE_ENDED` after `end`
   */
  write(data: string | Uint8Array): SendStatus {
    return this.#put(data, 0);
  }

  /** The last part, empty by default. Then other messages have their turn. */
  end(data: string | Uint8Array = ''): SendStatus {
    const status = this.#put(data, FIN);
    this.#ended = true;
    this.#giveBack?.();
    this.#giveBack = null;
    return status;
  }

  #put(data: string | Uint8Array, fin: number): SendStatus {
    if (this.#ended)
      throw webSocketError('ERR_WS_MESSAGE_ENDED', 'This message has ended: start another one', 1006);
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) throw invalidArgumentType('data', 'a string or a Uint8Array', data);
    const first = fin | this.#opcode;
    let status: SendStatus;
    if (this.#early === null) {
      status = this.#sender.part(first, bytes);
    } else {
      this.#early.push({ first, bytes: keep(bytes) });
      this.#sender.waiting(bytes.byteLength);
      status = this.#sender.full ? 'full' : 'sent';
    }
    if (status !== 'refused') this.#opcode = Opcode.CONTINUATION;
    return status;
  }

  #begin(giveBack: () => void): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const { first, bytes } of early) {
      this.#sender.waiting(-bytes.byteLength);
      this.#sender.part(first, bytes);
    }
    if (this.#ended) giveBack();
    else this.#giveBack = giveBack;
  }
}
