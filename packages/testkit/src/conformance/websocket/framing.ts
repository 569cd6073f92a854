/** WebSocket suite, 1, 3 and 4: lengths of frames, masks, reserved bits, reserved opcodes. RFC 6455, 5.2 and 5.3. */

import { binary, close, type FrameToSend, other, ping, rawClose, text } from './frame.js';
import { binaryBack, itCloses, open, refused, type Step, textBack, type WebSocketSuite } from './scene.js';

const lengths = [0, 125, 126, 127, 128, 65_535, 65_536];

export function framingSuite(suite: WebSocketSuite): void {
  const sizes: { bytes: number; cut?: number }[] = [
    ...lengths.map((bytes) => ({ bytes })),
    { bytes: 65_536, cut: 997 },
    ...lengths.slice(0, 5).map((bytes) => ({ bytes, cut: 1 })),
  ];
  for (const [index, { bytes, cut }] of sizes.entries()) {
    const title = `${bytes} bytes${cut === undefined ? '' : `, ${cut} at a time`}`;
    const payload = '*'.repeat(bytes);
    itCloses(suite, `[1.1.${index + 1}] text of ${title}`, {
      steps: [{ send: [text(payload)], cut, back: [textBack(payload)] }],
      ending: open,
    });
    const block = new Uint8Array(bytes).fill(0xfe);
    itCloses(suite, `[1.2.${index + 1}] binary of ${title}`, {
      steps: [{ send: [binary(block)], cut, back: [binaryBack(block)] }],
      ending: open,
    });
  }

  itCloses(suite, '[1.3] many messages in one write come back in their order', {
    steps: [
      {
        send: Array.from({ length: 300 }, (_, index) => text('-'.repeat(index))),
        back: Array.from({ length: 300 }, (_, index) => textBack('-'.repeat(index))),
      },
    ],
    ending: open,
  });

  const unmasked = 'a mask where there should be none, or none where there should be one';
  itCloses(suite, `[1.4] ${unmasked}`, {
    steps: [{ send: [text('Hello', { wrongMask: true })] }],
    ending: refused(1002),
  });
  itCloses(suite, `[1.4] ${unmasked}, after a message and before another`, {
    steps: [
      {
        send: [text('first'), binary('second', { wrongMask: true }), text('third')],
        back: [textBack('first')],
      },
    ],
    ending: refused(1002),
  });
  itCloses(suite, '[1.4] a close frame whose mask is wrong', {
    steps: [{ send: [rawClose(Uint8Array.of(0x03, 0xe8), { wrongMask: true })] }],
    ending: refused(1002),
  });
  itCloses(suite, `[1.4] ${unmasked}, in a ping`, {
    steps: [{ send: [ping('', { wrongMask: true })] }],
    ending: refused(1002),
  });

  itCloses(suite, '[1.5] a length with its highest bit', {
    steps: [{ send: [binary('', { announcedLength: 1n << 63n })] }],
    ending: refused(1002, 1009),
  });
  itCloses(suite, '[1.5] a length of 2 ** 53 bytes', {
    steps: [{ send: [binary('', { announcedLength: 1n << 53n })] }],
    ending: refused(1009),
  });
  itCloses(suite, '[1.5] a message that is longer than is taken is refused at its header', {
    steps: [{ send: [binary('', { announcedLength: BigInt(16 * 1024 * 1024 + 1) })] }],
    ending: refused(1009),
  });
  itCloses(
    suite,
    '[1.5] fragments that are longer together than is taken are refused at the header of the last',
    {
      steps: [
        {
          send: [
            binary('12', { fin: false }),
            other(0, '', { announcedLength: BigInt(16 * 1024 * 1024 - 1) }),
          ],
        },
      ],
      ending: refused(1009),
    },
  );
  if (suite.traits.minimalLengths) {
    for (const [bytes, lengthBytes] of [
      [125, 2],
      [125, 8],
      [65_535, 8],
    ] as const) {
      itCloses(suite, `[1.5] ${bytes} bytes with a length of ${lengthBytes} bytes`, {
        steps: [{ send: [binary(new Uint8Array(bytes), { lengthBytes })] }],
        ending: refused(1002),
      });
    }
  }
}

/** After a good message comes one with these bits or that opcode, and then a ping that must not be answered. */
function afterAMessage(wrong: FrameToSend, cut?: 'frames' | 1): Step {
  return { send: [text('Hello'), wrong, ping()], cut, back: [textBack('Hello')] };
}

export function reservedSuite(suite: WebSocketSuite): void {
  const bits: [name: string, step: Step][] = [
    ['RSV 1 in a text', { send: [text('Hello', { rsv: 1 })] }],
    ['RSV 2 after a text', afterAMessage(text('Hello', { rsv: 2 }))],
    ['RSV 3 after a text, frame by frame', afterAMessage(text('Hello', { rsv: 3 }), 'frames')],
    ['RSV 4 after a text, byte by byte', afterAMessage(text('Hello', { rsv: 4 }), 1)],
    ['RSV 5 in a binary message', { send: [binary('Hello', { rsv: 5 })] }],
    ['RSV 6 in a ping', { send: [ping('Hello', { rsv: 6 })] }],
    ['RSV 7 in a close frame', { send: [{ ...close(1000), rsv: 7 }] }],
  ];
  for (const [index, [name, step]] of bits.entries()) {
    itCloses(suite, `[3.${index + 1}] ${name}`, { steps: [step], ending: refused(1002) });
  }

  for (const [area, first] of [
    ['4.1', 3],
    ['4.2', 11],
  ] as const) {
    const cases: [name: string, step: Step][] = [
      [`opcode ${first}`, { send: [other(first)] }],
      [`opcode ${first + 1} with a payload`, { send: [other(first + 1, 'reserved payload')] }],
      [`opcode ${first + 2} after a text`, afterAMessage(other(first + 2))],
      [
        `opcode ${first + 3} with a payload after a text`,
        afterAMessage(other(first + 3, 'reserved payload')),
      ],
      [
        `opcode ${first + 4} after a text, byte by byte`,
        afterAMessage(other(first + 4, 'reserved payload'), 1),
      ],
    ];
    for (const [index, [name, step]] of cases.entries()) {
      itCloses(suite, `[${area}.${index + 1}] ${name}`, { steps: [step], ending: refused(1002) });
    }
  }
}
