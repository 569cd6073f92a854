/** What the package `ws` does for permessage-deflate: the other side of the interop tests. */

import { promisify } from 'node:util';
import * as ws from 'ws';

export interface PerMessageDeflateOptions {
  serverNoContextTakeover?: boolean;
  clientNoContextTakeover?: boolean;
  serverMaxWindowBits?: boolean | number;
  clientMaxWindowBits?: boolean | number;
  isServer?: boolean;
}

type Parameters = Record<string, (string | true)[]>;

interface PerMessageDeflate {
  offer(): Record<string, string | number | true>;
  accept(parameters: readonly Parameters[]): Record<string, string | number | true>;
  compress(data: Buffer, last: boolean, done: (error: Error | null, data?: Buffer) => void): void;
  decompress(data: Buffer, last: boolean, done: (error: Error | null, data?: Buffer) => void): void;
  cleanup(): void;
}

/** Exported by `ws`, but not by its types. */
const { PerMessageDeflate, extension } = ws as unknown as {
  PerMessageDeflate: new (options: PerMessageDeflateOptions) => PerMessageDeflate;
  extension: {
    parse(header: string): Record<string, Parameters[]>;
    format(extensions: Record<string, object>): string;
  };
};

const name = 'permessage-deflate';

/** One side of a connection as `ws` has it. */
export class WsDeflate {
  readonly #deflate: PerMessageDeflate;

  constructor(options: PerMessageDeflateOptions) {
    this.#deflate = new PerMessageDeflate(options);
  }

  /** Of a client: the header of its request. */
  offer(): string {
    return extension.format({ [name]: this.#deflate.offer() });
  }

  /** Of a server: the header that answers an offer. Of a client: takes an answer. Throws when it does not accept it. */
  accept(header: string): string {
    const accepted = this.#deflate.accept(extension.parse(header)[name] ?? []);
    return extension.format({ [name]: accepted });
  }

  async compress(data: Buffer): Promise<Buffer> {
    return (await promisify(this.#deflate.compress.bind(this.#deflate))(data, true)) as Buffer;
  }

  async decompress(data: Buffer): Promise<Buffer> {
    return (await promisify(this.#deflate.decompress.bind(this.#deflate))(data, true)) as Buffer;
  }

  close(): void {
    this.#deflate.cleanup();
  }
}
