import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { memoryPerConnection, timedResults, warnings } from '../src/bench/results.js';
import {
  idleScenarios,
  protocols,
  type Scenario,
  shortName,
  timedScenarios,
} from '../src/bench/scenarios.js';
import { serverKinds } from '../src/bench/servers.js';
import { run } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'iocp-echo-'));
afterAll(() => rmSync(folder, { recursive: true }));

const scenario = timedScenarios.tcp[0] ?? expect.fail('no scenarios');

function measurement(serverCpuNanoseconds: number) {
  return {
    messages: 1000,
    lost: 0,
    seconds: 0.01,
    serverCpuNanoseconds,
    serverSystemShare: 0.8,
    loadCpuNanoseconds: 5_000_000,
    latencyMicroseconds: { p50: 10, p99: 20, max: 30 },
  };
}

describe('results', () => {
  it('are medians, spreads and ratios', () => {
    const rounds = new Map([
      ['io-uring', [5, 9, 6].map((us) => measurement(us * 1_000_000))],
      ['node-net', [9, 12, 10].map((us) => measurement(us * 1_000_000))],
      ['c-io-uring', [4, 5].map((us) => measurement(us * 1_000_000))],
    ]);
    const [ours, nodeNet, inC] = timedResults(scenario, rounds).servers;
    expect(ours?.cpuMicrosecondsPerMessage).toMatchObject({
      median: 6,
      lowest: 5,
      highest: 9,
      rounds: [5, 9, 6],
    });
    expect(ours).toMatchObject({ costToNode: 0.6, costToC: 6 / 4.5 });
    expect(ours?.messagesPerSecond.median).toBe(100_000);
    expect(nodeNet?.costToNode).toBe(1);
    expect(inC?.cpuMicrosecondsPerMessage.median).toBe(4.5);
  });

  it('have no ratio to what did not run, and warn of servers that were not busy', () => {
    const result = timedResults(scenario, new Map([['io-uring', [measurement(5_000_000)]]]));
    expect(result.servers[0]).not.toHaveProperty('costToC');
    expect(warnings(result)).toEqual([expect.stringMatching(/64 B x 50.*io-uring \(busy 50 %, load 50 %\)/)]);
    expect(warnings(timedResults(scenario, new Map([['io-uring', [measurement(9_500_000)]]])))).toEqual([]);
  });

  it('tell of datagrams that were lost', () => {
    const lossy = { ...measurement(9_500_000), lost: 1 };
    const result = timedResults(scenario, new Map([['io-uring', [lossy]]]));
    expect(warnings(result)).toEqual([expect.stringMatching(/64 B x 50.*io-uring \(0\.100 %\)/)]);
  });

  it('count memory per connection above what there was before', () => {
    const sample = (bytes: number) => ({ residentBytes: bytes, proportionalBytes: bytes / 2 });
    expect(memoryPerConnection(sample(1000), sample(3000), 4)).toEqual(sample(500));
  });
});

const sources = fileURLToPath(new URL('../native-bench/', import.meta.url));
const hasCompiler = spawnSync('cc', ['--version']).status === 0;

/** Without its headers there is no load generator for TLS, and so no benchmark. */
const hasOpenssl =
  spawnSync('cc', ['-fsyntax-only', '-x', 'c', '-'], { input: '#include <openssl/ssl.h>' }).status === 0;
if (!hasOpenssl && process.env.IOCP_TEST_REQUIRE_PROGRAMS)
  throw new Error('the headers of OpenSSL are missing: libssl-dev');

describe.skipIf(!hasCompiler)('the programs in C', () => {
  const names = ['echo_epoll.c', 'echo_io_uring.c', 'echo_udp.c'];
  if (hasOpenssl) names.push('echo_tls.c', 'load_tls.c');
  it.each(names)('%s compiles without a warning', (name) => {
    const warnings = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wconversion', '-Werror'];
    const args = ['-std=c11', '-O2', ...warnings, '-fsyntax-only', join(sources, name)];
    expect(spawnSync('cc', args, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});

// It reads /proc.
describe.skipIf(process.platform !== 'linux')('bench --quick', () => {
  const measured = protocols.filter((protocol) => protocol !== 'tls' || hasOpenssl);
  it.each(measured)('%s: measures every server in every scenario', { timeout: 60_000 }, async (protocol) => {
    const file = join(folder, `${protocol}.json`);
    const { code, stdout, stderr } = await run(['bench', protocol, '--quick', '--json', file]);
    expect(stderr).toMatch(/^\[1\/\d+\] 64 B x 50 /);
    expect(code, stderr).toBe(0);
    const results = JSON.parse(readFileSync(file, 'utf8'));
    const left = results.notes.flatMap(
      (note: string) => /^left out: (.*?):/.exec(note)?.[1]?.split(', ') ?? [],
    );
    const kinds = serverKinds.filter((kind) => kind.protocol === protocol && !left.includes(kind.id));
    const expected = (kind: Scenario['kind']) =>
      kinds.filter(({ only }) => only === undefined || only.some((one) => one === kind)).map(({ id }) => id);
    expect(expected('messages')).toContain('epoll');
    expect(results.scenarios.map((each: { scenario: Scenario }) => each.scenario)).toEqual(
      timedScenarios[protocol],
    );
    expect('idle' in results).toBe(idleScenarios[protocol] !== undefined);
    for (const { servers, scenario } of [...results.scenarios, ...(results.idle ? [results.idle] : [])]) {
      expect(
        servers.map(({ server }: { server: string }) => server),
        shortName(scenario),
      ).toEqual(expected(scenario.kind));
    }
    for (const { servers } of results.scenarios) {
      for (const { cpuMicrosecondsPerMessage, messagesPerSecond } of servers) {
        expect(cpuMicrosecondsPerMessage.median).toBeGreaterThan(0);
        expect(messagesPerSecond.median).toBeGreaterThan(0);
      }
    }
    for (const { name } of kinds) expect(stdout).toContain(`│ ${name} `);
  });

  it('says so when a server is not one of the protocol', async () => {
    const { code, stderr } = await run(['bench', 'udp', '--quick', '--server', 'node-net']);
    expect(stderr).toMatch(/no such server for udp/);
    expect(code).toBe(1);
  });

  it('takes scenarios and servers by name', { timeout: 60_000 }, async () => {
    const args = ['bench', '--quick', '--scenario', '16Kx20', '--server', 'epoll', 'node-net'];
    const { code, stdout, stderr } = await run(args);
    expect(code, stderr).toBe(0);
    expect(stdout.match(/^│ (iocp|node|C)/gm)).toHaveLength(2);
  });
});
