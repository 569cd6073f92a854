/** Nobody gets to renegotiate (TLS 1.2; TLS 1.3 has none), shown against the TLS of Node.js. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { type Channel, fromDuplex } from '@iocp/core/layer';
import { ChannelProbe, type TestCertificates, testCertificates } from '@iocp/testkit';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type EngineName, tls } from '../src/index.js';
import { engines } from './support/layers.js';

let made: TestCertificates;
beforeAll(async () => {
  made = await testCertificates();
});

/** A server of ours with a client of Node.js, after a handshake of TLS 1.2. */
async function connected(engine: EngineName): Promise<{ ours: Channel; theirs: TLSSocket }> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const near = connect(port, '127.0.0.1');
  const [far] = await once(listener, 'connection');
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    listener.close();
  });
  const { cert, key } = made.server;
  const options = { ca: made.ca.cert, servername: 'localhost', maxVersion: 'TLSv1.2' } as const;
  const theirs = tlsConnect({ socket: near, ...options });
  const secure = once(theirs, 'secureConnect');
  const ours = await tls({ cert, key, engine }).wrap(fromDuplex(far), 'server');
  await secure;
  return { ours, theirs };
}

test.each(engines)(
  'a client that wants to is told no, and nothing else, by the engine %s',
  async (engine) => {
    const { ours, theirs } = await connected(engine);
    const probe = new ChannelProbe(ours);
    let outcome: Error | null | undefined;
    const failed = new Promise<Error>((resolve) => theirs.once('error', resolve));
    theirs.renegotiate({}, (error) => {
      outcome = error;
    });
    expect(await failed).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
    expect(outcome).not.toBe(null);
    await probe.untilClosedOrEnded();
    expect(probe.bytesReceived).toBe(0);
    probe.abort();
    await probe.untilClosed();
    probe.verify();
  },
);
