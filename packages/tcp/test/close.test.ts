import { once } from 'node:events';
import { connect } from 'node:net';
import { CompletionPort } from '@iocp/core';
import { expect, test } from 'vitest';
import { underWine } from '../../../system.shared.js';
import type { TcpListener } from '../src/index.js';
import { codeOf, dialNet, echoHandlers, onEachBackend, Recorder, resetOf, until } from './support.js';

onEachBackend('close', (fixture) => {
  test('accepts nothing more and waits for the connections to end', async () => {
    const recorder = new Recorder({ data: (connection, bytes) => void connection.write(bytes) });
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    await recorder.opened;
    let closed = false;
    const closing = listener.close().then(() => {
      closed = true;
    });
    // The system may have completed the connection; then it is reset, or under Wine ended, and we never accept it.
    const late = connect(listener.address().port, '127.0.0.1');
    const seen = await new Promise((resolve) => {
      late.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
      late.once('end', () => resolve('end')).resume();
    });
    expect(['ECONNREFUSED', 'ECONNRESET', ...(underWine ? ['end'] : [])]).toContain(seen);
    socket.write('still served');
    expect(String((await once(socket, 'data'))[0])).toBe('still served');
    expect(closed).toBe(false);
    socket.end();
    await closing;
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
    await listener.close();
  });

  test('after graceMs it aborts the rest', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const reset = resetOf(socket);
    await recorder.opened;
    await listener.close({ graceMs: 30 });
    await reset;
    expect(recorder.events).toEqual(['open', 'error ERR_CHANNEL_ABORTED', 'close ERR_CHANNEL_ABORTED']);
    expect(recorder.error?.message).toContain('graceMs');
  });

  test('a second close can shorten the first, and not lengthen it', async () => {
    const listener = await fixture.listen({}, echoHandlers);
    const socket = await dialNet(listener);
    socket.on('error', () => {});
    await until(() => listener.connections === 1);
    const patient = listener.close({ graceMs: Number.POSITIVE_INFINITY });
    const impatient = listener.close({ graceMs: 0 });
    const late = listener.close({ graceMs: 60_000 });
    await Promise.all([patient, impatient, late]);
    expect(listener.connections).toBe(0);
  });

  test('aborts what waits for accept()', async () => {
    const listener = await fixture.listen({});
    const socket = await dialNet(listener);
    const taken = await listener.accept();
    const second = await dialNet(listener);
    await until(() => listener.stats.queued === 1);
    const reset = resetOf(second);
    const closing = listener.close();
    await reset;
    socket.end();
    await taken?.close();
    await closing;
  });

  test('await using closes it', async () => {
    let kept: TcpListener;
    {
      await using listener = await fixture.listen({}, echoHandlers);
      kept = listener;
      await using client = await fixture.connect({ port: listener.address().port });
      client.write('x');
      expect(String(await client.read())).toBe('x');
    }
    expect(kept.closed).toBe(true);
    expect(kept.connections).toBe(0);
  });

  test('a port that closes takes its listener with it', async () => {
    const port = new CompletionPort({ backend: fixture.backend });
    const recorder = new Recorder();
    const served = await fixture.listen({ completionPort: port }, recorder.handlers);
    const waited = await fixture.listen({ completionPort: port });
    const waiting = codeOf(waited.accept());
    const socket = await dialNet(served);
    socket.on('error', () => {});
    await recorder.opened;
    await port.close();
    await recorder.closed;
    expect(recorder.events.at(-1)).toBe('close ECANCELED');
    expect(await waiting).toBe('ECANCELED');
    await Promise.all([served.close(), waited.close()]);
    expect(await codeOf(fixture.listen({ completionPort: port }))).toBe('ERR_IOCP_PORT_CLOSED');
  });
});
