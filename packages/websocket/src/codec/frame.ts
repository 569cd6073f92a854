/** What frames are made of (RFC 6455 section 5.2). */

export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** In the first byte: the last fragment of a message. */
export const FIN = 0x80;
/** In the first byte of a message: it is compressed (RFC 7692 section 6). */
export const RSV1 = 0x40;
/** In the first byte: no extension known to us gives them a meaning. */
export const RSV2_RSV3 = 0x30;
/** In the second byte: four bytes of masking key stand before the payload. */
export const MASKED = 0x80;

/** Control frames have opcodes from this one on. */
export const firstControlOpcode = 8;
/** In the seven bits for the length: two, or eight, bytes of length follow. */
export const length16 = 126;
export const length64 = 127;

/** Longest payload of a control frame, in bytes. */
export const controlPayloadMax = 125;
/** Longest header, in bytes. */
export const headerBytesMax = 14;
/** Longest message by default, in bytes, inclusive. */
export const payloadBytesMaxDefault = 16 * 1024 * 1024;

/** RFC 6455 section 7.4.1 and the registry of IANA. NO_STATUS and ABNORMAL are never sent. */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  NO_STATUS: 1005,
  ABNORMAL: 1006,
  INVALID_PAYLOAD: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
} as const;
