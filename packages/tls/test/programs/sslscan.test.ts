/** What a scanner finds in the default server: nothing weak. */

import { expect, test } from 'vitest';
import { deadlineMs, echoHandlers, hasProgram, onEachBackend, run } from '../support/backends.js';

const sslscan = hasProgram('sslscan');

/** The suites that a default server has: authenticated encryption, and keys that nobody can find out later. */
const strongSuite =
  /^(TLS_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA\d+|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA\d+|CHACHA20-POLY1305))$/;

onEachBackend('sslscan', (fixture) => {
  test.runIf(sslscan).each(['server', 'serverRsa'] as const)(
    'finds nothing weak (certificate: %s)',
    { timeout: deadlineMs },
    async (which) => {
      const { cert, key } = fixture.certificates[which];
      const listener = await fixture.listen({ cert, key }, echoHandlers);
      const target = `127.0.0.1:${listener.address().port}`;
      const { code, stdout } = await run('sslscan', ['--no-colour', '--sni-name=localhost', target]);
      expect(code).toBe(0);
      const versions = [...stdout.matchAll(/^(SSLv\d|TLSv1\.\d) +(enabled|disabled)$/gm)];
      expect(versions.map(([, version, state]) => `${version} ${state}`)).toEqual([
        'SSLv2 disabled',
        'SSLv3 disabled',
        'TLSv1.0 disabled',
        'TLSv1.1 disabled',
        'TLSv1.2 enabled',
        'TLSv1.3 enabled',
      ]);
      const suites = [...stdout.matchAll(/^(?:Preferred|Accepted) +(TLSv1\.\d) +\d+ bits +(\S+)/gm)];
      expect(suites.filter(([, version]) => version === 'TLSv1.3').length).toBeGreaterThan(0);
      expect(suites.filter(([, version]) => version === 'TLSv1.2').length).toBeGreaterThan(0);
      expect(suites.map(([, , suite]) => suite).filter((suite) => !strongSuite.test(suite ?? ''))).toEqual(
        [],
      );
      expect(stdout).toContain('Server supports TLS Fallback SCSV');
      expect(stdout).toContain('Session renegotiation not supported');
      expect(stdout).not.toMatch(/Compression enabled/i);
      const heartbleed = [...stdout.matchAll(/^(TLSv1\.\d) (.*)heartbleed$/gm)];
      expect(heartbleed.map(([, version, finding]) => `${version} ${finding}`.trim())).toEqual([
        'TLSv1.3 not vulnerable to',
        'TLSv1.2 not vulnerable to',
      ]);
      expect(stdout).toMatch(/Signature Algorithm: (ecdsa-with-SHA256|sha256WithRSAEncryption)/);
    },
  );
});
