/** WebSocket suite, 12 and 13: messages of many kinds and sizes through permessage-deflate, with all its parameters. RFC 7692. */

import assert from 'node:assert/strict';
import { Random } from '../../prng.js';
import { itWith } from '../../runner.js';
import { assertSameBytes } from '../channel/base.js';
import { compressAlone, compressWithFinalBlock, type DeflateParameters } from './compression.js';
import { binary, type FrameToSend, fragments, more, ping, text } from './frame.js';
import { openAsClient, openAsServer } from './opening.js';
import type { WebSocketPeer } from './peer.js';
import {
  type Case,
  conclude,
  dial,
  finish,
  open,
  pongBack,
  refused,
  run,
  textBack,
  type WebSocketSuite,
} from './scene.js';
import type { DeflateSetUp, WebSocketSubject } from './subject.js';

/** Material of one kind, from which messages are cut. */
interface Material {
  readonly title: string;
  readonly binary: boolean;
  readonly bytes: Uint8Array;
}

function makeMaterials(): Material[] {
  const random = new Random(20_111);
  const words = Array.from({ length: 400 }, () =>
    Array.from({ length: random.integer(1, 9) }, () => random.pick([...'etaoinshrdlucmfäöüßé'])).join(''),
  );
  const sentence = () => Array.from({ length: random.integer(4, 14) }, () => random.pick(words)).join(' ');
  const lines = (line: () => string) => Buffer.from(Array.from({ length: 2600 }, line).join('\n'));
  const picture = Buffer.alloc(262_144);
  for (let at = 0; at < picture.byteLength; at++) picture[at] = ((at % 512) >> 1) + random.integer(0, 7);
  return [
    {
      title: 'JSON',
      binary: false,
      bytes: lines(() =>
        JSON.stringify({ id: random.integer(0, 1e6), name: sentence(), live: random.chance(0.5) }),
      ),
    },
    { title: 'a picture', binary: true, bytes: picture },
    { title: 'prose', binary: false, bytes: lines(() => `${sentence()}. ${sentence()}.`) },
    {
      title: 'markup',
      binary: false,
      bytes: lines(() => `<li class="entry"><a href="/${random.pick(words)}">${sentence()}</a></li>`),
    },
    { title: 'noise', binary: true, bytes: random.bytes(262_144) },
  ];
}

/** Sizes of messages, and of their fragments where they have any. */
const shapes: readonly { readonly bytes: number; readonly fragmentBytes?: number }[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((bytes) => ({ bytes })),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((bytes) => ({ bytes, fragmentBytes: 256 })),
  ...[1024, 4096, 32_768].map((fragmentBytes) => ({ bytes: 131_072, fragmentBytes })),
];

/** What the suite offers as a client, or answers to what it is offered as a server. */
interface Terms {
  readonly offer: string;
  readonly answer: string;
}

const plain = 'permessage-deflate';
const defaultTerms: Terms = { offer: `${plain}; client_max_window_bits`, answer: plain };

const manyTerms: readonly Terms[] = [
  { offer: plain, answer: plain },
  { offer: `${plain}; server_no_context_takeover`, answer: `${plain}; server_no_context_takeover` },
  { offer: `${plain}; server_max_window_bits=9`, answer: `${plain}; server_max_window_bits=9` },
  { offer: `${plain}; server_max_window_bits=15`, answer: `${plain}; server_max_window_bits=15` },
  {
    offer: `${plain}; server_no_context_takeover; server_max_window_bits=9`,
    answer: `${plain}; server_no_context_takeover; server_max_window_bits=9`,
  },
  {
    offer: `${plain}; server_no_context_takeover; server_max_window_bits=15`,
    answer: `${plain}; server_no_context_takeover; server_max_window_bits=15`,
  },
  {
    offer: `${plain}; server_no_context_takeover; server_max_window_bits=9, ${plain}; server_no_context_takeover, ${plain}`,
    answer: plain,
  },
  {
    offer: `${plain}; client_no_context_takeover; client_max_window_bits=9`,
    answer: `${plain}; client_no_context_takeover; client_max_window_bits=9`,
  },
  {
    offer: `${plain}; client_max_window_bits=10; server_max_window_bits="12"`,
    answer: `${plain}; client_max_window_bits=10; server_max_window_bits="12"`,
  },
];

