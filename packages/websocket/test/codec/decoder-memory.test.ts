import { concatenate, pattern } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { FrameDecoder } from '../../src/codec/decoder.js';
import { Blocks } from './blocks.js';
import { BINARY, CLOSE, CONTINUATION, frame, PING, RSV1, TEXT } from './frames.js';
import { client, copyAt, decoderOf, feed, Recorder, server } from './recorder.js';

const headerBytes = 14;
const megabyte = 1024 * 1024;

/** A decoder whose first event is handed what it is told. */
function decoderTelling(
  settings: typeof server,
  told: (payload: Buffer, decoder: FrameDecoder) => void,
): FrameDecoder {
  const events = new Recorder();
  const decoder: FrameDecoder = new FrameDecoder(events, settings);
  const tell = (payload: Buffer) => told(payload, decoder);
  events.onMessage = tell;
  events.onCompressed = tell;
  events.onPart = tell;
  events.onPing = tell;
  return decoder;
}

describe('a message that lies in the received bytes as a whole', () => {
  it.each([
    ['masked', server, [1, 2, 3, 4]],
    ['not masked', client, null],
  ])('is told as a view of them: %s', (_, settings, key) => {
    for (const length of [1, 64, 20_000]) {
      for (const opcode of [BINARY, TEXT, PING]) {
        if (opcode === PING && length > 125) continue;
        const payload = new Uint8Array(length).fill(97);
        const bytes = copyAt(
          concatenate([frame({ opcode: PING, payload: '', key }), frame({ opcode, payload, key })]),
          3,
        );
        const views: Buffer[] = [];
        decoderTelling(settings, (told) => views.push(told)).decode(bytes);
        const view = views[1] as Buffer;
        expect(view.buffer).toBe(bytes.buffer);
        expect(view.byteOffset + view.length).toBe(bytes.byteOffset + bytes.length);
        expect(Buffer.compare(view, payload)).toBe(0);
      }
    }
  });

  it('is told as a view when it is compressed', () => {
    const bytes = copyAt(frame({ opcode: TEXT, rsv: RSV1, payload: Uint8Array.of(0xff, 0xfe) }), 0);
    const views: Buffer[] = [];
    decoderTelling({ ...server, deflate: true }, (told) => views.push(told)).decode(bytes);
    expect(views).toEqual([Buffer.from([0xff, 0xfe])]);
    expect(views[0]?.buffer).toBe(bytes.buffer);
  });

  it('holds nothing', () => {
    const { decoder } = decoderOf(server);
    feed(decoder, [frame({ opcode: BINARY, payload: pattern(1000) })]);
    expect([decoder.retainedBytes, decoder.idle]).toEqual([0, true]);
  });
});

describe('compressed messages', () => {
  it('are told as they came, unchecked, beside others, in pieces or not', () => {
    for (const parts of [false, true]) {
      const { decoder, recorder } = decoderOf({ ...server, deflate: true, parts });
      const invalid = Uint8Array.of(0xc3);
      const frames = [
        frame({ opcode: TEXT, rsv: RSV1, fin: false, payload: invalid }),
        frame({ opcode: CONTINUATION, payload: invalid }),
        frame({ opcode: BINARY, rsv: RSV1, payload: '' }),
        frame({ opcode: TEXT, payload: 'plain' }),
      ];
      for (const each of frames) feed(decoder, [each.subarray(0, 1), each.subarray(1)]);
      expect(recorder.told).toEqual([
        { kind: 'compressed', binary: false, payload: '\xc3\xc3' },
        { kind: 'compressed', binary: true, payload: '' },
        { kind: 'message', binary: false, payload: 'plain' },
      ]);
    }
  });
});

