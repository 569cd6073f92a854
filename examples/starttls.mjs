// A protocol of lines that goes over to TLS in mid-connection, on both sides. The client does not wait for an answer to
// STARTTLS, so its first TLS record arrives with the command: what was read too much is given to TLS as `head`. It is never
// taken for further lines, which is how others have let commands from outside slip into an encrypted connection.
// Run: node examples/starttls.mjs
import { Connection } from '@iocp/core/layer';
import { connect, listen } from '@iocp/tcp';
import { makeCertificate } from '@iocp/testkit';
import { tls, tlsOf } from '@iocp/tls';

// For this run. A server of yours reads its certificate and key from files.
const { cert, key } = await makeCertificate({ names: ['localhost'] });
const serverTls = tls({ cert, key });
const clientTls = tls({ ca: cert, servername: 'localhost' });

/**
 * The next line, and what has arrived behind it.
 * @param {Connection} connection
 */
async function readLine(connection) {
  let received = Buffer.alloc(0);
  for (;;) {
    const bytes = await connection.read();
    if (bytes === null) throw new Error('The peer has ended in the middle of a line');
    received = Buffer.concat([received, bytes]);
    const end = received.indexOf('\n');
    if (end >= 0) return { line: received.toString('utf8', 0, end), rest: received.subarray(end + 1) };
  }
}

/**
 * Puts TLS on a connection that is in use.
 * @param {Connection} connection
 * @param {import('@iocp/tls').TlsLayer} layer
 * @param {'client' | 'server'} role
 * @param {Uint8Array} rest what was read of it and not used
 */
async function startTls(connection, layer, role, rest) {
  const head = Buffer.concat([rest, ...connection.detach()]);
  return new Connection(await layer.wrap(connection.channel, role, { head }));
}

/** @param {Connection} plain */
async function serve(plain) {
  plain.write('welcome\n');
  const { line, rest } = await readLine(plain);
  if (line !== 'STARTTLS') throw new Error(`STARTTLS was expected, not ${line}`);
  console.log(
    `server: ${line}, and ${rest.length > 0 ? 'the first record came with it' : 'nothing behind it'}`,
  );
  const secure = await startTls(plain, serverTls, 'server', rest);
  const request = await readLine(secure);
  await secure.send(`you said "${request.line}" over ${tlsOf(secure).protocol}\n`);
  await secure.close();
}

const listener = await listen({ host: '127.0.0.1' });
const serving = (async () => {
  const connection = await listener.accept();
  if (connection !== null) await serve(connection);
})();

const plain = await connect({ host: '127.0.0.1', port: listener.address().port });
const greeting = await readLine(plain);
console.log(`client: got "${greeting.line}"`);
plain.write('STARTTLS\n');
const secure = await startTls(plain, clientTls, 'client', greeting.rest);
secure.write('hello\n');
console.log(`client: got "${(await readLine(secure)).line}"`);
await secure.close();
await serving;
await listener.close();
