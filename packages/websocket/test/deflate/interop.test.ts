/** What the package `ws` compresses and agrees to, and what it thinks of ours. */

import { afterEach, describe, expect, it } from 'vitest';
import { Deflater } from '../../src/deflate/deflater.js';
import { Inflater } from '../../src/deflate/inflater.js';
import {
  acceptAnswer,
  answerOffer,
  type DeflateAgreement,
  makeOffer,
} from '../../src/deflate/negotiation.js';
import { type DeflateOptions, type DeflateSettings, deflateSettings } from '../../src/deflate/settings.js';
import { type PerMessageDeflateOptions, WsDeflate } from './ws-deflate.js';

const flags = [false, true];
const windows = [9, 15];

const ours: DeflateOptions[] = flags.flatMap((contextTakeover) =>
  flags.flatMap((peerContextTakeover) =>
    windows.flatMap((windowBits) =>
      windows.map((peerWindowBits) => ({ contextTakeover, peerContextTakeover, windowBits, peerWindowBits })),
    ),
  ),
);

const theirs: PerMessageDeflateOptions[] = flags.flatMap((serverNoContextTakeover) =>
  flags.flatMap((clientNoContextTakeover) =>
    [
      {},
      { serverMaxWindowBits: 9 },
      { clientMaxWindowBits: 10 },
      { serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
    ].map(
      // Undefined stands for "as the peer likes it"; false would refuse it.
      (windowBits) => ({
        ...windowBits,
        ...(serverNoContextTakeover ? { serverNoContextTakeover } : {}),
        ...(clientNoContextTakeover ? { clientNoContextTakeover } : {}),
      }),
    ),
  ),
);

const payloadBytesMax = 1 << 20;
const words = ['alpha', 'beta', 'gamma', 'delta', '{"type":"update","values":[1,2,3]}', '\u{1f600}', '\n'];

/** Messages that refer to each other, of all kinds of lengths. */
const messages = [1, 0, 50, 50, 3000, 20_000, 50].map((count, message) =>
  Buffer.from(Array.from({ length: count }, (_, at) => words[(at * at + message) % words.length]).join(' ')),
);

const open: { close(): void }[] = [];

afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function kept<T extends { close(): void }>(each: T): T {
  open.push(each);
  return each;
}

function settings(options: DeflateOptions): DeflateSettings {
  return deflateSettings(options) as DeflateSettings;
}

async function exchange(agreement: DeflateAgreement, peer: WsDeflate): Promise<void> {
  const deflater = kept(new Deflater(agreement));
  const inflater = kept(new Inflater(agreement, payloadBytesMax));
  for (const message of messages) {
    const compressed = await new Promise<Buffer>((resolve, reject) => {
      deflater.compress(message, (error, bytes) => (error ? reject(error) : resolve(bytes as Buffer)));
    });
    expect((await peer.decompress(compressed)).equals(message)).toBe(true);
    const answer = await peer.compress(message);
    const plain = await new Promise<Buffer>((resolve, reject) => {
      inflater.inflate(answer, (error, bytes) => (error ? reject(error) : resolve(bytes as Buffer)));
    });
    expect(plain.equals(message)).toBe(true);
  }
}

describe.each(ours)('ours: %o', (options) => {
  it('as a server, with every client of ws', async () => {
    for (const their of theirs) {
      const client = kept(new WsDeflate({ ...their }));
      const answered = answerOffer(client.offer(), settings(options));
      if (answered === null) throw new Error(`no agreement with ${client.offer()}`);
      client.accept(answered.header);
      await exchange(answered.agreement, client);
    }
  }, 30_000);

  it('as a client, with every server of ws', async () => {
    const offer = makeOffer(settings(options));
    for (const their of theirs) {
      const server = kept(new WsDeflate({ ...their, isServer: true }));
      const answer = accepted(server, offer);
      // ws accepts no window smaller than its own settings: the connection is then not compressed.
      if (answer === null) continue;
      const agreement = acceptAnswer(answer, settings(options));
      if (agreement === null) throw new Error('no agreement');
      await exchange(agreement, server);
    }
  }, 30_000);
});

function accepted(server: WsDeflate, offer: string): string | null {
  try {
    return server.accept(offer);
  } catch (error) {
    if ((error as Error).message === 'None of the extension offers can be accepted') return null;
    throw error;
  }
}
