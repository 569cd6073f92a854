/** Transport suite: listening, accepting, connecting, and all the ways in which they are refused or given up. */

import assert from 'node:assert/strict';
import type { Channel, ChannelListener, Transport } from '@iocp/core/layer';
import { ChannelProbe } from '../channel-probe.js';
import { pattern } from '../chunkings.js';
import { itWith, type TestRunner, type TestSetup } from '../runner.js';
import { codeOf } from '../transcript.js';
import { nextTurn, turns, withDeadline } from '../turns.js';

/** A transport and addresses to try it with. */
export interface TransportFixture<Address> {
  readonly transport: Transport<Address>;
  /** A new address to listen at, for example with port 0. */
  freeAddress(): Address;
  /** An address where nobody listens. */
  refusedAddress(): Promise<Address>;
  /** An address where connecting takes for ever, such as a full backlog. Called only with the trait `connectMayWait`. */
  silentAddress(): Promise<SilentAddress<Address>>;
  /** Resolves when all that the test used was given back; rejects with what is left. */
  assertReleased(): Promise<void>;
}

export interface SilentAddress<Address> {
  readonly address: Address;
  /** Gives back what keeps the address silent. */
  release(): Promise<void>;
}

export interface TransportTraits {
  /** Whether a connect can wait for its peer. Without it, giving up a waiting connect is not tested. Default true. */
  readonly connectMayWait?: boolean;
  /** Code of a connect that nobody answers. Default `'ECONNREFUSED'`. */
  readonly refusedCode?: string;
  /** Code of listening where somebody listens already. Default `'EADDRINUSE'`. */
  readonly inUseCode?: string;
  /** Rounds of the stress tests. Default 100. */
  readonly stressRounds?: number;
}

/** Registers the tests that every transport must pass. */
export function transportSuite<Address>(
  runner: TestRunner,
  setup: TestSetup<TransportFixture<Address>>,
  traits: TransportTraits = {},
): void {
  runner.describe('accept', () => acceptTests(runner, setup));
  runner.describe('connect', () => connectTests(runner, setup, traits));
  if (traits.connectMayWait ?? true)
    runner.describe('connect that waits', () => waitingConnectTests(runner, setup));
  runner.describe('close', () => listenerCloseTests(runner, setup, traits));
}

type Setup<Address> = TestSetup<TransportFixture<Address>>;

/** A listener, closed when the body has ended. */
async function listening<Address>(
  fixture: TransportFixture<Address>,
  body: (listener: ChannelListener<Address>, address: Address) => Promise<void>,
): Promise<void> {
  const listener = await fixture.transport.listen(fixture.freeAddress());
  try {
    await body(listener, listener.address());
  } finally {
    await listener.close();
  }
  await fixture.assertReleased();
}

async function abortAll(channels: readonly (Channel | null)[]): Promise<void> {
  const probes = channels.filter((channel) => channel !== null).map((channel) => new ChannelProbe(channel));
  for (const probe of probes) probe.abort();
  await Promise.all(probes.map((probe) => probe.untilClosed()));
}

/** Fails unless the promise rejects with exactly this reason. */
async function rejectsWith(promise: Promise<unknown>, reason: unknown): Promise<void> {
  await assert.rejects(
    withDeadline(promise, 10_000, () => `a rejection with ${reason}`),
    (error) => error === reason,
  );
}

