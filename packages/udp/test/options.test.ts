import { once } from 'node:events';
import { DatagramAddress } from '@iocp/core/layer';
import { describe, expect, test } from 'vitest';
import { controlsSingleDatagrams, onWindows, refusesForeignAddresses } from '../../../system.shared.js';
import type { UdpMessage } from '../src/index.js';
import { codeOf, dgramSocket, hasIpv6, onEachBackend, placeOf, textFrom, until } from './support.js';

const onLinux = process.platform === 'linux';
const noControls = 'node:dgram has neither controls nor information for single datagrams';

onEachBackend('options', (fixture) => {
  test('an address in use, and one that is not ours', async () => {
    const first = await fixture.bind();
    const { port } = first.address();
    const error = await fixture.bind({ port }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', address: '127.0.0.1', port });
    if (refusesForeignAddresses) {
      expect(await codeOf(fixture.bind({ host: '192.0.2.1' }))).toBe('EADDRNOTAVAIL');
    }
    expect(fixture.port.stats.handlesOpen).toBe(1);
  });

  test('without a host it is at every address', async () => {
    const server = await fixture.bind({ host: undefined });
    expect(['::', '0.0.0.0']).toContain(server.address().address);
    expect(server.payloadBytesMax).toBe(server.address().family === 'IPv4' ? 65_507 : 65_527);
    const client = await fixture.bind();
    client.send('any', { address: '127.0.0.1', port: server.address().port });
    expect(await textFrom(server)).toBe('any');
  });

  test.runIf(hasIpv6)('ipv6Only leaves IPv4 to others', async () => {
    const six = await fixture.bind({ host: undefined, ipv6Only: true });
    expect(six.address().address).toBe('::');
    const four = await fixture.bind({ host: '0.0.0.0', port: six.address().port });
    const client = await fixture.bind();
    client.send('four', { address: '127.0.0.1', port: six.address().port });
    expect(await textFrom(four)).toBe('four');
  });

  test.runIf(!onWindows)('reuseAddress shares an address with whoever asks for it, too', async () => {
    const first = await fixture.bind({ reuseAddress: true });
    const { port } = first.address();
    const second = await fixture.bind({ reuseAddress: true, port });
    expect(second.address().port).toBe(port);
    expect(await codeOf(fixture.bind({ port }))).toBe('EADDRINUSE');
  });

  test('broadcast, and the sizes of buffers', async () => {
    const plain = await fixture.bind({ receiveBuffer: 100_000, sendBuffer: 100_000 });
    expect(plain.getOption('receiveBuffer')).toBeGreaterThanOrEqual(100_000);
    expect(plain.getOption('sendBuffer')).toBeGreaterThanOrEqual(100_000);
    const refused: (Error | null)[] = [];
    const to = { address: '255.255.255.255', port: 9 };
    plain.send('x', to, { done: (error) => refused.push(error) });
    await until(() => refused.length === 1);
    // Where the machine has no route at all, that is what it says.
    expect(['EACCES', 'ENETUNREACH']).toContain((refused[0] as NodeJS.ErrnoException | null)?.code);
    plain.setOption('broadcast', true);
    const allowed = await fixture.bind({ broadcast: true });
    expect(allowed.info.family).toBe('IPv4');
  });

  test('time to live for all that is sent', async () => {
    const socket = await fixture.bind({ ttl: 3, multicastTtl: 2, multicastLoop: true });
    socket.setOption('ttl', 4).setOption('multicastTtl', 5);
    const peer = await dgramSocket(fixture);
    socket.send('x', { address: '127.0.0.1', port: peer.address().port });
    await once(peer, 'message');
  });

  test('what there is no room for is cut, and flagged', async () => {
    const { CompletionPort } = await import('@iocp/core');
    const small = new CompletionPort({
      backend: fixture.backend,
      pool: { slotBytes: 4096, minSlots: 64, maxSlots: 256 },
    });
    const server = await fixture.bind({ completionPort: small });
    const client = await fixture.bind();
    const room = 4096 - 256;
    for (const size of [room, room + 1, 65_507, 10]) {
      client.send(Buffer.alloc(size, size % 256), placeOf(server));
      const message = (await server.receive()) as UdpMessage;
      expect(Buffer.compare(message.data, Buffer.alloc(Math.min(size, room), size % 256))).toBe(0);
      expect(message.truncated).toBe(size > room);
    }
    expect(server.stats).toMatchObject({ received: 4, truncated: 2 });
    await server.close();
    await small.close();
  });

  test('any number of other options by name', async () => {
    const socket = await fixture.bind({ socketOptions: { receiveBuffer: 50_000, broadcast: true } });
    expect(socket.getOption('receiveBuffer')).toBeGreaterThanOrEqual(50_000);
  });
});

onEachBackend(
  'controls of single datagrams',
  (fixture) => {
    const receiveInfo = { destination: true, tos: true, ttl: true };

    // Windows sets no time to live for one datagram, and no type of service for all of a socket.
    test.runIf(onLinux).each([
      ['127.0.0.1', 'IPv4'],
      ['::1', 'IPv6'],
    ] as const)('are told at %s', async (host, family) => {
      if (family === 'IPv6' && !hasIpv6) return;
      const server = await fixture.bind({ host, receiveInfo });
      const client = await fixture.bind({ host, tos: 0x10, ttl: 9 });
      const to = placeOf(server);
      client.send('socket', to);
      client.send('own', to, { tos: 0x22, ttl: 77 });
      client.send('again', to);
      const messages = [await server.receive(), await server.receive(), await server.receive()];
      expect(messages.map((message) => message?.tos)).toEqual([0x10, 0x22, 0x10]);
      expect(messages.map((message) => message?.ttl)).toEqual([9, 77, 9]);
      for (const message of messages) {
        expect(message).toMatchObject({ family, localAddress: host });
        expect(message?.interfaceIndex).toBeGreaterThan(0);
      }
    });

    test('only what was asked for is told', async () => {
      const server = await fixture.bind({ receiveInfo: { ttl: true } });
      const client = await fixture.bind();
      client.send('x', placeOf(server));
      const message = await server.receive();
      expect(message?.ttl).toBeGreaterThan(0);
      expect(message).toMatchObject({ tos: undefined, localAddress: undefined, interfaceIndex: undefined });
    });

    test.runIf(controlsSingleDatagrams)('ECN goes both ways', async () => {
      const server = await fixture.bind(
        { receiveInfo: { tos: true } },
        {
          messages(_socket, batch) {
            // As an answer to a mark would: the same in the reply.
            for (const message of batch) message.reply(message.data, { tos: (message.tos ?? 0) & 3 });
          },
        },
      );
      const client = await fixture.connect({
        port: server.address().port,
        receiveInfo: { tos: true },
      });
      for (const mark of [0, 1, 2, 3]) {
        client.send('marked', undefined, { tos: mark });
        expect(await client.receive()).toMatchObject({ tos: mark });
      }
    });

    test.runIf(onLinux)('a source address and an interface of choice', async () => {
      const server = await fixture.bind({ host: '0.0.0.0', receiveInfo: { destination: true } });
      const client = await fixture.bind({ host: '0.0.0.0' });
      const to = { address: '127.0.0.1', port: server.address().port };
      const source = DatagramAddress.of('127.0.0.2', 0);
      client.send('from there', to, { source });
      const message = await server.receive();
      expect(message).toMatchObject({ address: '127.0.0.2', localAddress: '127.0.0.1' });
      const { interfaceIndex } = message as UdpMessage;
      client.send('through it', to, { source, interfaceIndex });
      expect(await server.receive()).toMatchObject({ address: '127.0.0.2' });
      const refused = new Promise<Error | null>((resolve) => {
        client.send('x', to, { source: DatagramAddress.of('192.0.2.1', 0), done: resolve });
      });
      expect(await refused).toMatchObject({ syscall: 'send' });
      expect(client.stats.sendErrors).toBe(1);
    });
  },
  noControls,
);

describe('where there are no controls', () => {
  onEachBackend('a datagram with one', (fixture) => {
    test.runIf(fixture.backend === 'node')('fails, and nothing is ignored silently', async () => {
      const client = await fixture.bind();
      const refused = new Promise<Error | null>((resolve) => {
        client.send('x', { address: '127.0.0.1', port: 9 }, { tos: 1, done: resolve });
      });
      expect(await refused).toMatchObject({ code: 'EOPNOTSUPP' });
      expect(await codeOf(fixture.bind({ receiveInfo: { tos: true } }))).toBe('ENOPROTOOPT');
      expect(await codeOf(fixture.bind({ icmpErrors: true }))).toBe('ENOPROTOOPT');
    });
  });
});

onEachBackend(
  'reusePort',
  (fixture) => {
    test.runIf(onLinux)('several sockets share what comes to a port', async () => {
      const first = await fixture.bind({ reusePort: true });
      const second = await fixture.bind({ reusePort: true, port: first.address().port });
      let sent = 0;
      // Each sender always goes to the same socket: some port of the system's choice goes to the other.
      while (first.stats.received === 0 || second.stats.received === 0) {
        void first.receive();
        void second.receive();
        const client = await fixture.bind();
        client.send('x', placeOf(first));
        sent++;
        await until(() => first.stats.received + second.stats.received === sent);
      }
    });
  },
  'the option depends on the release of Node.js there',
);
