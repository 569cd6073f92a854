import type { LookupAddress } from 'node:dns';
import { DatagramAddress } from '@iocp/core/layer';
import { expect, test } from 'vitest';
import type { LookupFunction, UdpSocket } from '../src/index.js';
import {
  codeOf,
  deadPort,
  echoHandlers,
  hasIpv6,
  onEachBackend,
  placeOf,
  textFrom,
  thrownCode,
  until,
} from './support.js';

/** Knows some names, and notes what it was asked. */
function names(known: Readonly<Record<string, readonly string[]>>): {
  lookup: LookupFunction;
  asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    lookup(name, { family }, callback) {
      asked.push(`${name} ${family}`);
      const addresses = known[name]?.map(
        (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
      );
      if (addresses === undefined) callback(Object.assign(new Error('who?'), { code: 'ENOTFOUND' }), []);
      else callback(null, addresses);
    },
  };
}

onEachBackend('connect', (fixture) => {
  test('has one peer', async () => {
    const server = await fixture.bind({}, echoHandlers);
    const stranger = await fixture.bind();
    const client = await fixture.connect({ port: server.address().port });
    expect(client.remoteAddress()).toMatchObject({ family: 'IPv4', ...placeOf(server) });
    expect(server.remoteAddress()).toBeNull();
    expect(client.info).toMatchObject({ protocols: ['udp'], remotePort: server.address().port });
    stranger.send('let me in', placeOf(client));
    await until(() => stranger.stats.sent === 1);
    client.send('hello');
    expect(await textFrom(client)).toBe('hello');
    expect(thrownCode(() => client.send('x', placeOf(server)))).toBe('ERR_SOCKET_DGRAM_IS_CONNECTED');
  });

  test('from an address and port of choice', async () => {
    const localPort = await deadPort(fixture);
    const server = await fixture.bind();
    const client = await fixture.connect({ port: server.address().port, localHost: '127.0.0.1', localPort });
    expect(client.address()).toMatchObject({ address: '127.0.0.1', port: localPort });
    client.send('hello');
    expect(await server.receive()).toMatchObject({ port: localPort });
  });

  test('by name: the first address that the system takes', async () => {
    const server = await fixture.bind();
    // Without the option `broadcast` there is no way to the first.
    const { lookup, asked } = names({
      'server.test': ['255.255.255.255', '127.0.0.1'],
      'closed.test': ['255.255.255.255', '255.255.255.255'],
      'none.test': [],
    });
    const localHost = '127.0.0.1';
    const target = { port: server.address().port, localHost, lookup };
    const client = await fixture.connect({ host: 'server.test', ...target });
    expect(client.remoteAddress()).toMatchObject({ address: '127.0.0.1' });
    expect(asked).toEqual(['server.test 4']);
    const failed = fixture.connect({ host: 'closed.test', ...target });
    await expect(failed).rejects.toMatchObject({ syscall: 'connect', address: '255.255.255.255' });
    const port = 9;
    expect(await codeOf(fixture.connect({ host: 'other.test', port, lookup }))).toBe('ENOTFOUND');
    expect(await codeOf(fixture.connect({ host: 'none.test', port, lookup }))).toBe('ENOTFOUND');
    const liar: LookupFunction = (_name, _options, callback) =>
      callback(null, [{ address: 'nonsense', family: 4 }]);
    expect(await codeOf(fixture.connect({ host: 'x.test', port, lookup: liar }))).toBe(
      'ERR_INVALID_IP_ADDRESS',
    );
  });

  test('a signal gives up, and leaves nothing open', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const never: LookupFunction = () => {};
    const connecting = fixture.connect({
      host: 'x.test',
      port: 9,
      lookup: never,
      signal: controller.signal,
    });
    const binding = fixture.bind({ host: 'x.test', lookup: never, signal: controller.signal });
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    await expect(binding).rejects.toBe(reason);
    await expect(fixture.connect({ port: 9, signal: controller.signal })).rejects.toBe(reason);
    expect(fixture.port.stats.handlesOpen).toBe(0);
  });

  test('lookup finds the address of a name once', async () => {
    const { lookup, asked } = names({ 'server.test': ['::1', '127.0.0.1'] });
    const server = await fixture.bind();
    const client = await fixture.bind({ lookup });
    const target = await client.lookup('server.test', server.address().port);
    expect(target).toBeInstanceOf(DatagramAddress);
    expect(`${target}`).toBe(`127.0.0.1:${server.address().port}`);
    expect(asked).toEqual(['server.test 4']);
    client.send('found', target);
    expect(await textFrom(server)).toBe('found');
    expect(await codeOf(client.lookup('other.test', 1))).toBe('ENOTFOUND');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(client.lookup('server.test', 1, { signal })).rejects.toThrow('enough');
  });

  test('connectTo and disconnect change the peer', async () => {
    const servers: UdpSocket[] = [await fixture.bind({}, echoHandlers), await fixture.bind({}, echoHandlers)];
    const client = await fixture.bind();
    for (const server of servers) {
      await client.connectTo(placeOf(server));
      expect(client.remoteAddress()).toMatchObject(placeOf(server));
      client.send('hello');
      expect(await client.receive()).toMatchObject(placeOf(server));
    }
    await client.disconnect();
    expect(client.remoteAddress()).toBeNull();
    expect(thrownCode(() => client.send('x'))).toBe('ERR_SOCKET_DGRAM_NOT_CONNECTED');
    expect(await codeOf(client.disconnect())).toBe('ERR_SOCKET_DGRAM_NOT_CONNECTED');
    await client.close();
    expect(await codeOf(client.connectTo({ address: '127.0.0.1', port: 9 }))).toBe('ERR_CHANNEL_CLOSED');
  });

  test.runIf(hasIpv6)('over IPv6', async () => {
    const server = await fixture.bind({ host: '::1' }, echoHandlers);
    const client = await fixture.connect({ host: '::1', port: server.address().port });
    expect(client.payloadBytesMax).toBe(65_527);
    client.send('six');
    expect(await client.receive()).toMatchObject({ address: '::1', family: 'IPv6' });
    const any = await fixture.connect({ host: '::1', port: server.address().port, localPort: 0 });
    expect(any.address()).toMatchObject({ address: '::1', family: 'IPv6' });
  });
});
