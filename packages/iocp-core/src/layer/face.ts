import type { ConnectionCore } from './connection-core.js';

/** One way for people to consume a connection. A face without state of its own may serve many connections. */
export interface Face {
  /** `bytes` are lent. */
  data(core: ConnectionCore, bytes: Uint8Array): void;
  end(core: ConnectionCore): void;
  drain(core: ConnectionCore): void;
  close(core: ConnectionCore, error: Error | null): void;
  /** `connection.close()` was called: nobody may be left who reads what still arrives. */
  closing(core: ConnectionCore): void;
  /** The connection is given up to another consumer: what was received and not consumed. */
  release(core: ConnectionCore): Uint8Array[];
}

/** For connections that are closed before anyone consumed them: waits for the peer's end, throws its bytes away. */
export const discardingFace: Face = {
  data() {},
  end(core) {
    core.end();
  },
  drain() {},
  close() {},
  closing() {},
  release() {
    return [];
  },
};
