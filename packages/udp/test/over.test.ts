import { DatagramAddress } from '@iocp/core/layer';
import { assertNoLeaks, memoryDatagramNetwork } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { UdpSocket } from '../src/index.js';
import { codeOf, echoHandlers, textOf, thrownCode } from './support.js';

test('a socket over a channel of another kind', async () => {
  const network = memoryDatagramNetwork();
  const server = UdpSocket.over(await network.bind({}), echoHandlers, { lend: true });
  const { address, port } = server.address();
  const client = UdpSocket.over(await network.connect(DatagramAddress.of(address, port)));
  client.send('through memory');
  expect(textOf(await client.receive())).toBe('through memory');
  expect(client.remoteAddress()).toMatchObject({ address, port });
  expect([client.offload, client.receiveOffload]).toEqual([false, false]);
  expect(thrownCode(() => client.getOption('ttl'))).toBe('EOPNOTSUPP');
  expect(thrownCode(() => client.addMembership('224.0.0.251'))).toBe('EOPNOTSUPP');
  expect(await codeOf(client.connectTo({ address, port }))).toBe('EOPNOTSUPP');
  client.ref().unref();
  await client.close();
  await server.close();
  await assertNoLeaks(network);
});

test('over checks its arguments', async () => {
  const network = memoryDatagramNetwork();
  const channel = await network.bind({});
  expect(thrownCode(() => UdpSocket.over(channel, { messages: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
  expect(thrownCode(() => UdpSocket.over(channel, {}, { lend: 1 as never }))).toBe('ERR_INVALID_ARG_TYPE');
  const socket = UdpSocket.over(channel, {});
  expect(thrownCode(() => UdpSocket.over(channel))).toBe('ERR_CHANNEL_CONSUMER');
  await socket.close();
});
