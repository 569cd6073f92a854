/** What is different on Windows: paths and options. */

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { onWindows, pathKind, socketPath, underWine } from '../../../system.shared.js';
import { codeOf, echoHandlers, onEachBackend, serveNet } from './support.js';

onEachBackend('Windows', (fixture) => {
  const { backend } = fixture;
  const path = socketPath('iocp', `${randomUUID()}`);

  test.runIf(pathKind(backend) === 'pipe')('a path is a named pipe, without a file', async () => {
    expect(await codeOf(fixture.connect({ path }))).toBe('ENOENT');
    const listener = await fixture.listen({ path, noDelay: true, keepAlive: true }, echoHandlers);
    expect(listener.address()).toMatchObject({ address: path, port: 0 });
    // Wine lets several listen at one name.
    if (!underWine) expect(await codeOf(fixture.listen({ path }))).toBe('EADDRINUSE');
    const client = await fixture.connect({ path });
    client.setNoDelay(false);
    await client.send('through a pipe');
    expect(String(await client.read())).toBe('through a pipe');
    await client.close();
    await listener.close();
    expect(existsSync(path)).toBe(false);
  });

  // Windows 10 has Unix sockets, which Wine lacks.
  test.runIf(onWindows && backend === 'iocp' && underWine)('a path needs Unix sockets', async () => {
    expect(await codeOf(fixture.listen({ path }))).toBe('EAFNOSUPPORT');
    expect(await codeOf(fixture.connect({ path }))).toBe('EAFNOSUPPORT');
  });

  test.runIf(backend === 'iocp')('options that Windows has are set and read', async () => {
    const { port } = await serveNet(fixture, () => {});
    const client = await fixture.connect({ port, receiveBufferBytes: 50_000, socketOptions: { ttl: 33 } });
    expect(client.getOption('receiveBuffer')).toBe(50_000);
    expect(client.getOption('ttl')).toBe(33);
    expect(client.setKeepAlive(true).getOption('keepAlive')).toBe(true);
    expect(client.setKeepAlive(false).getOption('keepAlive')).toBe(false);
  });

  test.runIf(backend === 'iocp')('options that only others have are refused by code', async () => {
    const { port } = await serveNet(fixture, () => {});
    const client = await fixture.connect({ port });
    const refused = expect.objectContaining({ code: 'ENOPROTOOPT' });
    expect(() => client.setUserTimeout(1)).toThrow(refused);
    expect(() => client.setOption('tos', 16)).toThrow(refused);
    expect(() => client.getOption('congestion')).toThrow(refused);
    await expect(fixture.connect({ port, userTimeoutMs: 1 })).rejects.toMatchObject({ code: 'ENOPROTOOPT' });
    expect(await codeOf(fixture.listen({ reusePort: true }))).toBe('EOPNOTSUPP');
    expect(await codeOf(fixture.listen({ path: '\0abstract' }))).toBe('EOPNOTSUPP');
  });
});
