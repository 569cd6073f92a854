// Tries to listen on port 1 without privileges and prints the error.
import { CompletionPort } from '@iocp/core';
import { listen } from '@iocp/tcp';

const port = new CompletionPort({ backend: process.argv[2] });
if (process.getuid() === 0) process.setuid(65534);
await listen({ host: '127.0.0.1', port: 1, completionPort: port }).then(
  () => console.log(JSON.stringify({ code: 'none' })),
  ({ code, address, port: refused, message }) =>
    console.log(JSON.stringify({ code, address, port: refused, message })),
);
await port.close();
