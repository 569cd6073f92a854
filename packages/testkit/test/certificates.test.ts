/** The certificates are what they say, for the TLS of Node.js. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, type TestCertificates, testCertificates } from '../src/index.js';

let made: TestCertificates;
beforeAll(async () => {
  made = await testCertificates();
});

/** Code of the client's refusal, or undefined; and the subject the server saw. */
async function handshake(
  server: TlsOptions,
  client: ConnectionOptions = {},
): Promise<{ refused: string | undefined; seen: string | undefined; authorized: boolean | undefined }> {
  const listener = createServer(server).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  let accepted: TLSSocket | undefined;
  listener.on('secureConnection', (socket: TLSSocket) => {
    accepted = socket;
    socket.on('error', () => {});
    socket.end('done');
  });
  const { port } = listener.address() as { port: number };
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: made.ca.cert, ...client });
  try {
    await once(socket.resume(), 'end');
    const names = accepted?.getPeerCertificate().subject as { CN: string } | undefined;
    return { refused: undefined, seen: names?.CN, authorized: accepted?.authorized };
  } catch (error) {
    return { refused: (error as NodeJS.ErrnoException).code, seen: undefined, authorized: undefined };
  } finally {
    socket.destroy();
    accepted?.destroy();
    listener.close();
  }
}

const accepted = { refused: undefined };

describe('testCertificates', () => {
  it('makes them once', async () => {
    expect(await testCertificates()).toBe(made);
  });

  it('a server with each of the good ones is accepted', async () => {
    const { server, serverRsa, chained, encrypted, pfx } = made;
    for (const options of [server, serverRsa, { ...chained, cert: chained.chain }, encrypted, pfx]) {
      expect(await handshake(options)).toMatchObject(accepted);
    }
  });

  it('keys are of the kind that is asked for', () => {
    const kind = ({ cert }: { cert: string }) => new X509Certificate(cert).publicKey.asymmetricKeyType;
    expect(kind(made.server)).toBe('ec');
    expect(kind(made.serverRsa)).toBe('rsa');
    expect(new X509Certificate(made.server.cert).publicKey.asymmetricKeyDetails?.namedCurve).toBe(
      'prime256v1',
    );
  });

  it('a server with one of the others is refused for what is wrong with it', async () => {
    const refusal = async (options: TlsOptions, client?: ConnectionOptions) =>
      (await handshake(options, client)).refused;
    expect(await refusal(made.otherHost)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await refusal(made.expired)).toBe('CERT_HAS_EXPIRED');
    expect(await refusal(made.notYetValid)).toBe('CERT_NOT_YET_VALID');
    expect(await refusal(made.selfSigned)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(await refusal(made.unknownIssuer)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await refusal({ ...made.chained })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await refusal(made.client)).toBe('INVALID_PURPOSE');
    expect(await refusal(made.revoked, { crl: made.crl })).toBe('CERT_REVOKED');
    expect(await refusal(made.revoked)).toBeUndefined();
    expect(await refusal(made.server, { crl: made.crl })).toBeUndefined();
  });

  it('the wildcard is for one label', async () => {
    const host = (servername: string) => handshake(made.wildcard, { servername });
    expect(await host('www.example.test')).toMatchObject(accepted);
    expect((await host('a.www.example.test')).refused).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('a client is known by its own', async () => {
    const server = { ...made.server, ca: made.ca.cert, requestCert: true, rejectUnauthorized: false };
    expect(await handshake(server, made.client)).toMatchObject({ seen: 'client', authorized: true });
    expect(await handshake(server, made.clientOfOtherCa)).toMatchObject({
      seen: 'client',
      authorized: false,
    });
  });
});

describe('makeCertificate', () => {
  it('signs itself for names and addresses', async () => {
    const self = await makeCertificate({ names: ['a.test', '*.b.test', '192.0.2.1', '2001:db8::1'] });
    const certificate = new X509Certificate(self.cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.subject).toBe('CN=a.test');
    expect(certificate.checkHost('www.b.test')).toBe('*.b.test');
    expect(certificate.checkIP('192.0.2.1')).toBe('192.0.2.1');
    expect(certificate.checkIP('2001:db8::1')).toBe('2001:db8::1');
    expect(certificate.ca).toBe(false);
  });

  it('gives each a number of its own', async () => {
    const numbers = await Promise.all(
      Array.from({ length: 5 }, async () => new X509Certificate((await makeCertificate()).cert).serialNumber),
    );
    expect(new Set(numbers).size).toBe(5);
    expect(numbers.every((number) => number.length === 32)).toBe(true);
  });
});
