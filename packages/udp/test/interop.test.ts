import { expect, test } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { Responder } from './dns-responder.js';
import {
  deadlineMs,
  dgramSocket,
  echoHandlers,
  hasIpv6,
  hasProgram,
  messageOf,
  onEachBackend,
  placeOf,
  run,
  textOf,
  until,
} from './support.js';

const pythonClient = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
peer = ('127.0.0.1', int(sys.argv[1]))
for size in (0, 1, 1472, 1473, 65507):
    s.sendto(bytes([size % 251]) * size, peer)
    data, sender = s.recvfrom(70000)
    assert sender == peer, sender
    assert data == bytes([size % 251]) * size, len(data)
try:
    s.sendto(b'x' * 65508, peer)
except OSError as error:
    print('refused', error.errno)
print('done')
`;

const pythonServer = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.bind(('127.0.0.1', 0))
s.sendto(str(s.getsockname()[1]).encode(), ('127.0.0.1', int(sys.argv[1])))
for _ in range(3):
    data, sender = s.recvfrom(70000)
    s.sendto(data.upper(), sender)
`;

onEachBackend('other programs', (fixture) => {
  test('node:dgram sends, and gets its own back', async () => {
    const server = await fixture.bind({ lend: true }, echoHandlers);
    const client = await dgramSocket(fixture);
    for (const size of [0, 1, 1472, 9000, 65_507]) {
      const sent = Buffer.alloc(size, size % 251);
      client.send(sent, server.address().port, '127.0.0.1');
      const { data, from } = await messageOf(client);
      expect(data.equals(sent)).toBe(true);
      expect(from).toMatchObject({ ...placeOf(server), size });
    }
    await until(() => server.stats.queued === 0);
    expect(server.stats).toMatchObject({ received: 5, sent: 5, receivedBytes: 75_980, sentBytes: 75_980 });
  });

  test('node:dgram receives, and answers', async () => {
    const server = await dgramSocket(fixture);
    server.on('message', (data, from) => server.send(`${data} indeed`, from.port, from.address));
    const { port } = server.address();
    const client = await fixture.bind();
    client.send('hello', { address: '127.0.0.1', port });
    const answer = await client.receive();
    expect(textOf(answer)).toBe('hello indeed');
    expect(answer).toMatchObject({ address: '127.0.0.1', port, family: 'IPv4', truncated: false });
  });

  test.runIf(hasIpv6)('node:dgram over IPv6', async () => {
    const server = await fixture.bind({ host: '::1' }, echoHandlers);
    const client = await dgramSocket(fixture, { type: 'udp6' });
    client.send('six', server.address().port, '::1');
    const { data, from } = await messageOf(client);
    expect(data.toString()).toBe('six');
    expect(from).toMatchObject({ address: '::1', family: 'IPv6' });
  });

  test.runIf(hasIpv6)('a socket of both families serves node:dgram over IPv4', async () => {
    const seen: string[] = [];
    const server = await fixture.bind(
      { host: '::' },
      {
        messages(_socket, batch) {
          for (const message of batch) {
            seen.push(message.address);
            message.reply(message.data);
          }
        },
      },
    );
    const client = await dgramSocket(fixture);
    client.send('four', server.address().port, '127.0.0.1');
    expect((await messageOf(client)).data.toString()).toBe('four');
    expect(seen).toEqual(['::ffff:127.0.0.1']);
  });

  test.runIf(hasProgram('python3'))('a Python client', { timeout: deadlineMs }, async () => {
    const server = await fixture.bind({ lend: true }, echoHandlers);
    const { stdout, stderr } = await run('python3', ['-c', pythonClient, String(server.address().port)]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^refused \d+\ndone\n$/);
    await until(() => server.stats.queued === 0);
    expect(server.stats).toMatchObject({ received: 5, sent: 5 });
  });

  test.runIf(hasProgram('python3'))('a Python server', { timeout: deadlineMs }, async () => {
    const client = await fixture.bind();
    const python = run('python3', ['-c', pythonServer, String(client.address().port)]);
    const hello = await client.receive();
    await client.connectTo({ address: '127.0.0.1', port: Number(textOf(hello)) });
    for (const word of ['one', 'two', 'three']) {
      client.send(word);
      expect(textOf(await client.receive())).toBe(word.toUpperCase());
    }
    expect(await python).toMatchObject({ code: 0, stderr: '' });
  });

  test.runIf(hasProgram('socat', '-V'))('socat', { timeout: deadlineMs }, async () => {
    const server = await fixture.bind({}, echoHandlers);
    const target = `UDP4:127.0.0.1:${server.address().port}`;
    const { code, stdout } = await run('socat', ['-t', '1', '-', target], 'through socat\n');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'through socat\n' });
  });

  test.runIf(!underWine && hasProgram('dig', '-v'))(
    'dig asks a name server',
    { timeout: deadlineMs },
    async () => {
      const responder = new Responder(new Map([['a.test', '192.0.2.1']]));
      const server = await fixture.bind({ lend: true }, responder);
      const ask = (name: string) =>
        run('dig', [
          '@127.0.0.1',
          '-p',
          String(server.address().port),
          '+short',
          '+tries=1',
          '+noedns',
          name,
        ]);
      expect((await ask('a.test')).stdout).toBe('192.0.2.1\n');
      const missing = await ask('b.test');
      expect(missing).toMatchObject({ code: 0, stdout: '' });
      expect(responder.asked).toEqual(['a.test', 'b.test']);
    },
  );
});
