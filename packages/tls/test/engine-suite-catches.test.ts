/** The engine suite finds engines that are wrong: each of these is, in one way, and fails in the test that is named. */

import type { TestRunner, TestSetup, TlsEngineMaker, TlsEnginePair, TlsEngineSubject } from '@iocp/testkit';
import { testCertificates, tlsEngineSuite } from '@iocp/testkit';
import { expect, it } from 'vitest';
import { fuzz } from './fuzz/fuzzer.js';
import { enginePairs } from './support/engines.js';

const [right] = enginePairs;

type Make = TlsEngineMaker['engine'];
/** What is put in the place of an engine. */
type Breakage = (make: Make, ...args: Parameters<Make>) => TlsEngineSubject;

/** With a member replaced; `facts` and the rest are those of the engine. */
function replaced(engine: TlsEngineSubject, members: Partial<TlsEngineSubject>): TlsEngineSubject {
  const proxy: ProxyHandler<TlsEngineSubject> = {
    get(target, name) {
      if (name in members) return members[name as keyof TlsEngineSubject];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  };
  return new Proxy(engine, proxy);
}

function brokenSetup(breakage: Breakage): TestSetup<TlsEnginePair> {
  const broken = (maker: TlsEngineMaker): TlsEngineMaker => ({
    ...maker,
    engine: (...args) => breakage(maker.engine, ...args),
  });
  return {
    async setup() {
      const pair = await right.setup.setup();
      return { ...pair, deadlineMs: 300, client: broken(pair.client), server: broken(pair.server) };
    },
    teardown: async () => {},
  };
}

/** The tests of the suite, by name; with a describe block's name in front, of TLS 1.3 only. */
function testsOver(setup: TestSetup<TlsEnginePair>): Map<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const groups: string[] = [];
  const runner: TestRunner = {
    describe(name, body) {
      groups.push(name);
      body();
      groups.pop();
    },
    it(name, body) {
      if (groups[0] === 'TLSv1.3') tests.set(name, body);
    },
  };
  tlsEngineSuite(runner, setup, { placesMax: 40 });
  return tests;
}

const leftBehind: TlsEngineSubject[] = [];

const breakages: readonly [what: string, found: string, Breakage][] = [
  [
    'takes any certificate',
    'a certificate for or by itself is refused: DEPTH_ZERO_SELF_SIGNED_CERT',
    (make, role, context, options, events) =>
      make(role, context, { ...options, rejectUnauthorized: false }, events),
  ],
  [
    'does not look at the name',
    'a certificate for or by another host is refused: ERR_TLS_CERT_ALTNAME_INVALID',
    (make, role, context, options, events) =>
      make(role, context, { ...options, expectedHost: 'other.test' }, events),
  ],
  [
    'takes a torn-off stream for an end',
    'a stream that ends between two records is truncated',
    (make, role, context, options, events) => make(role, context, { ...options, truncation: 'end' }, events),
  ],
  [
    'hands data up twice',
    'carries 100 bytes both ways',
    (make, role, context, options, events) =>
      make(role, context, options, {
        ...boundTo(events),
        onData(plain) {
          events.onData(plain);
          events.onData(plain);
        },
      }),
  ],
  [
    'loses the last byte of what it sends',
    'carries 100 bytes both ways',
    (make, ...args) => {
      const engine = make(...args);
      return replaced(engine, { send: (plain, done) => engine.send(plain.subarray(0, -1), done) });
    },
  ],
  [
    'keeps what was lent',
    'shakes hands and tells what it was',
    (make, ...args) => {
      const engine = make(...args);
      return replaced(engine, { receive: (records) => queueMicrotask(() => engine.receive(records)) });
    },
  ],
  [
    'throws at rubbish',
    'a server that is sent text refuses it',
    (make, ...args) => {
      const engine = make(...args);
      return replaced(engine, {
        receive(records) {
          if (records[0] === 'E'.charCodeAt(0)) throw new RangeError('no record');
          engine.receive(records);
        },
      });
    },
  ],
  [
    'does not hear close_notify',
    'when the client has ended, the other may go on',
    (make, role, context, options, events) =>
      make(role, context, options, { ...boundTo(events), onEnd() {} }),
  ],
  [
    'speaks after it was destroyed',
    'nothing comes from a server after it was destroyed, whenever that is',
    (make, role, context, options, events) => {
      const engine = make(role, context, options, events);
      return replaced(engine, {
        destroy() {
          engine.destroy();
          queueMicrotask(() => events.onEnd());
        },
      });
    },
  ],
  [
    'reports errors without a code',
    'a server that is sent zeros refuses it',
    (make, role, context, options, events) =>
      make(role, context, options, { ...boundTo(events), onError: () => events.onError(new Error('oh')) }),
  ],
  [
    'says twice that it is done',
    'carries 16384 bytes both ways',
    (make, ...args) => {
      const engine = make(...args);
      return replaced(engine, {
        send(plain, done) {
          engine.send(plain, () => {
            done();
            done();
          });
        },
      });
    },
  ],
  [
    'forgets sessions',
    'a session is taken up again, more than once',
    (make, role, context, { session: _, ...options }, events) => make(role, context, options, events),
  ],
  [
    'knows no ALPN',
    'ALPN without a common protocol is refused',
    (make, role, context, { alpnProtocols: _, ...options }, events) => make(role, context, options, events),
  ],
  [
    'leaves engines behind',
    'carries 1 bytes both ways',
    (make, ...args) => {
      leftBehind.push(make(...args));
      return make(...args);
    },
  ],
];

/** Events as functions of their own: those of a party need their `this`. */
function boundTo(events: Parameters<Make>[3]): Parameters<Make>[3] {
  return {
    onOutput: (records) => events.onOutput(records),
    onHandshake: () => events.onHandshake(),
    onData: (plain) => events.onData(plain),
    onEnd: () => events.onEnd(),
    onError: (error) => events.onError(error),
    onBusy: (busy) => events.onBusy(busy),
    onSession: (session) => events.onSession(session),
    onKeylog: (line) => events.onKeylog(line),
  };
}

const rightTests = testsOver(right.setup);

it.each(breakages)('finds an engine that %s', { timeout: 60_000 }, async (_, name, breakage) => {
  await rightTests.get(name)?.();
  const test = testsOver(brokenSetup(breakage)).get(name);
  expect(test, `there is no test "${name}"`).toBeDefined();
  await expect(test?.()).rejects.toThrow();
  for (const engine of leftBehind.splice(0)) engine.destroy();
});

it('the fuzzer finds an engine that hands up what was not sent', { timeout: 60_000 }, async () => {
  const setup = brokenSetup((make, role, context, options, events) =>
    make(role, context, options, {
      ...boundTo(events),
      onData: (plain) => events.onData(plain.byteLength > 1000 ? plain.map((byte) => byte ^ 1) : plain),
    }),
  );
  const finding = fuzz(await setup.setup(), await testCertificates(), {
    seed: 1,
    enough: (round) => round >= 200,
  });
  await expect(finding).rejects.toThrow(/Seed 1, round \d+: /);
});
