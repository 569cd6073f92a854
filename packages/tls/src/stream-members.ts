/** What `tls.TLSSocket` tells of its connection, for any Node stream whose channel has TLS among its layers. */

import type { X509Certificate } from 'node:crypto';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
} from 'node:tls';
import type { ChannelInfo } from '@iocp/core/layer';

/** Read where the channel's `info` has them; each is nothing, as in Node, where it has not. */
class TlsMembers {
  declare readonly info: ChannelInfo;

  get encrypted(): boolean {
    return true;
  }

  get authorized(): boolean {
    return this.info.tls?.authorized ?? false;
  }

  /** The code of the reason, as in Node. */
  get authorizationError(): string | null {
    return this.info.tls?.authorizationError?.code ?? null;
  }

  get alpnProtocol(): string | false | null {
    return this.info.tls?.alpnProtocol ?? null;
  }

  get servername(): string | false | null {
    return this.info.tls?.servername ?? null;
  }

  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerCertificate(detailed = false): PeerCertificate | DetailedPeerCertificate {
    return this.info.tls?.getPeerCertificate(detailed) ?? ({} as PeerCertificate);
  }

  getPeerX509Certificate(): X509Certificate | undefined {
    return this.info.tls?.getPeerX509Certificate();
  }

  getCertificate(): PeerCertificate | Record<string, never> {
    return this.info.tls?.getCertificate() ?? {};
  }

  getX509Certificate(): X509Certificate | undefined {
    return this.info.tls?.getX509Certificate();
  }

  getProtocol(): string | null {
    return this.info.tls?.protocol ?? null;
  }

  getCipher(): CipherNameAndProtocol | undefined {
    return this.info.tls?.cipher ?? undefined;
  }

  getEphemeralKeyInfo(): EphemeralKeyInfo | Record<string, never> {
    return this.info.tls?.getEphemeralKeyInfo() ?? {};
  }

  getSharedSigalgs(): string[] {
    return this.info.tls?.getSharedSigalgs() ?? [];
  }

  getSession(): Buffer | undefined {
    return this.info.tls?.getSession();
  }

  getTLSTicket(): Buffer | undefined {
    return this.info.tls?.getTLSTicket();
  }

  isSessionReused(): boolean {
    return this.info.tls?.sessionReused ?? false;
  }

  getFinished(): Buffer | undefined {
    return this.info.tls?.getFinished();
  }

  getPeerFinished(): Buffer | undefined {
    return this.info.tls?.getPeerFinished();
  }
}

const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(TlsMembers.prototype);

/** For `Channel.streamMembers` of TLS channels. */
export const tlsStreamMembers: PropertyDescriptorMap = members;

export type TlsStreamMembers = Omit<TlsMembers, 'info'>;
