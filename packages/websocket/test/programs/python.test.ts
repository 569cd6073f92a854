/** Python's `websockets`, as client and as server. */

import { describe, expect, test } from 'vitest';
import { onEachBackend, portOf } from '../server/fixture.js';
import { deadlineMs, echoServer, exchange, exchanged, fileFor, Program, programOf } from './support.js';

// Another Python may come first, which has none of Debian's packages.
const python = programOf('python3-websockets', ['python3', '/usr/bin/python3'], ['-c', 'import websockets']);

const clientProgram = `
import asyncio, ssl, sys, websockets
url, ca = sys.argv[1:3]
samples = ['', 'text: ä€😀', b'', bytes(range(256))]
samples += [b'x' * length for length in (125, 126, 65535, 65536)] + ['much of it, ' * 100000]
async def main():
    context = ssl.create_default_context(cafile=ca) if url.startswith('wss') else None
    async with websockets.connect(url, ssl=context, subprotocols=['echo'], max_size=None) as socket:
        await (await socket.ping())
        for message in samples:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(['in ', 'three ', 'parts'])
        assert await socket.recv() == 'in three parts'
        await socket.close(4000, 'enough')
        print(socket.subprotocol, [each.name for each in socket.extensions], socket.close_code, socket.close_reason)
asyncio.run(main())
`;

const serverProgram = `
import asyncio, websockets
async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosedError as error:
        print(error.rcvd.code, error.rcvd.reason, flush=True)
async def main():
    async with websockets.serve(echo, '127.0.0.1', 0, subprotocols=['echo'], max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
`;

describe.skipIf(python === undefined)("Python's websockets", () => {
  onEachBackend('talk', (fixture) => {
    const run = (program: string, ...args: string[]) =>
      new Program(fixture, python as string, ['-c', program, ...args]);

    test.each([
      ['ws', false, '[]'],
      ['ws', { threshold: 0, contextTakeover: true, peerContextTakeover: true }, "['permessage-deflate']"],
      ['wss', false, '[]'],
    ])('to our server by %s, with %o', { timeout: deadlineMs }, async (scheme, deflate, extensions) => {
      const { ca, server: credentials } = fixture.certificates;
      const tls = scheme === 'wss' ? { tls: credentials } : {};
      const server = await echoServer(fixture, { deflate, ...tls });
      const trusted = fileFor(fixture, 'ca.pem', String(ca.cert));
      const client = run(clientProgram, `${scheme}://127.0.0.1:${portOf(server)}`, trusted);
      expect(await client.line()).toBe(`echo ${extensions} 4000 enough`);
    });

    test.each([false, { threshold: 0 }])(
      'to our client, with %o',
      { timeout: deadlineMs },
      async (deflate) => {
        const server = run(serverProgram);
        const url = `ws://127.0.0.1:${await server.line()}`;
        const outcome = await exchange(fixture, url, { deflate });
        expect(outcome).toMatchObject(exchanged);
        expect(outcome.extensions.includes('permessage-deflate')).toBe(deflate !== false);
        expect(await server.line()).toBe('4000 enough');
      },
    );
  });
});
