/** TLS suite, part 2: whatever comes in, what comes out is what the peer has sent, or an error with a code. */

import assert from 'node:assert/strict';
import { concatenate, pattern, splitAt, withBitFlipped } from '../../chunkings.js';
import { type Random, withSeed } from '../../prng.js';
import { assertSameBytes } from '../channel/base.js';
import type { TlsParty } from './party.js';
import { choosePlaces, type Direction, directions, placesOf } from './places.js';
import { assertCode, itWithTls, type TlsConnection, type TlsScene, type TlsSuite } from './scene.js';
import type { Carry } from './wire.js';

const message = pattern(300);
/** OpenSSL 3.0 has the second name for it with TLS 1.2. */
const badRecord = /^ERR_SSL_(DECRYPTION_FAILED_OR_BAD_RECORD_MAC|CIPHER_OPERATION_FAILED)$/;

export function tlsDamageSuite(suite: TlsSuite): void {
  sweepSuite(suite);
  recordSuite(suite);
  foreignSuite(suite);
  destroySuite(suite);
}

function sweepSuite(suite: TlsSuite): void {
  const { placesMax } = suite.traits;
  for (const direction of directions) {
    itWithTls(suite, `a turned bit anywhere is noticed, or harmless (${direction})`, async (scene) => {
      await withSeed(async (random) => {
        for (const place of choosePlaces(await placesOf(scene, direction), placesMax)) {
          await assertTruthful(scene, { [direction]: flipAt(place, random) });
        }
      });
    });

    itWithTls(suite, `a stream that is torn off anywhere is no end (${direction})`, async (scene) => {
      const byteCount = await placesOf(scene, direction);
      // The last record is the close_notify; signatures differ in length by a few bytes.
      const lastPlace = byteCount - 16;
      for (const place of choosePlaces(lastPlace, placesMax)) {
        await assertTruthful(scene, { [direction]: tearAt(place) }, (connection) => {
          const party = direction === 'toServer' ? connection.server : connection.client;
          assert.equal(
            party.errorCode,
            'ERR_TLS_TRUNCATED',
            `torn off at ${place}\n${connection.transcript}`,
          );
        });
      }
    });
  }

  itWithTls(suite, 'a stream that ends between two records is truncated', async (scene) => {
    for (const pick of ['client', 'server'] as const) {
      const connection = scene.connect();
      await connection.untilHandshaken();
      await connection.transfer(connection.client, message);
      await connection.transfer(connection.server, message);
      const party = connection[pick];
      connection.wire[pick === 'client' ? 'toClient' : 'toServer'].end();
      assert.equal(await party.untilError(), 'ERR_TLS_TRUNCATED');
      assert.equal(party.ended, false);
    }
  });

  itWithTls(suite, 'a stream that ends before the handshake is truncated', async (scene) => {
    const connection = scene.connect({
      prepare: (client, server) => {
        client.outlet.end();
        server.outlet.end();
      },
    });
    assert.deepEqual(await connection.untilRefused(), {
      client: 'ERR_TLS_TRUNCATED',
      server: 'ERR_TLS_TRUNCATED',
    });
  });

  itWithTls(suite, 'with truncation "end" a stream may end without close_notify', async (scene) => {
    const connection = scene.connect({ client: { truncation: 'end' }, server: { truncation: 'end' } });
    await connection.untilHandshaken();
    await connection.transfer(connection.client, message);
    connection.wire.toServer.end();
    connection.wire.toClient.end();
    await Promise.all([connection.client.untilEnded(), connection.server.untilEnded()]);
    await connection.untilStill();
    assert.deepEqual([connection.client.errorCode, connection.server.errorCode], [null, null]);
  });
}

