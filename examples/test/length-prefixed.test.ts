import { engineSuite, layerSuite, pattern } from '@iocp/testkit';
import { describe, it } from 'vitest';
import { encodeHeader, MessageDecoder } from '../length-prefixed/codec.mjs';
import { lengthPrefixed } from '../length-prefixed/layer.mjs';

const runner = { describe, it: (name: string, body: () => Promise<void>) => it(name, body, 60_000) };

function encode(lengths: readonly number[]): Uint8Array {
  return Buffer.concat(lengths.flatMap((byteLength) => [encodeHeader(byteLength), pattern(byteLength)]));
}

describe('length-prefixed codec', () => {
  engineSuite(runner, {
    samples: [encode([1]), encode([5, 1, 30]), encode([200, 3])],
    decode(parts) {
      const decoder = new MessageDecoder(1000);
      const messages: Buffer[] = [];
      for (const part of parts) {
        decoder.push(part);
        for (let message = decoder.next(); message !== null; message = decoder.next()) {
          messages.push(Buffer.from(message));
        }
      }
      return messages;
    },
  });
});

describe('length-prefixed layer', () => {
  layerSuite(
    runner,
    { setup: async () => ({ client: lengthPrefixed(), server: lengthPrefixed() }), teardown: async () => {} },
    { boundaries: 'messages', truncationCode: 'ERR_LENGTH_PREFIX_TRUNCATED' },
  );
});
