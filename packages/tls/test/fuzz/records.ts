/** TLS records, as far as a fuzzer needs to know them (RFC 8446 section 5.1). */

export const headerBytes = 5;

/** The records of a flight; what is left over at its end is the last of them. Views. */
export function recordsOf(flight: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let start = 0; start < flight.byteLength; ) {
    const length = ((flight[start + 3] ?? 0) << 8) | (flight[start + 4] ?? 0);
    const end = Math.min(flight.byteLength, start + headerBytes + length);
    records.push(flight.subarray(start, end));
    start = end;
  }
  return records;
}

/** A record with the right header for its payload, which is not encrypted. */
export function record(type: number, minorVersion: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headerBytes + payload.byteLength);
  bytes.set([type, 3, minorVersion, payload.byteLength >> 8, payload.byteLength & 0xff]);
  bytes.set(payload, headerBytes);
  return bytes;
}
