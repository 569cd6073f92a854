/**
 * Conformance suites, an in-memory network, faults and leak checks for what is built on `@iocp/core/layer`.
 * @packageDocumentation
 */

export { captureUncaught } from './capture-uncaught.js';
export type { KeyAlgorithm } from './certificates/keys.js';
export {
  type CertificateOptions,
  type Credentials,
  makeCertificate,
} from './certificates/make-certificate.js';
export { makePfx } from './certificates/make-pfx.js';
export { makeRevocationList } from './certificates/make-revocation-list.js';
export { type TestCertificates, testCertificates } from './certificates/test-certificates.js';
export { ChannelProbe, type ProbeOptions, type ProbeWrite } from './channel-probe.js';
export {
  byteByByte,
  concatenate,
  everySplitInTwo,
  pattern,
  patternAt,
  type RandomSplitOptions,
  randomSplit,
  splitAt,
  withBitFlipped,
} from './chunkings.js';
export { assertSameBytes } from './conformance/channel/base.js';
export { channelSuite } from './conformance/channel/index.js';
export type { ChannelPair, ChannelSource, ChannelTraits } from './conformance/channel/setup.js';
export { soakSuite } from './conformance/channel/soak.js';
export { datagramSuite } from './conformance/datagram/index.js';
export type { DatagramOpenOptions, DatagramSource, DatagramTraits } from './conformance/datagram/setup.js';
export { driverSuite } from './conformance/driver/index.js';
export type { Core, DriverFixture, DriverTraits } from './conformance/driver/scene.js';
export { assertCoded, type EngineSubject, engineSuite } from './conformance/engine.js';
export { layerSuite } from './conformance/layer/index.js';
export type { LayerPair, LayerTraits } from './conformance/layer/setup.js';
export {
  type SilentAddress,
  type TransportFixture,
  type TransportTraits,
  transportSuite,
} from './conformance/listener.js';
export { tlsEngineSuite } from './conformance/tls/index.js';
export { TlsParty } from './conformance/tls/party.js';
export { TlsConnection, type TlsConnectOptions, TlsScene } from './conformance/tls/scene.js';
export type {
  TlsContextOptions,
  TlsEngineEvents,
  TlsEngineMaker,
  TlsEnginePair,
  TlsEngineSubject,
  TlsEngineTraits,
  TlsHandshakeOptions,
  TlsHello,
  TlsSubjectFacts,
  TlsTestContext,
  TlsVersion,
} from './conformance/tls/subject.js';
export type { Carry, WireOptions } from './conformance/tls/wire.js';
export {
  binary as binaryFrame,
  close as closeFrame,
  type FrameForm,
  type FrameToSend,
  more as continuationFrame,
  ping as pingFrame,
  text as textFrame,
} from './conformance/websocket/frame.js';
export { webSocketSuite } from './conformance/websocket/index.js';
export { openAsClient as openWebSocketPeer } from './conformance/websocket/opening.js';
export { type Cut, type Outgoing, type PeerEvent, WebSocketPeer } from './conformance/websocket/peer.js';
export type {
  DeflateSetUp,
  SubjectConnection,
  SubjectOptions,
  WebSocketSubject,
  WebSocketTraits,
} from './conformance/websocket/subject.js';
export { type WorkerSubject, workerSuite } from './conformance/worker.js';
export {
  DatagramProbe,
  type DatagramProbeOptions,
  type ProbeDatagram,
  type ReceivedDatagram,
} from './datagram/datagram-probe.js';
export {
  type FaultyDatagramChannel,
  type FaultyDatagramOptions,
  faultyDatagramChannel,
} from './datagram/faulty-datagram-channel.js';
export type { DatagramFaultCounts, DatagramFaultOptions } from './datagram/faulty-path.js';
export type {
  MemoryDatagramChannel,
  MemoryDatagramChannelOptions,
} from './datagram/memory-datagram-channel.js';
export {
  type MemoryDatagramBindOptions,
  type MemoryDatagramNetwork,
  type MemoryDatagramNetworkOptions,
  memoryDatagramNetwork,
} from './datagram/memory-datagram-network.js';
export { cutChannel, type FaultOptions, FaultyChannel, faultless, faultyLayer } from './faulty-channel.js';
export {
  assertNoLeaks,
  type LeakCheckOptions,
  type LeakSource,
  type LeakStats,
  type ResourceSnapshot,
  resourceSnapshot,
} from './leak-check.js';
export { POISON } from './lent-memory.js';
export type { MemoryChannel } from './memory-channel.js';
export { MemoryNetwork, type MemoryNetworkOptions, type MemoryPair, memoryPair } from './memory-network.js';
export { chooseSeed, Random, SEED_VARIABLE, withSeed } from './prng.js';
export { itWith, type TestRunner, type TestSetup } from './runner.js';
export { Transcript } from './transcript.js';
export { nextTurn, turns, whenQuiet, withDeadline } from './turns.js';