describe('what is held of a message that has come in part', () => {
  it('is little, whatever was announced', () => {
    for (const memory of [null, new Blocks()]) {
      const { decoder } = decoderOf({ ...server, memory });
      const input = frame({ opcode: BINARY, announced: BigInt(16 * megabyte), payload: 'a' });
      feed(decoder, [input]);
      expect(decoder.idle).toBe(false);
      expect(decoder.retainedBytes).toBeLessThanOrEqual(1024);
      decoder.destroy();
      expect([decoder.retainedBytes, memory?.held ?? 0]).toEqual([0, 0]);
    }
  });

  it('is at most twice what has come', () => {
    const { decoder } = decoderOf(server);
    const input = frame({ opcode: BINARY, payload: pattern(megabyte) });
    for (let at = 0; at + 5000 < input.length; at += 5000) {
      feed(decoder, [input.subarray(at, at + 5000)]);
      expect(decoder.retainedBytes).toBeLessThanOrEqual(2 * (at + 5000));
    }
  });

  it('does not grow with the number of fragments, and does not move with each of them', () => {
    const { decoder } = decoderOf(server);
    feed(decoder, [frame({ opcode: BINARY, fin: false })]);
    const empty = frame({ opcode: CONTINUATION, fin: false });
    for (let count = 0; count < 5000; count++) feed(decoder, [empty]);
    expect(decoder.retainedBytes).toBe(0);
    const one = frame({ opcode: CONTINUATION, fin: false, payload: 'a' });
    const sizes = new Set<number>();
    for (let count = 0; count < 5000; count++) {
      feed(decoder, [one]);
      sizes.add(decoder.retainedBytes);
    }
    expect(decoder.retainedBytes).toBeLessThanOrEqual(10_000);
    expect(sizes.size).toBeLessThan(6);
  });

  it('is nothing when messages are told in pieces', () => {
    const { decoder } = decoderOf({ ...server, parts: true });
    feed(decoder, [frame({ opcode: BINARY, payload: pattern(5000) }).subarray(0, 3000)]);
    expect([decoder.retainedBytes, decoder.idle]).toEqual([0, false]);
  });

  it('is at most 125 bytes of a control frame', () => {
    const { decoder } = decoderOf(server);
    feed(decoder, [frame({ opcode: PING, payload: pattern(125) }).subarray(0, 20)]);
    expect([decoder.retainedBytes, decoder.idle]).toEqual([125, false]);
  });

  it('is nothing after the message, a violation and a close frame', () => {
    const blocks = new Blocks();
    const first = frame({ opcode: BINARY, fin: false, payload: 'part' });
    const ends = [
      frame({ opcode: CONTINUATION, payload: 'end' }),
      frame({ opcode: BINARY }),
      frame({ opcode: CLOSE }),
      frame({ opcode: CLOSE, payload: 'x' }),
      frame({ opcode: CONTINUATION, announced: BigInt(17 * megabyte) }),
    ];
    for (const end of ends) {
      const { decoder } = decoderOf({ ...server, memory: blocks });
      feed(decoder, [first]);
      expect([decoder.retainedBytes, blocks.held]).toEqual([1000, 1]);
      feed(decoder, [end]);
      expect([decoder.retainedBytes, blocks.held, decoder.idle]).toEqual([0, 0, true]);
    }
  });

  it('makes the decoder say that it is not idle, were it one byte of a header', () => {
    const input = frame({ opcode: BINARY, payload: 'abc' });
    const { decoder, recorder } = decoderOf(server);
    expect(decoder.idle).toBe(true);
    for (let at = 0; at < input.length - 1; at++) {
      feed(decoder, [input.subarray(at, at + 1)]);
      expect([at, decoder.idle]).toEqual([at, false]);
    }
    feed(decoder, [input.subarray(-1)]);
    expect([decoder.idle, recorder.told.length]).toEqual([true, 1]);
    expect(input.length).toBeLessThan(headerBytes);
  });
});

describe('memory of messages that came in more than one piece', () => {
  const halves = (length: number) => {
    const input = frame({ opcode: BINARY, payload: pattern(length) });
    return [input.subarray(0, length >> 1), input.subarray(length >> 1)];
  };

  it('is lent by the medium until the event is over', () => {
    const blocks = new Blocks();
    let told = 0;
    const decoder = decoderTelling({ ...server, memory: blocks }, (payload) => {
      told++;
      expect([blocks.has(payload), blocks.held, Buffer.isBuffer(payload)]).toEqual([true, 1, true]);
      expect(Buffer.compare(payload, pattern(1000))).toBe(0);
    });
    feed(decoder, [...halves(1000), ...halves(1000)]);
    expect([told, blocks.held]).toEqual([2, 0]);
  });

  it('is the receiver’s to keep when it is ordinary', () => {
    const kept: Buffer[] = [];
    const decoder = decoderTelling({ ...server, memory: new Blocks() }, (payload) => kept.push(payload));
    feed(decoder, [...halves(1500), ...halves(2000), ...halves(1500)]);
    expect(
      kept.map((each, index) => Buffer.compare(each, pattern([1500, 2000, 1500][index] as number))),
    ).toEqual([0, 0, 0]);
  });

  it('stays until the event is over, also when the decoder is destroyed in it', () => {
    const blocks = new Blocks();
    const decoder = decoderTelling({ ...server, memory: blocks }, (payload, self) => {
      self.destroy();
      expect(Buffer.compare(payload, pattern(500))).toBe(0);
    });
    feed(decoder, halves(500));
    expect(blocks.held).toBe(0);
  });
});

