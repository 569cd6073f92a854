import { type DecoderEvents, type DecoderSettings, FrameDecoder } from './decoder.js';

/** More decoders than that at once are left to the garbage collector afterwards. */
const decodersMax = 1024;

/** Decoders that are in the middle of nothing: a connection takes one when something comes, and one that is idle holds none. */
export class DecoderStock {
  readonly #settings: DecoderSettings;
  readonly #decoders: FrameDecoder[] = [];

  constructor(settings: DecoderSettings) {
    this.#settings = settings;
  }

  take(events: DecoderEvents): FrameDecoder {
    const decoder = this.#decoders.pop();
    if (decoder === undefined) return new FrameDecoder(events, this.#settings);
    decoder.tell(events);
    return decoder;
  }

  /** @param decoder idle and not finished; whoever gives it must forget it */
  give(decoder: FrameDecoder): void {
    if (this.#decoders.length < decodersMax) this.#decoders.push(decoder);
  }
}
