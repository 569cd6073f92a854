/** Python's `ssl`, as client and as server. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { tlsOf } from '../../src/index.js';
import { deadlineMs, echoHandlers, hasProgram, onEachBackend, run } from '../support/backends.js';
import { writeCertificates } from '../support/files.js';

const python = hasProgram('python3');

const clientProgram = `
import socket, ssl, sys
port, ca, cert, key = int(sys.argv[1]), *sys.argv[2:5]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
context.set_alpn_protocols(['a', 'b'])
session = None
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = version
    sock = socket.create_connection(('127.0.0.1', port), timeout=10)
    with context.wrap_socket(sock, server_hostname='localhost') as tls:
        sent = bytes(range(256)) * 4000
        tls.sendall(sent)
        received = b''
        while len(received) < len(sent):
            received += tls.recv(65536)
        assert received == sent
        print(tls.version(), tls.selected_alpn_protocol(), tls.compression())
        # The server's close_notify answers this one.
        raw = tls.unwrap()
        assert raw.recv(1) == b''
try:
    sock = socket.create_connection(('127.0.0.1', port), timeout=10)
    context.wrap_socket(sock, server_hostname='elsewhere.test')
except ssl.SSLCertVerificationError as error:
    print(error.verify_message)
`;

const serverProgram = `
import socket, ssl, sys
cert, key, ca = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_REQUIRED
context.set_alpn_protocols(['b'])
names = []
context.sni_callback = lambda sock, name, ctx: names.append(name)
listener = socket.create_server(('127.0.0.1', 0))
listener.settimeout(10)
print(listener.getsockname()[1], flush=True)
for _ in range(2):
    sock, _ = listener.accept()
    with context.wrap_socket(sock, server_side=True) as tls:
        data = tls.recv(65536)
        subject = dict(item[0] for item in tls.getpeercert()['subject'])
        print(tls.version(), subject['commonName'], tls.selected_alpn_protocol(), names[-1])
        tls.sendall(data.upper())
        tls.unwrap().close()
`;

onEachBackend("Python's ssl", (fixture) => {
  test.runIf(python)('a client', { timeout: deadlineMs }, async () => {
    const files = writeCertificates(fixture);
    const clients: unknown[] = [];
    const listener = await fixture.listen(
      { ALPNProtocols: ['b', 'a'], requestCert: true, ca: fixture.certificates.ca.cert },
      {
        ...echoHandlers,
        open: (connection) => clients.push(tlsOf(connection).getPeerCertificate().subject.CN),
      },
    );
    const { port } = listener.address();
    const args = [String(port), files.ca, files.clientCert, files.clientKey];
    const { code, stdout, stderr } = await run('python3', ['-c', clientProgram, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'TLSv1.2 b None',
      'TLSv1.3 b None',
      expect.stringContaining("certificate is not valid for 'elsewhere.test'"),
      '',
    ]);
    expect(clients.slice(0, 2)).toEqual(['client', 'client']);
  });

  test.runIf(python)('a server', { timeout: deadlineMs }, async () => {
    const files = writeCertificates(fixture);
    const server = spawn('python3', ['-c', serverProgram, files.cert, files.key, files.ca]);
    const exit = once(server, 'close');
    fixture.after(() => server.kill());
    let stdout = '';
    server.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    let stderr = '';
    server.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    await once(server.stdout, 'data');
    const port = Number(stdout);
    const { client } = fixture.certificates;
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const connection = await fixture.connect({ port, maxVersion, ALPNProtocols: ['a', 'b'], ...client });
      connection.write('to python');
      expect(Buffer.from((await connection.read()) ?? []).toString()).toBe('TO PYTHON');
      // Its close_notify, and then ours.
      expect(await connection.read()).toBeNull();
      await connection.close();
    }
    const [code] = await exit;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${port}\nTLSv1.2 client b localhost\nTLSv1.3 client b localhost\n`);
  });
});
