/**
 * An engine of the simplest protocol there is, so that channels can be tested without OpenSSL: records with a type and a length
 * before them, all bytes behind those turned by a key. The client greets, the server answers, then both may send.
 */

import type { WriteMemory } from '@iocp/core/layer';
import type { EngineEvents, TlsEngine } from '../../src/engine/engine.js';
import type { TlsFacts } from '../../src/engine/facts.js';

const HELLO = 1;
const DATA = 2;
const CLOSE = 3;
const ALERT = 4;
/** Like a key update: the other side answers with one of its own. */
const PROD = 5;

const headerBytes = 3;
/** A trailer that must be right, so that turned bits are found out. */
const checkBytes = 2;
const payloadBytesMax = 16 * 1024;
const key = 0x5a;

export interface XorEngineOptions {
  readonly role: 'client' | 'server';
  readonly memory: WriteMemory | null;
  readonly events: EngineEvents;
  /** Events and callbacks come in the next turn of the event loop, much as those of the engine over Node's streams. */
  readonly late?: boolean;
  /** The stream may end without a goodbye. */
  readonly truncation?: 'error' | 'end';
  /** Server: answers the greeting when this is settled. */
  readonly answer?: () => Promise<void>;
}

class XorError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Alive in this process: for leak checks. */
export const alive = { engines: 0 };

export class XorEngine implements TlsEngine {
  readonly name = 'native';
  readonly facts = { protocol: 'XOR', authorized: true } as unknown as TlsFacts;
  readonly #options: XorEngineOptions;
  readonly #pending: (() => void)[] = [];
  #scheduled = false;
  #input: Buffer = Buffer.alloc(0);
  #handshaken = false;
  #peerEnded = false;
  #busy = false;
  #over = false;
  #destroyed = false;

  constructor(options: XorEngineOptions) {
    this.#options = options;
    alive.engines++;
  }

