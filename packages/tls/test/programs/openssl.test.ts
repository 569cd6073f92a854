/** OpenSSL's command line, as client and as server. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type TlsListenOptions, tlsOf } from '../../src/index.js';
import {
  codeOf,
  deadlineMs,
  type Fixture,
  hasProgram,
  onEachBackend,
  run,
  textOf,
} from '../support/backends.js';
import { type CertificateFiles, writeCertificates } from '../support/files.js';

const openssl = hasProgram('openssl', 'version');
const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const flagOf = { 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' } as const;

/** Answers a line in capitals, with what is known of the client, and ends. */
async function serve(fixture: Fixture, options?: TlsListenOptions) {
  const clients: ReturnType<typeof factsOf>[] = [];
  const listener = await fixture.listen(options, {
    data(connection, bytes) {
      clients.push(factsOf(connection));
      connection.end(Buffer.from(bytes).toString().toUpperCase());
    },
  });
  return { listener, clients, port: listener.address().port };
}

function factsOf(connection: Parameters<typeof tlsOf>[0]) {
  const facts = tlsOf(connection);
  return {
    protocol: facts.protocol,
    alpn: facts.alpnProtocol,
    servername: facts.servername,
    reused: facts.sessionReused,
    authorized: facts.authorized,
    client: facts.getPeerCertificate().subject?.CN,
  };
}

/** Connects with `openssl s_client`, sends a line, and reads to the end. */
function client(port: number, files: CertificateFiles, args: readonly string[] = [], line = 'hello') {
  const trust = ['-CAfile', files.ca, '-verify_return_error', '-verify_hostname', 'localhost'];
  const all = ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...trust, ...args];
  return run('openssl', all, { input: `${line}\n` });
}

/** `openssl s_server` that turns every line around. */
class ReversingServer {
  readonly #process: ChildProcess;
  output = '';

  private constructor(files: CertificateFiles, args: readonly string[]) {
    const own = ['-cert', files.cert, '-key', files.key];
    const all = ['s_server', '-accept', '127.0.0.1:0', '-rev', ...own, ...args];
    this.#process = spawn('openssl', all, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    }
  }

