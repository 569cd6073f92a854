/** Sessions of clients: the form that Node gives them, and what OpenSSL has written into them. */

/** Node 22.23 and newer put the name of the server before OpenSSL's DER, with this and two bytes of length before it. */
const nodePrefix = Buffer.from('\0nodejs:tls:session:1\0');

/** OpenSSL's form of what a TLSSocket gives. */
export function sessionDer(session: Buffer): Buffer {
  const nameAt = nodePrefix.byteLength + 2;
  if (session.byteLength < nameAt || !session.subarray(0, nodePrefix.byteLength).equals(nodePrefix))
    return session;
  return session.subarray(nameAt + session.readUInt16BE(nodePrefix.byteLength));
}

const sequence = 0x30;
/** `peer [3] EXPLICIT Certificate`, in OpenSSL (ssl/ssl_asn1.c) and in BoringSSL. */
const peerField = 0xa3;

/**
 * The server's certificate (DER), which a session holds because none is sent when it is resumed; undefined when this is no session
 * of OpenSSL's.
 */
export function certificateInSession(session: Buffer): Buffer | undefined {
  const whole = readElement(session, 0);
  if (whole?.tag !== sequence) return undefined;
  for (let at = whole.contentAt; at < whole.end; ) {
    const field = readElement(session, at);
    if (field === undefined) return undefined;
    if (field.tag === peerField) return session.subarray(field.contentAt, field.end);
    at = field.end;
  }
  return undefined;
}

interface Element {
  readonly tag: number;
  readonly contentAt: number;
  readonly end: number;
}

/** A value in DER (X.690) whose tag is one byte. */
function readElement(bytes: Buffer, at: number): Element | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const contentAt = at + 2 + lengthBytes;
  if (first === 0x80 || lengthBytes > 4 || contentAt > bytes.byteLength) return undefined;
  const end = contentAt + (lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes));
  return end <= bytes.byteLength ? { tag, contentAt, end } : undefined;
}
