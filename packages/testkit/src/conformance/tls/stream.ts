/** TLS suite, part 1: bytes arrive whole and in order, however the records were cut on their way. */

import assert from 'node:assert/strict';
import { byteByByte, pattern, randomSplit, splitAt } from '../../chunkings.js';
import { withSeed } from '../../prng.js';
import { assertSameBytes } from '../channel/base.js';
import { choosePlaces, directions, placesOf } from './places.js';
import { itWithTls, type TlsSuite } from './scene.js';
import type { Carry } from './wire.js';

/** RFC 8446 section 5.2 and RFC 5246 section 6.2.3: the longest record, with its header. */
const recordBytesMax = 5 + 16_384 + 2048;

export function tlsStreamSuite(suite: TlsSuite): void {
  itWithTls(suite, 'shakes hands and tells what it was', async (scene) => {
    const connection = scene.connect();
    await connection.untilHandshaken();
    const { client, server } = connection;
    for (const { facts } of connection.parties) {
      assert.equal(facts.protocol, scene.version);
      assert.equal(facts.alpnProtocol, false);
      assert.equal(facts.sessionReused, false);
      assert.match(facts.cipher?.name ?? '', /GCM|CHACHA20/);
    }
    assert.equal(client.facts.cipher?.name, server.facts.cipher?.name);
    assert.equal(client.facts.authorized, true);
    assert.equal(client.facts.authorizationError, null);
    assert.equal(server.facts.authorized, false);
    assert.equal(server.facts.servername, 'localhost');
    await connection.converse();
    for (const party of connection.parties) {
      party.destroy();
      assert.equal(party.facts.protocol, scene.version, 'the facts are gone with the engine');
    }
  });

  for (const byteCount of [1, 100, 16_383, 16_384, 16_385, 65_536, 1_048_576]) {
    itWithTls(suite, `carries ${byteCount} bytes both ways`, async (scene) => {
      const connection = scene.connect();
      await connection.untilHandshaken();
      await connection.transfer(connection.client, pattern(byteCount));
      await connection.transfer(connection.server, pattern(byteCount));
      await connection.close();
    });
  }

  itWithTls(suite, 'carries both directions at once', async (scene) => {
    const connection = scene.connect();
    await connection.untilHandshaken();
    const { client, server } = connection;
    const bytes = pattern(300_000);
    for (let start = 0; start < bytes.byteLength; start += 7000) {
      const piece = bytes.subarray(start, start + 7000);
      await Promise.all([client.send(piece), server.send(piece)]);
    }
    for (const party of connection.parties) {
      await party.untilReceived(bytes.byteLength);
      assertSameBytes(party.received(), bytes);
    }
    await connection.close();
  });

  itWithTls(suite, 'puts out records that are no longer than they may be', async (scene) => {
    const seen: number[] = [];
    const connection = scene.connect({ toServer: recordLengths(seen) });
    await connection.untilHandshaken();
    await connection.transfer(connection.client, pattern(100_000));
    await connection.close();
    assert.ok(seen.length >= 7, `${seen.length} records`);
    assert.ok(Math.max(...seen) <= recordBytesMax, `a record of ${Math.max(...seen)} bytes`);
  });

  itWithTls(suite, 'takes records byte by byte', async (scene) => {
    const connection = scene.connect({ toServer: byteByByte, toClient: byteByByte });
    await connection.untilHandshaken();
    await connection.transfer(connection.client, pattern(20_000));
    await connection.transfer(connection.server, pattern(20_000));
    await connection.close();
  });

  for (const direction of directions) {
    itWithTls(suite, `takes each flight cut in two, anywhere (${direction})`, async (scene) => {
      for (const place of choosePlaces(await placesOf(scene, direction), suite.traits.placesMax)) {
        const connection = scene.connect({ [direction]: cutAt(place) });
        await connection.converse();
        scene.release();
      }
    });
  }

  itWithTls(suite, 'takes records cut and joined at random', async (scene) => {
    await withSeed(async (random) => {
      for (let round = 0; round < 12; round++) {
        const partBytesMax = random.pick([3, 50, 2000, 40_000]);
        const carry: Carry = (bytes) => randomSplit(bytes, random, { partBytesMax });
        const connection = scene.connect({ toServer: carry, toClient: carry });
        await connection.untilHandshaken();
        const { client, server, wire } = connection;
        let position = 0;
        for (let message = 0; message < 10; message++) {
          const bytes = pattern(random.integer(1, 6000), position);
          position += bytes.byteLength;
          // What is put out while a line is held is joined.
          for (const line of [wire.toServer, wire.toClient]) line.held = random.chance(0.5);
          await Promise.all([client.send(bytes), server.send(bytes)]);
        }
        for (const line of [wire.toServer, wire.toClient]) line.held = false;
        wire.schedule();
        for (const party of connection.parties) {
          await party.untilReceived(position);
          assertSameBytes(party.received(), pattern(position));
        }
        await connection.close();
        scene.release();
      }
    });
  });
}

/** Cuts once, that many bytes after the beginning of the stream. */
function cutAt(place: number): Carry {
  return (bytes, offset) => {
    const at = place - offset;
    return at > 0 && at < bytes.byteLength ? splitAt(bytes, [at]) : [bytes];
  };
}

/** Collects the lengths of the records that pass, which must come whole. */
function recordLengths(seen: number[]): Carry {
  return (bytes) => {
    for (let start = 0; start < bytes.byteLength; ) {
      const length = 5 + ((bytes[start + 3] ?? 0) << 8) + (bytes[start + 4] ?? 0);
      seen.push(length);
      start += length;
    }
    return [bytes];
  };
}
