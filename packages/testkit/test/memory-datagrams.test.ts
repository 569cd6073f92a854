import { describe, expect, it } from 'vitest';
import { assertNoLeaks, DatagramProbe, datagramSuite, memoryDatagramNetwork } from '../src/index.js';
import { memoryDatagramSetup, memoryDatagramTraits } from './memory-datagram-setup.js';

for (const family of ['IPv4', 'IPv6'] as const) {
  describe(`memory network, ${family}`, () => {
    datagramSuite({ describe, it }, memoryDatagramSetup(family), memoryDatagramTraits);
  });
}

describe('memory network', () => {
  it('drops and counts what nobody receives in time', async () => {
    const network = memoryDatagramNetwork({ receivedDatagramsMax: 10, receivedBytesMax: 5000 });
    const [sender, receiver] = [
      new DatagramProbe(await network.bind()),
      new DatagramProbe(await network.bind()),
    ];
    receiver.pause();
    const small = Array.from({ length: 15 }, () => sender.send(new Uint8Array(1), receiver.address));
    await sender.untilSettled(small);
    expect(sender.channel.stats.sent).toBe(15);
    expect(receiver.channel.stats.droppedBySystem).toBe(5);
    receiver.resume();
    await receiver.untilReceived(10);
    receiver.pause();
    const large = Array.from({ length: 4 }, () => sender.send(new Uint8Array(2000), receiver.address));
    await sender.untilSettled(large);
    expect(receiver.channel.stats.droppedBySystem).toBe(7);
    for (const probe of [sender, receiver]) {
      probe.abort();
      await probe.untilClosed();
      probe.verify();
    }
    await assertNoLeaks(network);
  });

  it('gives an address to one socket at a time', async () => {
    const network = memoryDatagramNetwork();
    const first = await network.bind({ port: 5000 });
    await expect(network.bind({ port: 5000 })).rejects.toMatchObject({ code: 'EADDRINUSE', port: 5000 });
    await expect(network.bind({ host: '::', port: 5000 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    first.close();
    await assertNoLeaks(network);
    const second = await network.bind({ port: 5000 });
    second.abort();
    await assertNoLeaks(network);
  });
});