function acceptTests<Address>(runner: TestRunner, setup: Setup<Address>): void {
  itWith(runner, setup, 'accepts a connection that carries both directions', (fixture) =>
    listening(fixture, async (listener, address) => {
      const [near, far] = await Promise.all([fixture.transport.connect(address), listener.accept()]);
      assert.ok(far !== null);
      const probes = [
        new ChannelProbe(near, { name: 'near' }),
        new ChannelProbe(far, { name: 'far' }),
      ] as const;
      probes[0].write(pattern(1000));
      probes[1].write(pattern(2000));
      await Promise.all([probes[0].untilReceived(2000), probes[1].untilReceived(1000)]);
      for (const probe of probes) probe.end();
      for (const probe of probes) assert.equal(await probe.untilClosed(), null);
      for (const probe of probes) probe.verify();
    }),
  );

  itWith(runner, setup, 'keeps connections that came before accept, and their bytes', (fixture) =>
    listening(fixture, async (listener, address) => {
      const near = await fixture.transport.connect(address);
      const client = new ChannelProbe(near, { name: 'near' });
      await client.write(pattern(500)).done;
      await nextTurn();
      const far = await listener.accept();
      assert.ok(far !== null);
      const server = new ChannelProbe(far, { name: 'far' });
      await server.untilReceived(500);
      client.abort();
      server.abort();
      await Promise.all([client.untilClosed(), server.untilClosed()]);
    }),
  );

  itWith(runner, setup, 'gives each of several waiting accepts its own connection', (fixture) =>
    listening(fixture, async (listener, address) => {
      const accepts = Array.from({ length: 5 }, () => listener.accept());
      const clients = await Promise.all(accepts.map(() => fixture.transport.connect(address)));
      const accepted = await Promise.all(accepts);
      assert.equal(new Set(accepted).size, 5);
      assert.ok(accepted.every((channel) => channel !== null));
      await abortAll([...clients, ...accepted]);
    }),
  );

  itWith(runner, setup, 'an accept given up loses no connection', (fixture) =>
    listening(fixture, async (listener, address) => {
      const reason = new Error('not now');
      const controller = new AbortController();
      const given = listener.accept({ signal: controller.signal });
      const kept = listener.accept();
      controller.abort(reason);
      await rejectsWith(given, reason);
      await rejectsWith(listener.accept({ signal: AbortSignal.abort(reason) }), reason);
      const clients = [await fixture.transport.connect(address), await fixture.transport.connect(address)];
      const accepted = [await kept, await listener.accept()];
      assert.ok(accepted.every((channel) => channel !== null));
      await abortAll([...clients, ...accepted]);
    }),
  );
}

function connectTests<Address>(runner: TestRunner, setup: Setup<Address>, traits: TransportTraits): void {
  const refusedCode = traits.refusedCode ?? 'ECONNREFUSED';

  itWith(runner, setup, `[11] connect where nobody listens: ${refusedCode}`, async (fixture) => {
    const address = await fixture.refusedAddress();
    await assert.rejects(fixture.transport.connect(address), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, refusedCode);
      assert.equal(error.syscall, 'connect');
      assert.ok(typeof (error as { address?: unknown }).address === 'string', 'the error tells no address');
      assert.ok(
        error.message.includes(refusedCode),
        `the message does not say ${refusedCode}: ${error.message}`,
      );
      return true;
    });
    await fixture.assertReleased();
  });

  itWith(
    runner,
    setup,
    '[11] connect with a signal that has fired: the reason, and no connection',
    (fixture) =>
      listening(fixture, async (listener, address) => {
        const reason = new Error('too late');
        await rejectsWith(fixture.transport.connect(address, { signal: AbortSignal.abort(reason) }), reason);
        const near = await fixture.transport.connect(address);
        const far = await listener.accept();
        const server = new ChannelProbe(far as Channel);
        near.write(pattern(1));
        await server.untilReceived(1);
        await abortAll([near]);
        server.abort();
        await server.untilClosed();
      }),
  );

  itWith(runner, setup, '[11] a signal that fires after connect changes nothing', (fixture) =>
    listening(fixture, async (listener, address) => {
      const controller = new AbortController();
      const near = await fixture.transport.connect(address, { signal: controller.signal });
      const far = await listener.accept({ signal: controller.signal });
      controller.abort(new Error('too late'));
      const server = new ChannelProbe(far as Channel);
      near.write(pattern(100));
      await server.untilReceived(100);
      assert.equal(near.closed, false);
      await abortAll([near]);
      server.abort();
      await server.untilClosed();
    }),
  );

  itWith(runner, setup, '[12] connects given up at any moment leave nothing behind', (fixture) =>
    listening(fixture, async (listener, address) => {
      const rounds = traits.stressRounds ?? 100;
      const controllers = Array.from({ length: rounds }, () => new AbortController());
      const connects = controllers.map(({ signal }) => fixture.transport.connect(address, { signal }));
      for (const connecting of connects) connecting.catch(() => {});
      for (const [index, controller] of controllers.entries()) {
        if (index % 7 === 6) await nextTurn();
        controller.abort(new Error('given up'));
      }
      const results = await Promise.allSettled(connects);
      const clients = results.map((result) => (result.status === 'fulfilled' ? result.value : null));
      const closed = listener.close();
      await abortAll(clients);
      await withDeadline(closed, 10_000, () => 'the close of the listener');
    }),
  );
}

