import { describe, expect, it } from 'vitest';
import { acceptAnswer, answerOffer, makeOffer } from '../../src/deflate/negotiation.js';
import { type DeflateOptions, deflateSettings } from '../../src/deflate/settings.js';

function settings(options: DeflateOptions = {}) {
  const made = deflateSettings(options);
  if (made === null) throw new Error('compression is off');
  return made;
}

const takeover = { contextTakeover: true, peerContextTakeover: true };

function answer(offer: string | undefined, options?: DeflateOptions): string | undefined {
  return answerOffer(offer, settings(options))?.header;
}

describe('the answer of a server, RFC 7692 section 7.1', () => {
  it('is none when there is no offer, or none of this extension', () => {
    expect(answerOffer(undefined, settings())).toBeNull();
    expect(answerOffer('x-webkit-deflate-frame, foo; bar=1', settings())).toBeNull();
  });

  it('asks for no context takeover by default, whatever was offered', () => {
    const none = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
    expect(answer('permessage-deflate')).toBe(none);
    expect(answer('permessage-deflate; client_max_window_bits')).toBe(none);
    expect(answerOffer('permessage-deflate', settings())?.agreement).toEqual(settings());
  });

  it('is plain where both want context takeover', () => {
    expect(answer('permessage-deflate', takeover)).toBe('permessage-deflate');
    expect(answer('permessage-deflate; client_max_window_bits', takeover)).toBe('permessage-deflate');
  });

  it('keeps to what the client wants', () => {
    const offer = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
    const answered = answerOffer(offer, settings(takeover));
    expect(answered?.header).toBe(offer);
    expect(answered?.agreement).toMatchObject({ contextTakeover: false, peerContextTakeover: false });
  });

  it.each([8, 9, 12, 15])('confirms server_max_window_bits=%i', (bits) => {
    const answered = answerOffer(`permessage-deflate; server_max_window_bits=${bits}`, settings(takeover));
    expect(answered?.header).toBe(`permessage-deflate; server_max_window_bits=${bits}`);
    expect(answered?.agreement.windowBits).toBe(bits);
  });

  it('promises a smaller window than asked for, and one that was not asked for', () => {
    const small = { ...takeover, windowBits: 10 };
    expect(answer('permessage-deflate; server_max_window_bits=12', small)).toBe(
      'permessage-deflate; server_max_window_bits=10',
    );
    expect(answer('permessage-deflate', small)).toBe('permessage-deflate; server_max_window_bits=10');
  });

  it('limits the window of a client that can be limited, and passes over one that cannot', () => {
    const small = { ...takeover, peerWindowBits: 10 };
    const limited = 'permessage-deflate; client_max_window_bits=10';
    expect(answer('permessage-deflate; client_max_window_bits', small)).toBe(limited);
    expect(answer('permessage-deflate; client_max_window_bits=15', small)).toBe(limited);
    expect(answer('permessage-deflate; client_max_window_bits=9', small)).toBe(
      'permessage-deflate; client_max_window_bits=9',
    );
    expect(answer('permessage-deflate', small)).toBeUndefined();
    expect(answer('permessage-deflate, permessage-deflate; client_max_window_bits', small)).toBe(limited);
  });

  it('takes the hint of a client with a small window', () => {
    const answered = answerOffer('permessage-deflate; client_max_window_bits=8', settings(takeover));
    expect(answered?.header).toBe('permessage-deflate; client_max_window_bits=8');
    expect(answered?.agreement.peerWindowBits).toBe(8);
  });

  it.each([
    'foo=1',
    'server_no_context_takeover=1',
    'client_no_context_takeover=true',
    'server_no_context_takeover; server_no_context_takeover',
    'client_max_window_bits; client_max_window_bits=10',
    'server_max_window_bits',
    'server_max_window_bits=7',
    'server_max_window_bits=16',
    'server_max_window_bits=08',
    'server_max_window_bits=+9',
    'server_max_window_bits=9.0',
    'server_max_window_bits=0x9',
    'client_max_window_bits=16',
    'client_max_window_bits=7',
  ])('passes over an offer with %s, and takes the next', (parameters) => {
    expect(answer(`permessage-deflate; ${parameters}`)).toBeUndefined();
    expect(answer(`permessage-deflate; ${parameters}, permessage-deflate`, takeover)).toBe(
      'permessage-deflate',
    );
  });

  it('takes values in quotes', () => {
    expect(answer('permessage-deflate; server_max_window_bits="10"', takeover)).toBe(
      'permessage-deflate; server_max_window_bits=10',
    );
  });

  it('refuses a header that cannot be read', () => {
    expect(() => answer('permessage-deflate; server_max_window_bits="10')).toThrow(
      expect.objectContaining({ code: 'ERR_WS_HANDSHAKE' }),
    );
  });
});

