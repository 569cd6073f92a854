import type { HandshakeSettings } from '../../options/handshake-settings.js';
import { sessionDer } from '../session-form.js';
import type { NativeSessionOptions } from './binding.js';
import { needsHello } from './hello-answer.js';

type Known = WeakMap<HandshakeSettings, NativeSessionOptions>;

const knownByRole: Readonly<Record<'client' | 'server', Known>> = {
  client: new WeakMap(),
  server: new WeakMap(),
};

/** In the form of the addon; the same object for the same settings. */
export function nativeSessionOptions(
  role: 'client' | 'server',
  settings: HandshakeSettings,
): NativeSessionOptions {
  const known = knownByRole[role];
  let options = known.get(settings);
  if (options === undefined) {
    options = role === 'server' ? serverOptions(settings) : clientOptions(settings);
    known.set(settings, options);
  }
  return options;
}

function serverOptions(settings: HandshakeSettings): NativeSessionOptions {
  return {
    server: true,
    requestCert: settings.requestCert,
    rejectUnauthorized: settings.requestCert && settings.rejectUnauthorized,
    servername: undefined,
    alpn: protocolsOnWire(settings.alpnProtocols),
    session: undefined,
    requestOcsp: false,
    stopAtHello: needsHello(settings),
    keylog: settings.keylog,
    sessions: false,
  };
}

function clientOptions(settings: HandshakeSettings): NativeSessionOptions {
  return {
    server: false,
    requestCert: false,
    rejectUnauthorized: settings.rejectUnauthorized,
    servername: settings.servername === '' ? undefined : settings.servername,
    alpn: protocolsOnWire(settings.alpnProtocols),
    session: settings.session && sessionDer(settings.session),
    requestOcsp: settings.requestOcsp,
    stopAtHello: false,
    keylog: settings.keylog,
    sessions: settings.sessions,
  };
}

/** Each name, of Latin-1 characters, with its length before it (RFC 7301 section 3.1); undefined for none. */
function protocolsOnWire(names: readonly string[]): Buffer | undefined {
  if (names.length === 0) return undefined;
  return Buffer.concat(names.flatMap((name) => [Buffer.of(name.length), Buffer.from(name, 'latin1')]));
}