/** A connection on which messages may be compressed. */
async function openDeflated(
  suite: WebSocketSuite,
  subject: WebSocketSubject,
  deflate: DeflateSetUp,
  terms: Terms,
): Promise<WebSocketPeer> {
  const { peer, opened } = await dial(suite, subject, { deflate });
  if (peer.role === 'client') await openAsClient(peer, terms.offer);
  else await openAsServer(peer, (offers) => allowed(terms.answer, offers));
  await opened;
  assert.ok(peer.codec !== null, `compression was not agreed on\n${peer.transcript}`);
  return peer;
}

/** The answer as the client's first offer wants it: RFC 7692, 7.1.1.1 and 7.1.2.2. */
function allowed(answer: string, [offer]: readonly DeflateParameters[]): string {
  assert.ok(offer !== undefined, 'the client offers no compression');
  let fitting = answer;
  if (!offer.has('client_max_window_bits')) fitting = fitting.replace(/; client_max_window_bits=\d+/, '');
  if (offer.has('server_no_context_takeover') && !fitting.includes('; server_no_context_takeover')) {
    fitting += '; server_no_context_takeover';
  }
  return fitting;
}

async function compressed(
  peer: WebSocketPeer,
  material: Material,
  payload: Uint8Array,
  fragmentBytes?: number,
): Promise<FrameToSend[]> {
  const bytes = (await peer.codec?.compress(payload)) ?? payload;
  return fragments(material.binary, bytes, fragmentBytes ?? Number.POSITIVE_INFINITY, 4);
}

/** Messages of one shape, there and back. */
async function exchange(
  peer: WebSocketPeer,
  material: Material,
  shape: (typeof shapes)[number],
  count: number,
  mustCompress: boolean,
): Promise<void> {
  let compressedCount = 0;
  for (let index = 0; index < count; index++) {
    const payload = cut(material, index * 977, shape.bytes);
    await peer.send(await compressed(peer, material, payload, shape.fragmentBytes));
    const event = await peer.next();
    if (event.type !== 'message') assert.fail(`${event.type} instead of message ${index}`);
    assert.equal(event.binary, material.binary);
    assertSameBytes(event.payload, payload);
    if (event.compressed) compressedCount++;
  }
  if (mustCompress && shape.bytes >= 1024)
    assert.equal(compressedCount, count, 'messages came back that were not compressed');
}

/** That many bytes from about there: of text, whole characters. */
function cut({ bytes, binary: isBinary }: Material, from: number, byteCount: number): Uint8Array {
  let start = from % Math.max(1, bytes.byteLength - byteCount);
  let end = Math.min(start + byteCount, bytes.byteLength);
  if (isBinary) return bytes.subarray(start, end);
  const inside = (at: number) => ((bytes[at] ?? 0) & 0xc0) === 0x80;
  while (inside(start)) start++;
  while (inside(end)) end++;
  return bytes.subarray(start, end);
}