describe('the offer of a client', () => {
  it('says what the settings want', () => {
    expect(makeOffer(settings())).toBe(
      'permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits',
    );
    expect(makeOffer(settings(takeover))).toBe('permessage-deflate; client_max_window_bits');
    expect(makeOffer(settings({ ...takeover, windowBits: 10, peerWindowBits: 11 }))).toBe(
      'permessage-deflate; server_max_window_bits=11; client_max_window_bits=10',
    );
  });
});

describe('the answer that a client takes', () => {
  const small = { ...takeover, windowBits: 12, peerWindowBits: 12 };

  it('may be none', () => {
    expect(acceptAnswer(undefined, settings())).toBeNull();
  });

  it('is what then holds', () => {
    expect(acceptAnswer('permessage-deflate', settings(takeover))).toEqual(settings(takeover));
    const none = 'permessage-deflate; server_no_context_takeover';
    expect(acceptAnswer(none, settings())).toEqual(settings());
    expect(
      acceptAnswer(
        'permessage-deflate; client_no_context_takeover; server_no_context_takeover; ' +
          'client_max_window_bits=8; server_max_window_bits=9',
        settings(takeover),
      ),
    ).toEqual({ ...settings(), windowBits: 8, peerWindowBits: 9 });
    expect(acceptAnswer('permessage-deflate; server_max_window_bits=12', settings(small))).toEqual(
      settings(small),
    );
  });

  it.each([
    ['', settings(takeover)],
    ['foo', settings(takeover)],
    ['permessage-deflate, permessage-deflate', settings(takeover)],
    ['permessage-deflate, foo', settings(takeover)],
    ['permessage-deflate; foo', settings(takeover)],
    ['permessage-deflate; server_no_context_takeover=1', settings(takeover)],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', settings(takeover)],
    ['permessage-deflate; client_max_window_bits', settings(takeover)],
    ['permessage-deflate; client_max_window_bits=16', settings(takeover)],
    ['permessage-deflate; server_max_window_bits', settings(takeover)],
    ['permessage-deflate; server_max_window_bits=7', settings(takeover)],
    // What was asked for, and is not there.
    ['permessage-deflate', settings()],
    ['permessage-deflate', settings(small)],
    ['permessage-deflate; server_max_window_bits=13', settings(small)],
    ['permessage-deflate; server_max_window_bits=12; client_max_window_bits=13', settings(small)],
  ])('is not %j', (header, wanted) => {
    expect(() => acceptAnswer(header, wanted)).toThrow(expect.objectContaining({ code: 'ERR_WS_HANDSHAKE' }));
  });
});

const ours: DeflateOptions[] = [false, true].flatMap((contextTakeover) =>
  [false, true].flatMap((peerContextTakeover) =>
    [9, 15].flatMap((windowBits) =>
      [9, 15].map((peerWindowBits) => ({ contextTakeover, peerContextTakeover, windowBits, peerWindowBits })),
    ),
  ),
);

describe('both sides agree on the same', () => {
  it.each(ours)('our server and our client: %o', (options) => {
    for (const clientOptions of ours) {
      const client = settings(clientOptions);
      const answered = answerOffer(makeOffer(client), settings(options));
      if (answered === null) throw new Error('no agreement');
      const accepted = acceptAnswer(answered.header, client);
      expect(accepted).toMatchObject({
        contextTakeover: answered.agreement.peerContextTakeover,
        windowBits: answered.agreement.peerWindowBits,
        peerContextTakeover: answered.agreement.contextTakeover,
        peerWindowBits: answered.agreement.windowBits,
      });
      expect(answered.agreement.contextTakeover).toBe(options.contextTakeover && client.peerContextTakeover);
      expect(answered.agreement.windowBits).toBe(Math.min(options.windowBits ?? 15, client.peerWindowBits));
    }
  });
});