  static async start(fixture: Fixture, files: CertificateFiles, args: readonly string[] = []) {
    const server = new ReversingServer(files, args);
    fixture.after(async () => {
      const exit = once(server.#process, 'exit');
      server.#process.kill();
      await exit;
    });
    return { server, port: await server.#port() };
  }

  async #port(): Promise<number> {
    for (;;) {
      const found = /ACCEPT .*:(\d+)/.exec(this.output);
      if (found !== null) return Number(found[1]);
      await once(this.#process.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    }
  }
}

onEachBackend('openssl s_client', (fixture) => {
  const opensslTest = (name: string, body: () => Promise<void>) =>
    test.runIf(openssl)(name, { timeout: deadlineMs }, body);

  for (const version of versions) {
    opensslTest(`${version}, with a name and a certificate that is verified`, async () => {
      const files = writeCertificates(fixture);
      const { port, clients } = await serve(fixture);
      const { code, stdout } = await client(port, files, [flagOf[version], '-servername', 'localhost']);
      expect(stdout).toContain('HELLO\n');
      expect(stdout).toContain('Verify return code: 0 (ok)');
      expect(stdout).toContain('Compression: NONE');
      expect(code).toBe(0);
      expect(clients).toMatchObject([{ protocol: version, servername: 'localhost', reused: false }]);
    });

    opensslTest(`${version}, a session is resumed`, async () => {
      const files = writeCertificates(fixture);
      const { port, clients } = await serve(fixture);
      const session = join(files.folder, 'session');
      const first = await client(port, files, [flagOf[version], '-sess_out', session]);
      expect(first.stdout).toContain('New, ');
      const second = await client(port, files, [flagOf[version], '-sess_in', session]);
      expect(second.stdout).toContain('Reused, ');
      expect(second.stdout).toContain('HELLO\n');
      expect(clients.map(({ reused }) => reused)).toEqual([false, true]);
    });

    opensslTest(`${version}, the certificate of a client`, async () => {
      const files = writeCertificates(fixture);
      const { port, clients, listener } = await serve(fixture, {
        requestCert: true,
        ca: fixture.certificates.ca.cert,
      });
      const own = ['-cert', files.clientCert, '-key', files.clientKey];
      const known = await client(port, files, [flagOf[version], ...own]);
      expect(known.stdout).toContain('HELLO\n');
      expect(clients).toMatchObject([{ authorized: true, client: 'client' }]);
      const unknown = await client(port, files, [flagOf[version]]);
      expect(unknown.stdout).not.toContain('HELLO');
      expect(unknown.code).toBe(1);
      expect(listener.stats.handshakesFailed).toBe(1);
    });
  }

  opensslTest('ALPN', async () => {
    const files = writeCertificates(fixture);
    const { port, clients } = await serve(fixture, { ALPNProtocols: ['b', 'a'] });
    const chosen = await client(port, files, ['-alpn', 'a,b']);
    expect(chosen.stdout).toContain('ALPN protocol: b');
    const none = await client(port, files, []);
    expect(none.stdout).toContain('No ALPN negotiated');
    const refused = await client(port, files, ['-alpn', 'c']);
    expect(refused.stderr).toMatch(/no application protocol/);
    expect(clients.map(({ alpn }) => alpn)).toEqual(['b', false]);
  });

  opensslTest('certificates by name', async () => {
    const files = writeCertificates(fixture);
    const { otherHost, wildcard } = fixture.certificates;
    const { port } = await serve(fixture, {
      servernames: { 'other.test': otherHost, '*.example.test': wildcard },
    });
    const named = async (name: string) =>
      (await client(port, files, ['-servername', name, '-verify_hostname', name])).code;
    expect(await named('other.test')).toBe(0);
    expect(await named('a.example.test')).toBe(0);
    expect(await named('localhost')).toBe(0);
    expect(await named('nobody.test')).toBe(1);
  });

  opensslTest('older versions are refused', async () => {
    const files = writeCertificates(fixture);
    const { port } = await serve(fixture);
    for (const flag of ['-tls1', '-tls1_1']) {
      const { code, stderr } = await client(port, files, [flag, '-cipher', 'ALL@SECLEVEL=0']);
      expect(stderr).toMatch(/alert protocol version|unsupported protocol/);
      expect(code).toBe(1);
    }
  });

  opensslTest('renegotiation is refused', async () => {
    const files = writeCertificates(fixture);
    const { port, clients } = await serve(fixture);
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', files.ca, '-tls1_2'];
    const asking = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    const said = new Promise<void>((resolve) => {
      for (const stream of [asking.stdout, asking.stderr]) {
        stream.on('data', (data: Buffer) => {
          output += data.toString();
          if (/no.renegotiation/.test(output)) resolve();
        });
      }
    });
    // A command, as long as its input is open.
    asking.stdin.write('R\n');
    await said;
    expect(output).toContain('RENEGOTIATING');
    expect(clients).toEqual([]);
    asking.stdin.end();
    await once(asking, 'exit');
  });

  opensslTest('keys are updated, in one direction and in both', async () => {
    const files = writeCertificates(fixture);
    const listener = await fixture.listen(undefined, {
      data: (connection, bytes) => connection.write(Buffer.from(bytes).toString().toUpperCase()),
      end: (connection) => connection.end(),
    });
    const args = ['s_client', '-connect', `127.0.0.1:${listener.address().port}`, '-CAfile', files.ca];
    const asking = spawn('openssl', [...args, '-tls1_3'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    const untilSaid = async (text: string) => {
      while (!output.includes(text)) await once(asking, 'said');
    };
    for (const stream of [asking.stdout, asking.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data.toString();
        asking.emit('said');
      });
    }
    // A single k updates the client's own keys, a K those of the server, too.
    for (const [round, command] of ['k', 'K', 'K', 'k'].entries()) {
      asking.stdin.write(`${command}\n`);
      await untilSaid('KEYUPDATE');
      output = '';
      asking.stdin.write(`text ${round}\n`);
      await untilSaid(`TEXT ${round}\n`);
    }
    asking.stdin.end();
    await once(asking, 'exit');
    expect(output).not.toMatch(/error/i);
  });

  opensslTest('an OCSP response is stapled', async () => {
    const files = writeCertificates(fixture);
    // The status of a response without a body: tryLater (RFC 6960 section 4.2.1).
    const { port } = await serve(fixture, { ocspResponse: () => Buffer.from('30030a0103', 'hex') });
    const { stdout } = await client(port, files, ['-status']);
    expect(stdout).toMatch(/OCSP Response Status: trylater/);
  });
});

onEachBackend('openssl s_server', (fixture) => {
  const opensslTest = (name: string, body: () => Promise<void>) =>
    test.runIf(openssl)(name, { timeout: deadlineMs }, body);

  for (const version of versions) {
    opensslTest(`${version}, and a session is resumed`, async () => {
      const files = writeCertificates(fixture);
      const { port } = await ReversingServer.start(fixture, files, [flagOf[version]]);
      const sessions: Buffer[] = [];
      const talk = async (session?: Buffer) => {
        const connection = await fixture.connect({ port, session, onSession: (each) => sessions.push(each) });
        expect(tlsOf(connection)).toMatchObject({ protocol: version, authorized: true });
        connection.write('stressed\n');
        expect(Buffer.from((await connection.read()) ?? []).toString()).toBe('desserts\n');
        await connection.close();
        return tlsOf(connection).sessionReused;
      };
      expect(await talk()).toBe(false);
      expect(sessions.length).toBeGreaterThan(0);
      expect(await talk(sessions.at(-1))).toBe(true);
    });

    opensslTest(`${version}, the certificate of a client`, async () => {
      const files = writeCertificates(fixture);
      const asking = ['-Verify', '1', '-CAfile', files.ca, '-verify_return_error'];
      const { port } = await ReversingServer.start(fixture, files, [flagOf[version], ...asking]);
      const { client: own, clientOfOtherCa } = fixture.certificates;
      const known = await fixture.connect({ port, ...own });
      known.write('live\n');
      expect(Buffer.from((await known.read()) ?? []).toString()).toBe('evil\n');
      await known.close();
      // With TLS 1.3 the refusal comes when the client has connected already.
      const unknown = fixture.connect({ port, ...clientOfOtherCa }).then(textOf);
      expect(await codeOf(unknown)).toMatch(/^ERR_SSL_.*ALERT_UNKNOWN_CA$/);
    });
  }

  opensslTest('ALPN and SNI', async () => {
    const files = writeCertificates(fixture);
    const choosing = await ReversingServer.start(fixture, files, ['-alpn', 'b,a']);
    const offering = await fixture.connect({ port: choosing.port, ALPNProtocols: ['a', 'b'] });
    expect(tlsOf(offering).alpnProtocol).toBe('b');
    await offering.close();
    const named = ['-servername', 'localhost', '-servername_fatal', '-cert2', files.cert, '-key2', files.key];
    const strict = await ReversingServer.start(fixture, files, named);
    await (await fixture.connect({ port: strict.port })).close();
    const wrong = fixture.connect({ port: strict.port, servername: 'a.test' });
    expect(await codeOf(wrong)).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  });

  opensslTest('a server that speaks only TLS 1.1', async () => {
    const files = writeCertificates(fixture);
    const { port } = await ReversingServer.start(fixture, files, ['-tls1_1', '-cipher', 'ALL@SECLEVEL=0']);
    expect(await codeOf(fixture.connect({ port }))).toMatch(
      /^ERR_SSL_(UNSUPPORTED_PROTOCOL|TLSV1_ALERT_PROTOCOL_VERSION)$/,
    );
  });
});
