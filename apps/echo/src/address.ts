import { isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';

/** Where to listen or to connect. No host means every address when listening, and this machine when connecting. */
export interface Address {
  readonly host: string | undefined;
  readonly port: number;
}

const shape = /^(?:\[(?<bracketed>[^\]]*)\]|(?<plain>[^:[\]]*)):(?<port>[^:]*)$/;
const example = 'Write it like 127.0.0.1:8080, example.org:8080, [::1]:8080 or :8080.';

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`.
 * @throws InvalidArgumentError saying what is wrong, which the argument parser shows with the usage.
 */
export function parseAddress(text: string): Address {
  const parts = shape.exec(text)?.groups;
  if (parts === undefined) {
    if (isIPv6(text.slice(0, text.lastIndexOf(':')))) {
      throw new InvalidArgumentError(`An IPv6 address goes in brackets. ${example}`);
    }
    throw new InvalidArgumentError(`This is not an address with a port. ${example}`);
  }
  const { bracketed, plain } = parts;
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw new InvalidArgumentError(`"${bracketed}" is not an IPv6 address. ${example}`);
  }
  return { host: bracketed ?? (plain || undefined), port: parsePort(parts.port ?? '') };
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535))
    throw new InvalidArgumentError(`The port must be a number from 0 to 65535, not "${text}".`);
  return port;
}

/** The address as people write it: `127.0.0.1:80`, `[::1]:80`. */
export function formatAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
