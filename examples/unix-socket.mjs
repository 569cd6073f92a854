// A Unix socket instead of TCP: for programs on one machine, with the permissions of a file.
// Run: node examples/unix-socket.mjs
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, listen } from '@iocp/tcp';

const folder = mkdtempSync(join(tmpdir(), 'iocp-example-'));
const path = join(folder, 'echo.sock');

const listener = await listen(
  { path, lend: true },
  { data: (connection, bytes) => void connection.write(bytes) },
);
console.log('server: listening on a Unix socket:', statSync(path).isSocket());

const client = await connect({ path });
await client.send('through the file system\n');
console.log('client: got', JSON.stringify(Buffer.from((await client.read()) ?? []).toString()));
await client.close();
await listener.close();
rmSync(folder, { recursive: true });