  start(): void {
    if (this.#options.role === 'client') this.#putOut(HELLO, Buffer.from('hello'));
  }

  receive(records: Uint8Array): void {
    if (this.#over) return;
    this.#input = Buffer.concat([this.#input, records]);
    this.#parse();
  }

  receiveEnd(): void {
    this.#later(() => {
      if (this.#peerEnded) return;
      if (this.#handshaken && this.#options.truncation === 'end') this.#end();
      else this.#fail(new XorError('ERR_TLS_TRUNCATED', 'The stream ended without a goodbye'));
    });
  }

  send(plain: Uint8Array, done: () => void): void {
    if (!this.#handshaken) throw new Error('send before the handshake');
    this.#later(() => {
      for (let offset = 0; offset < plain.byteLength; offset += payloadBytesMax) {
        this.#putOut(DATA, plain.subarray(offset, offset + payloadBytesMax));
      }
    });
    this.#later(done);
  }

  end(done: () => void): void {
    this.#later(() => this.#putOut(CLOSE, Buffer.from('bye')));
    this.#later(done);
  }

  /** Asks the peer's engine to say something by itself. */
  prod(): void {
    this.#putOut(PROD, Buffer.from('?'));
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#over = true;
    alive.engines--;
  }

  /** Does it now, or in the next turn, in order. */
  #later(work: () => void): void {
    if (this.#options.late !== true) {
      if (!this.#over) work();
      return;
    }
    this.#pending.push(work);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const each of this.#pending.splice(0)) if (!this.#over) each();
    });
  }

  #parse(): void {
    while (!this.#over && !this.#busy && !this.#peerEnded && this.#input.byteLength >= headerBytes) {
      const type = this.#input.readUInt8(0);
      const length = this.#input.readUInt16BE(1);
      if (type < HELLO || type > PROD || length === 0 || length > payloadBytesMax) {
        this.#later(() => this.#fail(new XorError('ERR_XOR_RECORD', 'That is no record'), true));
        return;
      }
      const whole = headerBytes + length + checkBytes;
      if (this.#input.byteLength < whole) return;
      const payload = turned(this.#input.subarray(headerBytes, headerBytes + length));
      const good = this.#input.readUInt16BE(headerBytes + length) === checkOf(type, payload);
      this.#input = this.#input.subarray(whole);
      if (!good) {
        this.#later(() => this.#fail(new XorError('ERR_XOR_CHECK', 'A record was changed'), true));
        return;
      }
      this.#take(type, payload);
    }
  }

  #take(type: number, payload: Buffer): void {
    if (type === HELLO && !this.#handshaken) this.#greeted();
    else if (type === DATA && this.#handshaken) this.#later(() => this.#deliver(payload));
    else if (type === CLOSE && this.#handshaken) this.#later(() => this.#end());
    else if (type === PROD && this.#handshaken) this.#answerProd(payload);
    else if (type === ALERT) {
      this.#later(() => this.#fail(new XorError('ERR_XOR_ALERT', 'The peer has given up')));
    } else {
      this.#later(() => this.#fail(new XorError('ERR_XOR_UNEXPECTED', 'Not now'), true));
    }
  }

  #answerProd(payload: Buffer): void {
    if (payload.toString() === '?') this.#later(() => this.#putOut(PROD, Buffer.from('!')));
  }

  #greeted(): void {
    const { role, answer } = this.#options;
    if (role === 'client') {
      this.#later(() => this.#shakeHands());
      return;
    }
    if (answer === undefined) {
      this.#answerHello();
      return;
    }
    this.#busy = true;
    this.#options.events.onBusy(true);
    answer().then(
      () => {
        if (this.#over) return;
        this.#busy = false;
        this.#answerHello();
        this.#options.events.onBusy(false);
        this.#parse();
      },
      (error: Error) => this.#fail(error, true),
    );
  }

  #answerHello(): void {
    this.#later(() => {
      this.#putOut(HELLO, Buffer.from('hello, too'));
      this.#shakeHands();
    });
  }

  #shakeHands(): void {
    this.#handshaken = true;
    this.#options.events.onHandshake();
  }

  #deliver(payload: Buffer): void {
    const { memory, events } = this.#options;
    const block = memory === null ? -1 : memory.take();
    if (memory === null || block < 0) {
      events.onData(payload);
      return;
    }
    for (let offset = 0; offset < payload.byteLength; offset += memory.blockBytes) {
      const part = payload.subarray(offset, offset + memory.blockBytes);
      memory.bytesOf(block).set(part);
      if (!this.#over) events.onData(memory.lend(block, 0, part.byteLength));
      if (offset + part.byteLength < payload.byteLength) {
        // What was lent may be in use: the rest comes in memory of its own.
        if (!this.#over) events.onData(Buffer.from(payload.subarray(offset + part.byteLength)));
        break;
      }
    }
    memory.release(block);
  }

  #end(): void {
    this.#peerEnded = true;
    this.#options.events.onEnd();
  }

  #fail(error: Error, alert = false): void {
    if (this.#over) return;
    if (alert) this.#putOut(ALERT, Buffer.from('no'));
    this.#over = true;
    this.#options.events.onError(error);
  }

  #putOut(type: number, payload: Uint8Array): void {
    if (this.#over) return;
    const record = Buffer.alloc(headerBytes + payload.byteLength + checkBytes);
    record.writeUInt8(type, 0);
    record.writeUInt16BE(payload.byteLength, 1);
    record.set(turned(payload), headerBytes);
    record.writeUInt16BE(checkOf(type, payload), headerBytes + payload.byteLength);
    this.#options.events.onOutput(record);
  }
}

function turned(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ key));
}

function checkOf(type: number, payload: Uint8Array): number {
  let sum = type;
  for (let index = 0; index < payload.byteLength; index++) {
    sum = (sum * 31 + (payload[index] as number)) & 0xffff;
  }
  return sum;
}