function recordSuite(suite: TlsSuite): void {
  for (const direction of directions) {
    itWithTls(suite, `a turned bit in an application record never passes (${direction})`, async (scene) => {
      await withSeed(async (random) => {
        const sample = 5 + message.byteLength;
        for (const place of choosePlaces(sample, Math.min(60, suite.traits.placesMax))) {
          const { connection, from, to } = await handshaken(scene, direction);
          connection.wire[direction].tamper = flipFrom(place, random);
          await from.send(message);
          connection.wire[direction].end();
          const code = await to.untilError();
          // In the header it may be the length, the type or the version that is wrong.
          assertCode(code, place < 5 ? /^ERR_(SSL|TLS)_/ : badRecord);
          assert.equal(to.bytesReceived, 0);
          scene.release();
        }
      });
    });
  }

  itWithTls(suite, 'a record that comes twice is refused', async (scene) => {
    const { connection, from, to } = await handshaken(scene, 'toServer');
    connection.wire.toServer.tamper = (bytes) => [bytes, bytes];
    await from.send(message);
    assertCode(await to.untilError(), badRecord);
    assertSameBytes(to.received(), message);
  });

  itWithTls(suite, 'records that change places are refused', async (scene) => {
    const { connection, from, to } = await handshaken(scene, 'toServer');
    const { toServer } = connection.wire;
    toServer.held = true;
    await from.send(message);
    await from.send(pattern(1000));
    toServer.tamper = (bytes) => {
      const first = 5 + ((bytes[3] ?? 0) << 8) + (bytes[4] ?? 0);
      return [...splitAt(bytes, [first])].reverse();
    };
    toServer.held = false;
    connection.wire.schedule();
    assertCode(await to.untilError(), badRecord);
    assert.equal(to.bytesReceived, 0);
  });

  itWithTls(suite, 'a record that is left out is noticed with the next one', async (scene) => {
    const { connection, from, to } = await handshaken(scene, 'toServer');
    connection.wire.toServer.tamper = () => [];
    await from.send(message);
    await connection.untilStill();
    connection.wire.toServer.tamper = undefined;
    await from.send(message);
    assertCode(await to.untilError(), badRecord);
    assert.equal(to.bytesReceived, 0);
  });

  itWithTls(suite, 'a record that is too long is refused without waiting for it', async (scene) => {
    const { connection, to } = await handshaken(scene, 'toServer');
    connection.wire.toServer.write(Uint8Array.of(0x17, 3, 3, 0xff, 0xff));
    connection.wire.toServer.write(new Uint8Array(100));
    assertCode(await to.untilError(), /^ERR_SSL_.*(TOO_LONG|LENGTH)/);
  });

  itWithTls(suite, 'what comes before the error of the same flight is handed up', async (scene) => {
    const { connection, from, to } = await handshaken(scene, 'toServer');
    connection.wire.toServer.tamper = (bytes) => [concatenate([bytes, new Uint8Array(40).fill(0xee)])];
    await from.send(message);
    assertCode(await to.untilError(), /^ERR_SSL_/);
    assertSameBytes(to.received(), message);
  });
}

function foreignSuite(suite: TlsSuite): void {
  const toServer: readonly [what: string, bytes: Uint8Array, code: string | RegExp][] = [
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'ERR_SSL_HTTP_REQUEST'],
    [
      'a request to a proxy',
      Buffer.from('CONNECT a.test:443 HTTP/1.1\r\n\r\n'),
      /^ERR_SSL_HTTPS_PROXY_REQUEST$/,
    ],
    ['zeros', new Uint8Array(100), /^ERR_SSL_/],
    ['text', Buffer.from('EHLO example.test\r\n'.repeat(10)), /^ERR_SSL_/],
    ['an alert', Uint8Array.of(0x15, 3, 1, 0, 2, 2, 40), /^ERR_SSL_/],
    ['application data', Uint8Array.of(0x17, 3, 3, 0, 4, 1, 2, 3, 4), /^ERR_SSL_/],
    ['a hello of no length', Uint8Array.of(0x16, 3, 1, 0, 4, 1, 0, 0, 0), /^ERR_SSL_/],
  ];
  for (const [what, bytes, code] of toServer) {
    itWithTls(suite, `a server that is sent ${what} refuses it`, async (scene) => {
      const connection = scene.connect({ toServer: (_, offset) => (offset === 0 ? [bytes] : []) });
      assertCode(await connection.server.untilError(), code);
      await connection.client.untilError();
    });
  }

  for (const [what, bytes] of [
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['text', Buffer.from('220 mail.example.test ESMTP ready\r\n')],
    ['an alert', Uint8Array.of(0x15, 3, 3, 0, 2, 2, 40)],
    ['an end of communication', Uint8Array.of(0x15, 3, 3, 0, 2, 1, 0)],
    ['zeros', new Uint8Array(100)],
  ] as const) {
    itWithTls(suite, `a client that is answered with ${what} fails`, async (scene) => {
      const connection = scene.connect({ toClient: (_, offset) => (offset === 0 ? [bytes] : []) });
      connection.wire.toServer.held = true;
      connection.wire.toClient.write(Uint8Array.of(0));
      connection.wire.toClient.end();
      assertCode(await connection.client.untilError(), /^ERR_(SSL|TLS)_/);
      assert.equal(connection.client.handshaken, false);
    });
  }

  itWithTls(suite, 'rubbish in the middle of a handshake is refused', async (scene) => {
    await withSeed(async (random) => {
      for (let round = 0; round < 40; round++) {
        const direction = random.pick(directions);
        await assertTruthful(scene, { [direction]: rubbishAfter(random) });
      }
    });
  });
}