describe('stop', () => {
  it('makes decode return behind the event, and the rest be taken later', () => {
    const frames = ['one', 'two', 'three'].map((payload) => frame({ opcode: TEXT, payload }));
    const { decoder, recorder } = decoderOf(server);
    recorder.during = () => decoder.stop();
    let rest: Uint8Array = copyAt(concatenate(frames), 1);
    for (const each of frames) {
      const taken = decoder.decode(rest);
      expect(taken).toBe(each.length);
      rest = rest.subarray(taken);
    }
    expect(rest.length).toBe(0);
    expect(recorder.told.map((told) => 'payload' in told && told.payload)).toEqual(['one', 'two', 'three']);
  });

  it('counts in pieces and in pings, too', () => {
    const { decoder, recorder } = decoderOf({ ...server, parts: true });
    recorder.during = () => decoder.stop();
    const ping = frame({ opcode: PING, payload: 'p' });
    const long = frame({ opcode: BINARY, payload: pattern(300) });
    const input = copyAt(concatenate([ping, long]), 2);
    expect(decoder.decode(input.subarray(0, 100))).toBe(ping.length);
    // The rest of these bytes is a piece, and all of it is taken.
    expect(decoder.decode(input.subarray(ping.length, 100))).toBe(100 - ping.length);
    expect(decoder.decode(input.subarray(100))).toBe(input.length - 100);
    expect(recorder.told).toMatchObject([{ kind: 'ping' }, { kind: 'message' }]);
  });

  it('outside of events stops nothing', () => {
    const { decoder, recorder } = decoderOf(server);
    decoder.stop();
    feed(decoder, [frame({ opcode: TEXT, payload: 'a' })]);
    expect(recorder.told.length).toBe(1);
  });
});

describe('destroy', () => {
  it('ends it in the middle of the input: all is taken, nothing is told', () => {
    const { decoder, recorder } = decoderOf(server);
    recorder.during = () => decoder.destroy();
    const one = frame({ opcode: TEXT, payload: 'a' });
    feed(decoder, [concatenate([one, one, one.subarray(0, 3)]), one]);
    expect([recorder.told.length, decoder.idle, decoder.retainedBytes]).toEqual([1, true, 0]);
  });

  it('may come twice', () => {
    const { decoder } = decoderOf({ ...server, memory: new Blocks() });
    feed(decoder, [frame({ opcode: BINARY, fin: false, payload: 'a' })]);
    decoder.destroy();
    decoder.destroy();
    expect(decoder.idle).toBe(true);
  });
});

describe('what is wrong with a text', () => {
  // Each begins well; the last byte is the one that cannot go on.
  const wrong = ['ff', 'c0', 'e080', 'eda0', 'f080', 'f490', 'f5', 'e241', 'cebae1bdb9cf83cebcceb5f490'];

  it.each(wrong)('is told with the byte that makes it wrong, within a frame: %s', (hex) => {
    const bad = Buffer.from(hex, 'hex');
    for (const parts of [false, true]) {
      for (const before of [0, 100]) {
        const start = Buffer.alloc(before, 'a');
        const payload = Buffer.concat([start, bad, Buffer.alloc(50, 'a')]);
        const input = frame({ opcode: TEXT, payload, announced: 1000n });
        const { decoder, recorder } = decoderOf({ ...server, parts });
        const cut = 8 + before + bad.length;
        feed(decoder, [input.subarray(0, cut - 1)]);
        expect(recorder.violations).toEqual([]);
        feed(decoder, [input.subarray(cut - 1, cut)]);
        expect(recorder.violations).toMatchObject([{ code: 'ERR_WS_INVALID_UTF8', closeCode: 1007 }]);
        expect(recorder.violations[0]?.message).toMatch(/UTF-8/);
      }
    }
  });
});

describe('headers that are wrong', () => {
  it('are refused with their second byte, were the rest never to come', () => {
    for (const input of [
      [0x83, 0x80],
      [0xc1, 0x80],
      [0x89, 0xff],
      [0x81, 0x01],
      [0x09, 0x80],
      [0x80, 0x80],
    ]) {
      const { decoder, recorder } = decoderOf(server);
      feed(decoder, [Uint8Array.from(input)]);
      expect(recorder.violations.length).toBe(1);
    }
  });
});
