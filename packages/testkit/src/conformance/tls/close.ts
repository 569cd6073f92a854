/** TLS suite, part 3: each direction ends on its own, by close_notify. */

import assert from 'node:assert/strict';
import { pattern } from '../../chunkings.js';
import { itWithTls, type TlsSuite } from './scene.js';

export function tlsCloseSuite(suite: TlsSuite): void {
  for (const who of ['client', 'server'] as const) {
    itWithTls(suite, `when the ${who} has ended, the other may go on`, async (scene) => {
      const connection = scene.connect();
      await connection.untilHandshaken();
      const first = connection[who];
      const second = who === 'client' ? connection.server : connection.client;
      await connection.transfer(first, pattern(5000));
      await first.end();
      await second.untilEnded();
      assert.equal(first.ended, false);
      await connection.transfer(second, pattern(100_000));
      await connection.transfer(second, pattern(1));
      await second.end();
      await first.untilEnded();
      await connection.untilStill();
      assert.deepEqual([first.errorCode, second.errorCode], [null, null]);
    });
  }

  itWithTls(suite, 'both may end at once, and as the first thing', async (scene) => {
    const connection = scene.connect({
      prepare: (...parties) => {
        for (const party of parties) party.whenHandshaken = () => void party.end();
      },
    });
    await Promise.all([connection.client.untilEnded(), connection.server.untilEnded()]);
    await connection.untilStill();
    assert.deepEqual([connection.client.errorCode, connection.server.errorCode], [null, null]);
  });

  itWithTls(suite, 'the end of the stream after close_notify is nothing new', async (scene) => {
    const connection = scene.connect();
    await connection.converse();
    connection.wire.toServer.end();
    connection.wire.toClient.end();
    await connection.untilStill();
    assert.deepEqual([connection.client.errorCode, connection.server.errorCode], [null, null]);
  });

  itWithTls(
    suite,
    'the stream may end after close_notify while the other side still sends',
    async (scene) => {
      const connection = scene.connect();
      await connection.untilHandshaken();
      const { client, server, wire } = connection;
      await client.end();
      wire.toServer.end();
      await server.untilEnded();
      await connection.transfer(server, pattern(50_000));
      await server.end();
      await client.untilEnded();
      await connection.untilStill();
      assert.deepEqual([client.errorCode, server.errorCode], [null, null]);
    },
  );

  itWithTls(suite, 'what comes after close_notify is left alone (RFC 8446 section 6.1)', async (scene) => {
    const connection = scene.connect();
    await connection.untilHandshaken();
    const { client, server, wire } = connection;
    await connection.transfer(client, pattern(10));
    await client.end();
    await server.untilEnded();
    wire.toServer.write(pattern(3000));
    wire.toServer.write(Uint8Array.of(0x17, 3, 3, 0, 2, 1, 1));
    await connection.transfer(server, pattern(1000));
    await connection.untilStill();
    assert.deepEqual([server.errorCode, server.bytesReceived], [null, 10]);
  });

  itWithTls(suite, 'data and close_notify of one flight come in this order', async (scene) => {
    const connection = scene.connect();
    await connection.untilHandshaken();
    const { client, server, wire } = connection;
    wire.toServer.held = true;
    await client.send(pattern(40_000));
    await client.end();
    wire.toServer.held = false;
    wire.schedule();
    await server.untilEnded();
    assert.equal(server.bytesReceived, 40_000);
    await server.end();
    await client.untilEnded();
  });
}