function waitingConnectTests<Address>(runner: TestRunner, setup: Setup<Address>): void {
  itWith(
    runner,
    setup,
    '[11] connect given up while it waits: the reason, and nothing is left',
    async (fixture) => {
      const silent = await fixture.silentAddress();
      const reason = new Error('no patience');
      const controller = new AbortController();
      const connecting = fixture.transport.connect(silent.address, { signal: controller.signal });
      connecting.catch(() => {});
      await turns(3);
      controller.abort(reason);
      await rejectsWith(connecting, reason);
      await silent.release();
      await fixture.assertReleased();
    },
  );

  itWith(runner, setup, '[11] connect runs into a timeout', async (fixture) => {
    const silent = await fixture.silentAddress();
    const connecting = fixture.transport.connect(silent.address, { signal: AbortSignal.timeout(50) });
    await assert.rejects(
      withDeadline(connecting, 10_000, () => 'the timeout'),
      { name: 'TimeoutError' },
    );
    await silent.release();
    await fixture.assertReleased();
  });
}

function listenerCloseTests<Address>(
  runner: TestRunner,
  setup: Setup<Address>,
  traits: TransportTraits,
): void {
  const inUseCode = traits.inUseCode ?? 'EADDRINUSE';

  itWith(runner, setup, `listening where somebody listens: ${inUseCode}`, (fixture) =>
    listening(fixture, async (_, address) => {
      await assert.rejects(fixture.transport.listen(address), (error) => codeOf(error) === inUseCode);
    }),
  );

  itWith(runner, setup, 'an address is free again after close', async (fixture) => {
    const first = await fixture.transport.listen(fixture.freeAddress());
    const address = first.address();
    await first.close();
    const second = await fixture.transport.listen(address);
    assert.deepEqual(second.address(), address);
    await second.close();
    await fixture.assertReleased();
  });

  itWith(
    runner,
    setup,
    '[17] close gives null to waiting and to later accepts, and may be called again',
    async (fixture) => {
      const listener = await fixture.transport.listen(fixture.freeAddress());
      const waiting = [listener.accept(), listener.accept()];
      await Promise.all([listener.close(), listener.close()]);
      assert.deepEqual(await Promise.all(waiting), [null, null]);
      assert.equal(await listener.accept(), null);
      await listener.close();
      await fixture.assertReleased();
    },
  );

  itWith(runner, setup, 'close lets accepted connections live on', async (fixture) => {
    const listener = await fixture.transport.listen(fixture.freeAddress());
    const near = await fixture.transport.connect(listener.address());
    const far = await listener.accept();
    const closed = listener.close();
    const server = new ChannelProbe(far as Channel, { name: 'far' });
    await turns(5);
    near.write(pattern(100));
    await server.untilReceived(100);
    await abortAll([near]);
    server.abort();
    await server.untilClosed();
    await withDeadline(closed, 10_000, () => 'the close of the listener');
    await fixture.assertReleased();
  });

  itWith(
    runner,
    setup,
    '[13] close with connections nobody has accepted gives them back',
    async (fixture) => {
      const listener = await fixture.transport.listen(fixture.freeAddress());
      const clients = await Promise.all(
        Array.from({ length: 4 }, () => fixture.transport.connect(listener.address())),
      );
      const closed = listener.close();
      const probes = clients.map((channel) => new ChannelProbe(channel));
      // The peer of a connection that was never accepted sees an end or a reset, not silence.
      await Promise.all(probes.map((probe) => probe.untilClosedOrEnded()));
      for (const probe of probes) probe.abort();
      await Promise.all(probes.map((probe) => probe.untilClosed()));
      await withDeadline(closed, 10_000, () => 'the close of the listener');
      await fixture.assertReleased();
    },
  );

  itWith(
    runner,
    setup,
    '[12] closes again and again with accepts and connects under way',
    async (fixture) => {
      for (let round = 0; round < (traits.stressRounds ?? 100) / 4; round++) {
        const listener = await fixture.transport.listen(fixture.freeAddress());
        const address = listener.address();
        const connects = Array.from({ length: 3 }, () =>
          fixture.transport.connect(address).catch(() => null),
        );
        const accepts = Array.from({ length: 2 }, () => listener.accept());
        if (round % 3 > 0) await nextTurn();
        const closed = listener.close();
        await abortAll(await Promise.all(accepts));
        await abortAll(await Promise.all(connects));
        await withDeadline(closed, 10_000, () => 'the close of the listener');
      }
      await fixture.assertReleased();
    },
  );
}
