import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { engineSuite, layerSuite, pattern } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest } from '../../system.shared.js';
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

describe.each(backendsUnderTest)('length-prefixed program on %s', (backend) => {
  it('runs to its end', { timeout: 30_000 }, () => {
    const program = fileURLToPath(new URL('../length-prefixed/main.mjs', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, IOCP_BACKEND: backend },
    });
    expect(stderr).toBe('');
    expect(stdout).toBe(
      [
        'server: a connection speaks tcp + length-prefixed',
        'client: "one" -> 3 bytes',
        'client: "and two" -> 7 bytes',
        'client: "and then, after a while, three" -> 30 bytes',
        '',
      ].join('\n'),
    );
    expect(status).toBe(0);
  });
});