export function deflateSuite(suite: WebSocketSuite): void {
  const { runner, setup, traits } = suite;
  const materials = makeMaterials();
  const countOf = (bytes: number) => (traits.fullSize ? 1000 : bytes > 16_384 ? 2 : 8);

  for (const [kind, material] of materials.entries()) {
    for (const [index, shape] of shapes.entries()) {
      // Without the whole size, each shape is seen with some of the kinds.
      if (!traits.fullSize && (kind + index) % 3 !== 0) continue;
      const count = countOf(shape.bytes);
      const pieces = shape.fragmentBytes === undefined ? '' : ` in fragments of ${shape.fragmentBytes}`;
      itDeflates(
        `[12.${kind + 1}.${index + 1}] ${count} times ${shape.bytes} bytes of ${material.title}${pieces}`,
        'stateful',
        defaultTerms,
        (peer) => exchange(peer, material, shape, count, traits.compressesAnswers),
      );
    }
  }

  const [json] = materials as [Material, ...Material[]];
  for (const [kind, terms] of manyTerms.entries()) {
    for (const deflate of ['stateless', 'stateful'] as const) {
      const chosen = traits.fullSize
        ? [...shapes.entries()]
        : [...shapes.entries()].filter(([index]) => index % 5 === kind % 5);
      for (const [index, shape] of chosen) {
        const count = countOf(shape.bytes);
        const pieces = shape.fragmentBytes === undefined ? '' : ` in fragments of ${shape.fragmentBytes}`;
        itDeflates(
          `[13.${kind + 1}.${index + 1}] ${deflate}, ${count} times ${shape.bytes} bytes${pieces}, with ${terms.offer}`,
          deflate,
          terms,
          (peer) => exchange(peer, json, shape, count, traits.compressesAnswers),
        );
      }
    }
  }

  deflateEdgeSuite();

  function itDeflates(
    name: string,
    deflate: DeflateSetUp,
    terms: Terms,
    body: (peer: WebSocketPeer) => Promise<void>,
  ): void {
    itWith(runner, setup, name, async (subject) => {
      const peer = await openDeflated(suite, subject, deflate, terms);
      await conclude(peer, async () => {
        await body(peer);
        await finish(peer, open);
      });
    });
  }

  /** What RFC 7692, 6 and 7.2 say of the bit, of blocks, and of what is broken. */
  function deflateEdgeSuite(): void {
    const hello = compressAlone(Buffer.from('Hello'));
    const helloAgain = compressWithFinalBlock(Buffer.from('Hello'));
    const rsv1 = { rsv: 4 };
    const middle = Math.floor(hello.byteLength / 2);
    const parts = [
      text(hello.subarray(0, middle), { fin: false, rsv: 4 }),
      more(hello.subarray(middle)),
    ] as const;
    const bomb = compressAlone(Buffer.alloc(16 * 1024 * 1024 + 1));
    const cases: [string, Case][] = [
      [
        'a message that is not compressed',
        { steps: [{ send: [text('Hello')], back: [textBack('Hello')] }], ending: open },
      ],
      [
        'a compressed message',
        { steps: [{ send: [text(hello, rsv1)], back: [textBack('Hello')] }], ending: open },
      ],
      [
        'a compressed message, byte by byte',
        { steps: [{ send: [text(hello, rsv1)], cut: 1, back: [textBack('Hello')] }], ending: open },
      ],
      [
        'an empty message of one byte',
        { steps: [{ send: [text(Buffer.of(0), rsv1)], back: [textBack('')] }], ending: open },
      ],
      [
        'a block that says it is the last',
        {
          steps: [
            {
              send: [text(helloAgain, rsv1), text(helloAgain, rsv1)],
              back: [textBack('Hello'), textBack('Hello')],
            },
          ],
          ending: open,
        },
      ],
      [
        'blocks that are not compressed',
        {
          steps: [
            { send: [text(Buffer.from('000500faff48656c6c6f00', 'hex'), rsv1)], back: [textBack('Hello')] },
          ],
          ending: open,
        },
      ],
      [
        'two blocks in one message',
        {
          steps: [
            {
              send: [text(Buffer.from('f24805000000ffffcac9c90700', 'hex'), rsv1)],
              back: [textBack('Hello')],
            },
          ],
          ending: open,
        },
      ],
      [
        'a ping between compressed fragments',
        {
          steps: [{ send: [parts[0], ping('now'), parts[1]], back: [pongBack('now'), textBack('Hello')] }],
          ending: open,
        },
      ],
      [
        'messages with and without, mixed',
        {
          steps: [
            {
              send: [text('1'), text(hello, rsv1), text('2'), text(hello, rsv1), text('3')],
              back: ['1', 'Hello', '2', 'Hello', '3'].map(textBack),
            },
          ],
          ending: open,
        },
      ],
      [
        'RSV1 in a continuation',
        { steps: [{ send: [text('Hel', { fin: false }), more('lo', rsv1)] }], ending: refused(1002) },
      ],
      [
        'RSV1 in a continuation of a compressed message',
        { steps: [{ send: [parts[0], { ...parts[1], rsv: 4 }] }], ending: refused(1002) },
      ],
      ['RSV1 in a ping', { steps: [{ send: [ping('', rsv1)] }], ending: refused(1002) }],
      ['RSV2 beside RSV1', { steps: [{ send: [text(hello, { rsv: 6 })] }], ending: refused(1002) }],
      [
        'what cannot be inflated',
        { steps: [{ send: [text(Buffer.from('ffffffff', 'hex'), rsv1)] }], ending: refused(1002, 1007) },
      ],
      [
        'compressed bytes that are no text',
        { steps: [{ send: [text(compressAlone(Buffer.of(0xc3, 0x28)), rsv1)] }], ending: refused(1007) },
      ],
      [
        '16 MiB and a byte, compressed to little',
        { steps: [{ send: [binary(bomb, rsv1)] }], ending: refused(1009) },
      ],
    ];
    for (const [name, { steps, ending }] of cases) {
      itWith(runner, setup, `[12.6] ${name}`, async (subject) => {
        const peer = await openDeflated(suite, subject, 'stateless', defaultTerms);
        await conclude(peer, () => run(peer, steps, ending));
      });
    }
  }
}
