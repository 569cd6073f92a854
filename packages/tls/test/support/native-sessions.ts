/** Two native sessions in memory, without the engine around them. */

import { loadAddon, words } from '../../src/engine/native/addon.js';
import {
  type HelloAnswer,
  type NativeContext,
  type NativeErrorFacts,
  type NativeSession,
  type NativeSessionOptions,
  Status,
  Word,
} from '../../src/engine/native/binding.js';

/** A client that asks for nothing. */
export const sessionDefaults: NativeSessionOptions = {
  server: false,
  requestCert: false,
  rejectUnauthorized: true,
  servername: undefined,
  alpn: undefined,
  session: undefined,
  requestOcsp: false,
  stopAtHello: false,
  keylog: false,
  sessions: false,
};
const nothing = Buffer.alloc(0);

/** One end. */
export class NativePeer {
  readonly session: NativeSession;
  /** What its application has got. */
  plain = nothing;
  /** What it has failed with. */
  error: NativeErrorFacts | undefined;
  /** Sessions to resume, newest last. */
  readonly sessions: Buffer[] = [];

  readonly #answer: HelloAnswer | undefined;

  /** @param answer of a server, to the ClientHello at which it stops then */
  constructor(context: NativeContext, options: Partial<NativeSessionOptions>, answer?: HelloAnswer) {
    this.#answer = answer;
    const stopAtHello = answer !== undefined;
    this.session = loadAddon().createSession(context, { ...sessionDefaults, stopAtHello, ...options });
  }

  get handshaken(): boolean {
    return ((words[Word.STATUS] as number) & Status.HANDSHAKEN) !== 0;
  }

  start(): Buffer {
    this.session.start();
    return this.#output();
  }

  /** @returns what it answers */
  receive(records: Buffer): Buffer {
    const block = Buffer.alloc(16_384);
    let offset = 0;
    do {
      this.session.receive(records, offset, block);
      offset += words[Word.CONSUMED] as number;
      if (this.#answer !== undefined && (words[Word.STATUS] as number) & Status.HELLO) {
        this.session.continueHello(this.#answer);
        this.session.receive(records, offset, block);
        offset += words[Word.CONSUMED] as number;
      }
      this.plain = Buffer.concat([this.plain, block.subarray(0, words[Word.PLAIN])]);
    } while (((words[Word.STATUS] as number) & Status.MORE) !== 0);
    const output = this.#output();
    const status = words[Word.STATUS] as number;
    if (status & Status.SESSIONS)
      this.sessions.push(...this.session.takeSessions().map((each) => Buffer.from(each)));
    if (status & Status.FAILED) this.error ??= this.session.takeError();
    return output;
  }

  send(text: string): Buffer {
    const records = Buffer.alloc(17_000);
    this.session.send(Buffer.from(text), 0, records, 0);
    return Buffer.concat([records.subarray(0, words[Word.OUTPUT]), this.#output()]);
  }

  #output(): Buffer {
    const output = Buffer.alloc(words[Word.SPILLED] as number);
    if (output.length > 0) this.session.takeOutput(output, 0);
    return output;
  }
}

export interface NativePair {
  readonly client: NativePeer;
  readonly server: NativePeer;
}

/** Makes pairs that have exchanged all they have to say; `free` ends them all. */
export class NativePairs {
  readonly #sessions: NativeSession[] = [];

  /**
   * Shakes hands and, unless `talk` is false, sends a text each way, so that tickets arrive. Either side may end up with an
   * `error`.
   */
  connect(
    clientContext: NativeContext,
    serverContext: NativeContext,
    {
      client: clientOptions = {},
      server: serverOptions = {},
      answer,
      talk = true,
    }: {
      readonly client?: Partial<NativeSessionOptions>;
      readonly server?: Partial<NativeSessionOptions>;
      readonly answer?: HelloAnswer;
      readonly talk?: boolean;
    } = {},
  ): NativePair {
    const client = new NativePeer(clientContext, clientOptions);
    const server = new NativePeer(serverContext, { ...serverOptions, server: true }, answer);
    this.#sessions.push(client.session, server.session);
    let toServer = client.start();
    while (toServer.length > 0) {
      const toClient = server.receive(toServer);
      if (toClient.length === 0) break;
      toServer = client.receive(toClient);
    }
    if (talk && client.error === undefined && server.error === undefined) {
      client.receive(server.send('from the server'));
      server.receive(client.send('from the client'));
    }
    return { client, server };
  }

  free(): void {
    for (const session of this.#sessions.splice(0)) session.free();
  }
}

/** Where the addon of this process was loaded from. */
export function addonPath(): string {
  const report = process.report?.getReport() as unknown as { sharedObjects: string[] };
  return report.sharedObjects.find((path) => path.endsWith('iocp_tls.node')) as string;
}
