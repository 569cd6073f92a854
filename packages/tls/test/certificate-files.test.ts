/** Certificates that change in their files. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pattern, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type SecureContext, type TlsLayer, tls, watchCertificateFiles } from '../src/index.js';
import { Scene } from './support/layers.js';

let made: TestCertificates;
let scene: Scene;
let folder: string;
let watching: Disposable[];

beforeAll(async () => {
  made = await testCertificates();
});

beforeEach(() => {
  scene = new Scene();
  folder = mkdtempSync(join(tmpdir(), 'iocp-tls-'));
  watching = [];
});

afterEach(async () => {
  for (const each of watching) each[Symbol.dispose]();
  await scene.finish();
  // A watch may end while it reads: on Windows a folder can only be removed when its files are closed again.
  await rm(folder, { recursive: true, maxRetries: 10 });
});

interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** What the watch has told, in order, to be awaited one by one. */
class Events {
  readonly #told: (SecureContext | Error)[] = [];
  #waiting: ((event: SecureContext | Error) => void) | null = null;

  readonly tell = (event: SecureContext | Error): void => {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#told.push(event);
    else waiting(event);
  };

  next(): Promise<SecureContext | Error> {
    const event = this.#told.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  get count(): number {
    return this.#told.length;
  }
}

function write({ cert, key }: Pem, into = folder): void {
  writeFileSync(join(into, 'tls.crt'), cert);
  writeFileSync(join(into, 'tls.key'), key);
}

function watch(
  layer: TlsLayer,
  more: { debounceMs?: number; caFile?: string; passphrase?: string } = {},
): Events {
  const events = new Events();
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  watching.push(
    watchCertificateFiles(layer, {
      ...files,
      debounceMs: 30,
      onReload: events.tell,
      onError: events.tell,
      ...more,
    }),
  );
  return events;
}

/** Connects to `layer`, and fails unless its certificate is for `host`. */
async function expectHost(layer: TlsLayer, host: string, session?: Buffer) {
  const client = tls({ ca: made.ca.cert });
  return scene.connect(layer, client, { client: session === undefined ? { host } : { host, session } });
}

describe('certificates', () => {
  test('that are written anew serve new connections, and the old ones go on', async () => {
    write(made.server);
    const layer = tls(made.server);
    const events = watch(layer);
    const { near, far } = await expectHost(layer, 'localhost');
    write(made.otherHost);
    expect(await events.next()).toBe(layer.secureContext);
    await expectHost(layer, 'other.test');
    near.write(pattern(1000));
    await far.untilReceived(1000);
  });

  test('that are renamed into their place are noticed', async () => {
    write(made.server);
    const layer = tls(made.server);
    const events = watch(layer);
    writeFileSync(join(folder, 'new.crt'), made.otherHost.cert);
    writeFileSync(join(folder, 'new.key'), made.otherHost.key);
    renameSync(join(folder, 'new.key'), join(folder, 'tls.key'));
    renameSync(join(folder, 'new.crt'), join(folder, 'tls.crt'));
    expect(await events.next()).toBe(layer.secureContext);
    await expectHost(layer, 'other.test');
  });

  test.skipIf(process.platform === 'win32')('behind a link that is set elsewhere are noticed', async () => {
    for (const [name, pem] of [
      ['first', made.server],
      ['second', made.otherHost],
    ] as const) {
      mkdirSync(join(folder, name));
      write(pem, join(folder, name));
    }
    symlinkSync('first', join(folder, '..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
    const layer = tls(made.server);
    const events = watch(layer);
    symlinkSync('second', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    expect(await events.next()).toBe(layer.secureContext);
    await expectHost(layer, 'other.test');
  });

  test('that have changed before the watch began are used', async () => {
    write(made.otherHost);
    const layer = tls(made.server);
    expect(await watch(layer).next()).toBe(layer.secureContext);
    await expectHost(layer, 'other.test');
  });

  test('that do not fit their key change nothing, until they do', async () => {
    write(made.server);
    const layer = tls(made.server);
    const before = layer.secureContext;
    const events = watch(layer);
    writeFileSync(join(folder, 'tls.crt'), made.otherHost.cert);
    expect(await events.next()).toMatchObject({ code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' });
    expect(layer.secureContext).toBe(before);
    await expectHost(layer, 'localhost');
    writeFileSync(join(folder, 'tls.key'), made.otherHost.key);
    expect(await events.next()).toBe(layer.secureContext);
    await expectHost(layer, 'other.test');
  });

  test('that are gone are told of', async () => {
    write(made.server);
    const layer = tls(made.server);
    const events = watch(layer);
    rmSync(join(folder, 'tls.key'));
    expect(await events.next()).toMatchObject({ code: 'ENOENT', path: join(folder, 'tls.key') });
  });

  test('may have an encrypted key, and an authority of their own', async () => {
    const { cert, key, passphrase } = made.encrypted;
    write({ cert, key });
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, made.ca.cert);
    const layer = tls({ ...made.otherHost, requestCert: true, ca: made.otherCa.cert });
    const events = watch(layer, { passphrase, caFile });
    expect(await events.next()).toBe(layer.secureContext);
    const client = tls({ ca: made.ca.cert, cert: made.client.cert, key: made.client.key });
    const { server } = await scene.connect(layer, client);
    expect(server.authorized).toBe(true);
  });

  test('leave the sessions of clients alone', async () => {
    write(made.server);
    const layer = tls(made.server);
    const events = watch(layer);
    const sessions: Buffer[] = [];
    const client = tls({ ca: made.ca.cert, onSession: (session) => void sessions.push(session) });
    const { near, far } = await scene.connect(layer, client);
    far.write(pattern(1));
    await near.untilReceived(1);
    write(made.serverRsa);
    expect(await events.next()).toBe(layer.secureContext);
    const again = await expectHost(layer, 'localhost', sessions[0]);
    expect(again.client.sessionReused).toBe(true);
  });
});

describe('the watch', () => {
  test('says nothing of files that are as they were, and nothing after its end', async () => {
    write(made.server);
    const layer = tls(made.server);
    const events = watch(layer, { debounceMs: 0 });
    writeFileSync(join(folder, 'tls.crt'), made.server.cert);
    writeFileSync(join(folder, 'unrelated'), 'text');
    write(made.otherHost);
    // What was written last is told of last, and only that.
    expect(await events.next()).toBe(layer.secureContext);
    watching[0]?.[Symbol.dispose]();
    const last = layer.secureContext;
    write(made.server);
    await expectHost(layer, 'other.test');
    expect(layer.secureContext).toBe(last);
    expect(events.count).toBe(0);
  });

  test.each([
    [{ certFile: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ keyFile: undefined }, 'ERR_INVALID_ARG_TYPE'],
    [{ caFile: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ passphrase: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ debounceMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ onReload: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ onError: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ certFile: join('no', 'such', 'folder', 'tls.crt') }, 'ENOENT'],
  ])('with %o: %s', (wrong, code) => {
    const right = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
    expect(() => watchCertificateFiles(tls(made.server), { ...right, ...wrong } as never)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
