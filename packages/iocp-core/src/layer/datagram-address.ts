/** Addresses of datagrams: parsed once, and sent to without a string. */

import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { invalidArgumentValue, validatePort, validateString } from './validate.js';

/** Views of the same bytes, to change between addresses as bytes and as the words of records. */
const scratchBytes = new Uint8Array(16);
const scratchWords = new Int32Array(scratchBytes.buffer);

/** An IP address and port in the form that records carry: four words in network byte order, IPv4 in the first. */
export class DatagramAddress {
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
  /** Interface of a link-local IPv6 address, else 0. */
  readonly scopeId: number;
  readonly word0: number;
  readonly word1: number;
  readonly word2: number;
  readonly word3: number;
  #text: string | undefined;

  /** For those who have the words; people use `DatagramAddress.of`. */
  constructor(
    family: 'IPv4' | 'IPv6',
    port: number,
    scopeId: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
  ) {
    this.family = family;
    this.port = port;
    this.scopeId = scopeId;
    this.word0 = word0;
    this.word1 = word1;
    this.word2 = word2;
    this.word3 = word3;
    this.#text = undefined;
  }

  /**
   * @param host numeric address, IPv6 possibly with `%zone` (name or index of an interface). Names are not resolved here.
   * @param port 0 to 65535.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_SOCKET_BAD_PORT`.
   */
  static of(host: string, port: number): DatagramAddress {
    validateString(host, 'host');
    const checkedPort = validatePort(port, 'port');
    if (isIPv4(host)) {
      scratchWords.fill(0);
      scratchBytes.set(host.split('.').map(Number));
      return new DatagramAddress('IPv4', checkedPort, 0, scratchWords[0] as number, 0, 0, 0);
    }
    if (!isIPv6(host)) {
      throw invalidArgumentValue('host', host, 'must be a numeric IPv4 or IPv6 address');
    }
    const [address, zone] = host.split('%', 2) as [string, string | undefined];
    readIpv6(address);
    const [word0, word1, word2, word3] = scratchWords as unknown as [number, number, number, number];
    return new DatagramAddress('IPv6', checkedPort, scopeOf(zone, host), word0, word1, word2, word3);
  }

  /** The numeric address without zone. */
  get address(): string {
    this.#text ??= this.#format();
    return this.#text;
  }

  /** `192.0.2.1:53` or `[2001:db8::1%2]:53`. */
  toString(): string {
    if (this.family === 'IPv4') return `${this.address}:${this.port}`;
    const zone = this.scopeId === 0 ? '' : `%${this.scopeId}`;
    return `[${this.address}${zone}]:${this.port}`;
  }

  equals(other: DatagramAddress): boolean {
    return (
      this.word0 === other.word0 &&
      this.port === other.port &&
      this.word3 === other.word3 &&
      this.word2 === other.word2 &&
      this.word1 === other.word1 &&
      this.family === other.family &&
      this.scopeId === other.scopeId
    );
  }

  #format(): string {
    scratchWords[0] = this.word0;
    scratchWords[1] = this.word1;
    scratchWords[2] = this.word2;
    scratchWords[3] = this.word3;
    return this.family === 'IPv4' ? scratchBytes.subarray(0, 4).join('.') : formatIpv6();
  }
}

/** Reads an address that is known to be right into the scratch bytes. RFC 4291, section 2.2. */
function readIpv6(text: string): void {
  scratchBytes.fill(0);
  const [head = '', tail] = text.split('::', 2);
  const first = groupsOf(head);
  const last = tail === undefined ? [] : groupsOf(tail);
  writeGroups(first, 0);
  writeGroups(last, 8 - last.length);
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

function writeGroups(groups: readonly number[], at: number): void {
  for (const [index, group] of groups.entries()) {
    scratchBytes[(at + index) * 2] = group >> 8;
    scratchBytes[(at + index) * 2 + 1] = group & 0xff;
  }
}

/** The scratch bytes as RFC 5952 writes them, IPv4-mapped ones as section 5 recommends. */
function formatIpv6(): string {
  if (scratchWords[0] === 0 && scratchWords[1] === 0 && isMappedPrefix()) {
    return `::ffff:${scratchBytes.subarray(12).join('.')}`;
  }
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((scratchBytes[index * 2] as number) << 8) | (scratchBytes[index * 2 + 1] as number),
  );
  const { start, length } = longestZeros(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function isMappedPrefix(): boolean {
  return (
    scratchBytes[8] === 0 && scratchBytes[9] === 0 && scratchBytes[10] === 0xff && scratchBytes[11] === 0xff
  );
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; ) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
    start += length + 1;
  }
  return best;
}

function scopeOf(zone: string | undefined, host: string): number {
  if (zone === undefined) return 0;
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  for (const each of networkInterfaces()[zone] ?? []) {
    if (each.family === 'IPv6' && each.scopeid > 0) return each.scopeid;
  }
  throw invalidArgumentValue('host', host, 'names an interface that this machine does not have');
}
