/**
 * TLS 1.2 and 1.3 as a layer over any channel of bytes.
 * @packageDocumentation
 */

export { type CertificateFilesOptions, watchCertificateFiles } from './certificate-files.js';
export { connect, type TlsConnectOptions } from './connect.js';
export { type CreateSecureContextOptions, createSecureContext } from './context/create-secure-context.js';
export { SecureContext } from './context/secure-context.js';
export {
  defaultCiphers,
  type Pkcs12,
  type PrivateKey,
  type SecureContextOptions,
  type TlsVersion,
} from './context/secure-context-options.js';
export { type EngineChoice, type EngineInfo, engineInfo } from './engine/choose.js';
export type { EngineName } from './engine/engine.js';
export type { TlsFacts } from './engine/facts.js';
export { type OwnTlsErrorCode, TlsError } from './errors.js';
export { TlsLayer, tls } from './layer.js';
export { listen, type TlsListener, type TlsListenOptions } from './listen.js';
export type { AlpnCallback, AlpnOffer, AlpnProtocols } from './options/alpn.js';
export type { ChosenContext, SniAnswer, SniCallback } from './options/server-contexts.js';
export type { TlsOptions, TlsWrapOptions } from './options/tls-options.js';
export { rotateTicketKeys, type TicketRotationOptions } from './ticket-rotation.js';
export type { TlsChannel } from './tls-channel.js';
export { tlsOf } from './tls-info.js';
export type { TcpModule } from './transport.js';
