// Prints, as JSON, what a port of the backend that is asked for runs on here, or why there is none; then echoes once.
import { CompletionPort } from '@iocp/core';
import { connect, listen } from '@iocp/tcp';

try {
  const completionPort = new CompletionPort({ backend: process.argv[2] });
  const { backend, rejected } = completionPort.info;
  const listener = await listen(
    { host: '127.0.0.1', completionPort },
    { data: (c, bytes) => c.write(bytes) },
  );
  const client = await connect({ host: '127.0.0.1', port: listener.address().port, completionPort });
  await client.send('hello');
  const echoed = Buffer.from(await client.read()).toString();
  await client.close();
  await listener.close();
  await completionPort.close();
  console.log(JSON.stringify({ backend, rejected, echoed }));
} catch ({ code, message }) {
  console.log(JSON.stringify({ error: { code, message } }));
}