function destroySuite(suite: TlsSuite): void {
  for (const who of ['client', 'server'] as const) {
    itWithTls(
      suite,
      `nothing comes from a ${who} after it was destroyed, whenever that is`,
      async (scene) => {
        let steps = 0;
        for (let step = 0; step <= steps; step++) {
          const connection = scene.connect({
            client: { keylog: true, alpnProtocols: ['a'] },
            server: { keylog: true, alpnProtocols: ['a'] },
            prepare: (...parties) => {
              const party = parties[who === 'client' ? 0 : 1];
              party.onStep = (now) => {
                if (now === step) party.destroy();
              };
              talkWhenHandshaken(parties);
            },
          });
          await connection.untilStill();
          steps = Math.max(steps, connection[who].steps);
          scene.release();
        }
        assert.ok(steps > 4, `only ${steps} events`);
      },
    );

    itWithTls(suite, `a ${who} can be destroyed between any two of its bytes`, async (scene) => {
      const direction = who === 'client' ? 'toClient' : 'toServer';
      const places = choosePlaces(await placesOf(scene, direction), Math.min(60, suite.traits.placesMax));
      for (const place of places) {
        const carry: Carry = (bytes, offset) => splitAt(bytes, inside(bytes, [place - offset]));
        let given = 0;
        const connection = scene.connect({
          [direction]: carry,
          prepare: (...parties) => talkWhenHandshaken(parties),
        });
        connection.wire[direction].afterDelivery = (byteCount) => {
          given += byteCount;
          if (given >= place) connection[who].destroy();
        };
        await connection.untilStill();
        scene.release();
      }
    });
  }
}

/** Each side says something and ends once it may. */
function talkWhenHandshaken(parties: readonly TlsParty[]): void {
  for (const party of parties) {
    party.whenHandshaken = () => {
      void party.send(message);
      if (!party.destroyed) void party.end();
    };
  }
}

/** A short connection over a bad wire. */
async function assertTruthful(
  scene: TlsScene,
  wire: { readonly [direction in Direction]?: Carry },
  check: (connection: TlsConnection) => void = () => {},
): Promise<void> {
  const connection = scene.connect({ ...wire, prepare: (...parties) => talkWhenHandshaken(parties) });
  await connection.assertTruthful({ client: message, server: message });
  check(connection);
  scene.release();
}

/** The handshake is over, nothing was sent, and tickets have been taken in. */
async function handshaken(scene: TlsScene, direction: Direction) {
  const connection = scene.connect();
  await connection.untilHandshaken();
  await connection.untilStill();
  const { client, server } = connection;
  return direction === 'toServer'
    ? { connection, from: client, to: server }
    : { connection, from: server, to: client };
}

function flipAt(place: number, random: Random): Carry {
  const bit = random.integer(0, 7);
  return (bytes, offset) => {
    const at = place - offset;
    return [at >= 0 && at < bytes.byteLength ? withBitFlipped(bytes, at * 8 + bit) : bytes];
  };
}

/** The same in what is put out next. */
function flipFrom(place: number, random: Random): (bytes: Uint8Array) => Uint8Array[] {
  return (bytes) => [withBitFlipped(bytes, (place % bytes.byteLength) * 8 + random.integer(0, 7))];
}

function tearAt(place: number): Carry {
  return (bytes, offset) => {
    const at = place - offset;
    return at >= bytes.byteLength ? [bytes] : at > 0 ? [bytes.subarray(0, at)] : [];
  };
}

/** The first flights pass; from then on there is rubbish, in records or not. */
function rubbishAfter(random: Random): Carry {
  let flights = random.integer(0, 2);
  return (bytes) => {
    if (flights-- > 0) return [bytes];
    const rubbish = random.bytes(random.integer(1, 600));
    if (random.chance(0.5)) {
      rubbish.set(
        Uint8Array.of(random.integer(0x14, 0x17), 3, random.integer(1, 4)).subarray(0, rubbish.length),
      );
    }
    return [rubbish];
  };
}

const inside = (bytes: Uint8Array, offsets: readonly number[]) =>
  offsets.filter((offset) => offset > 0 && offset < bytes.byteLength);
