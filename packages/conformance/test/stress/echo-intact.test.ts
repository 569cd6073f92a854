/** Many connections that talk at once, all of whose bytes are compared. */

import { CompletionPort } from '@iocp/core';
import { connect, listen } from '@iocp/tcp';
import { assertNoLeaks } from '@iocp/testkit';
import { expect, it } from 'vitest';
import { spawnRetries } from '../../../../system.shared.js';
import { describeBackends } from '../support/backends.js';

const connections = 500;
const messages = 100;
const messageBytes = 3072;

/** No two are alike, and each says where it belongs. */
function message(connection: number, index: number): Buffer {
  return Buffer.alloc(messageBytes, `${connection} sends ${index}; `);
}

async function converse(completionPort: CompletionPort, port: number, name: number): Promise<void> {
  const connection = await connect({ host: '127.0.0.1', port, completionPort });
  for (let index = 0; index < messages; index++) {
    const sent = message(name, index);
    connection.write(sent);
    const parts: Uint8Array[] = [];
    for (let missing = messageBytes; missing > 0; ) {
      const part = await connection.read();
      if (part === null) throw new Error(`connection ${name} ended in message ${index}`);
      parts.push(part);
      missing -= part.length;
    }
    if (!Buffer.concat(parts).equals(sent))
      throw new Error(`connection ${name}: message ${index} is not intact`);
  }
  await connection.close();
  expect(connection.bytesRead).toBe(messages * messageBytes);
}

describeBackends((backend) => {
  it(`${connections} connections echo ${messages} messages of 3 KB each, intact`, {
    timeout: 240_000,
    retry: spawnRetries,
  }, async () => {
    const [serving, dialling] = [new CompletionPort({ backend }), new CompletionPort({ backend })];
    const listener = await listen(
      { host: '127.0.0.1', port: 0, backlog: 1024, completionPort: serving, lend: true },
      { data: (connection, bytes) => void connection.write(bytes) },
    );
    const { port } = listener.address();
    await Promise.all(Array.from({ length: connections }, (_, name) => converse(dialling, port, name)));
    await listener.close();
    expect(listener.stats).toMatchObject({ accepted: connections, connections: 0 });
    for (const completionPort of [serving, dialling]) {
      await assertNoLeaks(completionPort);
      await completionPort.close();
    }
  });
});
