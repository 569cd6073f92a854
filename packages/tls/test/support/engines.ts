/** The engines of this package in the form that the testkit's suite takes, and every pair of them. */

import { checkServerIdentity } from 'node:tls';
import type { WriteMemory } from '@iocp/core/layer';
import {
  assertNoLeaks,
  type TestSetup,
  type TlsEngineMaker,
  type TlsEnginePair,
  type TlsHandshakeOptions,
} from '@iocp/testkit';
import { SecureContext } from '../../src/context/secure-context.js';
import { readSecureContextOptions } from '../../src/context/secure-context-options.js';
import { engineMaker } from '../../src/engine/choose.js';
import type { EngineName } from '../../src/engine/engine.js';
import { loadAddon } from '../../src/engine/native/addon.js';
import type { HandshakeSettings } from '../../src/options/handshake-settings.js';
import { SmallMemory } from './small-memory.js';

function makerOf(name: EngineName, memory: WriteMemory | null): TlsEngineMaker {
  const create = engineMaker(name);
  return {
    name,
    context: (options) => new SecureContext(readSecureContextOptions(options), name),
    setTicketKeys: (context, keys) => (context as SecureContext).setTicketKeys(keys),
    engine: (role, context, options, events) =>
      create({ role, context: context as SecureContext, settings: settingsOf(options), memory, events }),
  };
}

function settingsOf({ servername = '', selectContext, ...options }: TlsHandshakeOptions): HandshakeSettings {
  return {
    alpnProtocols: [],
    requestCert: false,
    rejectUnauthorized: true,
    selectProtocol: undefined,
    ocspResponse: undefined,
    expectedHost: servername,
    checkServerIdentity,
    session: undefined,
    requestOcsp: false,
    sessions: true,
    keylog: false,
    truncation: 'error',
    ...options,
    servername,
    selectContext: selectContext as HandshakeSettings['selectContext'],
  };
}

/** A client and a server. */
export interface EnginePair {
  readonly name: string;
  readonly client: EngineName;
  readonly server: EngineName;
  readonly setup: TestSetup<TlsEnginePair>;
}

function pairOf(client: EngineName, server: EngineName, memory: SmallMemory | null = null): EnginePair {
  return {
    name: `${client} with ${server}${memory === null ? '' : ', in little memory'}`,
    client,
    server,
    setup: {
      setup: async () => ({
        client: makerOf(client, memory),
        server: makerOf(server, memory),
        assertReleased: () => assertNoLeaks({ stats: new EngineStats(memory) }),
      }),
      teardown: (pair) => pair.assertReleased(),
    },
  };
}

/** Sessions of OpenSSL and blocks of memory that somebody still holds. */
class EngineStats {
  readonly operationsInFlight = 0;
  readonly #memory: SmallMemory | null;

  constructor(memory: SmallMemory | null) {
    this.#memory = memory;
  }

  get handlesOpen(): number {
    return loadAddon().counts().sessions + (this.#memory?.held ?? 0);
  }
}

/** Each engine with itself and with the other. */
export const enginePairs = [
  pairOf('native', 'native'),
  pairOf('native', 'native', new SmallMemory()),
  pairOf('native', 'node'),
  pairOf('node', 'native'),
  pairOf('node', 'node'),
] as const;
