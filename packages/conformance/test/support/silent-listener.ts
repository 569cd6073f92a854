import type { TcpAddress } from '@iocp/tcp';
import type { SilentAddress } from '@iocp/testkit';
import { silentServer } from '../../../../silent-server.shared.js';

/** An address where connecting waits for ever. */
export async function silentListener(): Promise<SilentAddress<TcpAddress>> {
  const host = '127.0.0.1';
  const { port, release } = await silentServer(host);
  return { address: { host, port }, release };
}
