import { CompletionPort } from '@iocp/core';
import type { TcpAddress } from '@iocp/tcp';
import type { SilentAddress } from '@iocp/testkit';
import type { Backend } from './backends.js';

const backlog = 1;

/**
 * A listener that accepts nothing and whose backlog is full: connecting to it waits. Linux completes one connection more
 * than the backlog, and drops the SYN of the next.
 */
export async function silentListener(backend: Backend | 'auto'): Promise<SilentAddress<TcpAddress>> {
  const port = new CompletionPort({ backend });
  const own = port.listen({ host: '127.0.0.1', backlog }).address();
  if (own === null) throw new Error('The listener has no address');
  const address = { host: own.address, port: own.port };
  for (let filler = 0; filler <= backlog; filler++) await connectOne(port, address);
  return { address, release: () => port.close() };
}

async function connectOne(port: CompletionPort, remote: { host: string; port: number }): Promise<void> {
  const socket = port.open({ remote });
  const result = await new Promise<number>((resolve) => {
    port.submitConnect(socket, {
      asyncResource: null,
      onCompletion: (_, settled) => resolve(settled),
    });
  });
  if (result !== 0) throw new Error(`Connecting to fill the backlog resulted in ${result}`);
}
