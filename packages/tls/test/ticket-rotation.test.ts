/** Ticket keys that change, and the sessions that survive it. */

import { pattern, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSecureContext, rotateTicketKeys, type TlsLayer, tls } from '../src/index.js';
import { engines, Scene } from './support/layers.js';

const intervalMs = 1000;
let made: TestCertificates;
let scene: Scene;

beforeAll(async () => {
  made = await testCertificates();
});

beforeEach(() => {
  scene = new Scene();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterEach(async () => {
  vi.useRealTimers();
  await scene.finish();
});

function keysOf(layer: TlsLayer): string[] {
  return (layer.secureContext.settings.ticketKeys ?? []).map((key) => Buffer.from(key).toString('hex'));
}

describe.each(engines)('on the engine %s', (engine) => {
  const server = () => tls({ cert: made.server.cert, key: made.server.key, engine });
  const client = { ca: '', engine };

  async function sessionOf(layer: TlsLayer): Promise<Buffer> {
    const sessions: Buffer[] = [];
    const own = tls({ ...client, ca: made.ca.cert, onSession: (session) => void sessions.push(session) });
    const { near, far } = await scene.connect(layer, own);
    far.write(pattern(1));
    await near.untilReceived(1);
    return sessions[0] as Buffer;
  }

  async function resumes(layer: TlsLayer, session: Buffer): Promise<boolean> {
    const { client: facts } = await scene.connect(layer, tls({ ...client, ca: made.ca.cert }), {
      client: { session },
    });
    return facts.sessionReused;
  }

  test('tickets serve as long as their key is kept', async () => {
    const layer = server();
    using _rotation = rotateTicketKeys(layer, { intervalMs, keep: 1 });
    const session = await sessionOf(layer);
    expect(await resumes(layer, session)).toBe(true);
    vi.advanceTimersByTime(intervalMs);
    expect(await resumes(layer, session)).toBe(true);
    vi.advanceTimersByTime(intervalMs);
    expect(await resumes(layer, session)).toBe(false);
  });

  test('keys known from before are the first to be kept', async () => {
    const context = createSecureContext({
      cert: made.server.cert,
      key: made.server.key,
      ticketKeys: Buffer.alloc(48, 1),
      engine,
    });
    const layer = tls({ secureContext: context, engine });
    const session = await sessionOf(layer);
    rotateTicketKeys(context, { intervalMs })[Symbol.dispose]();
    expect(await resumes(layer, session)).toBe(true);
  });
});

describe('the keys', () => {
  test('are new, and as many as are wanted', () => {
    const layer = tls();
    const rotation = rotateTicketKeys(layer, { intervalMs, keep: 2 });
    const seen = [keysOf(layer)];
    for (let round = 0; round < 4; round++) {
      vi.advanceTimersByTime(intervalMs);
      seen.push(keysOf(layer));
    }
    expect(seen.map((keys) => keys.length)).toEqual([1, 2, 3, 3, 3]);
    expect(new Set(seen.flat()).size).toBe(5);
    expect(seen[4]?.slice(1)).toEqual(seen[3]?.slice(0, 2));
    rotation[Symbol.dispose]();
    vi.advanceTimersByTime(10 * intervalMs);
    expect(keysOf(layer)).toEqual(seen[4]);
  });

  test('are those of all contexts of a layer, also of later ones', () => {
    const layer = tls({ servernames: { 'a.test': {} } });
    using _rotation = rotateTicketKeys(layer, { intervalMs });
    layer.setSecureContext(createSecureContext());
    vi.advanceTimersByTime(intervalMs);
    const [first, ...others] = layer.secureContexts.map(({ settings }) => settings.ticketKeys);
    expect(first?.length).toBe(2);
    for (const keys of others) expect(keys).toEqual(first);
    expect(others.length).toBe(1);
  });

  test.each([
    [{}, {}, 'ERR_INVALID_ARG_TYPE'],
    [null, {}, 'ERR_INVALID_ARG_TYPE'],
    [tls(), null, 'ERR_INVALID_ARG_TYPE'],
    [tls(), { intervalMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [tls(), { intervalMs: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [tls(), { keep: -1 }, 'ERR_OUT_OF_RANGE'],
  ])('of %o with %o: %s', (target, options, code) => {
    expect(() => rotateTicketKeys(target as TlsLayer, options as object)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
