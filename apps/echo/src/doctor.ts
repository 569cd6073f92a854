import { release } from 'node:os';
import { CompletionPort, type RejectedBackend } from '@iocp/core';
import { engineInfo } from '@iocp/tls';
import type { Command } from 'commander';
import type { Backend } from './options.js';
import { readSystemLimits, type SystemLimits } from './system-facts.js';
import { describeError } from './user-error.js';

interface BackendReport {
  readonly backend: string;
  readonly available: boolean;
  readonly features: readonly string[];
  /** Why it is not available, and what to do. */
  readonly reason?: string;
  readonly hint?: string;
}

interface TlsReport {
  /** What a program that asks for nothing gets, or undefined when that does not work. */
  readonly engine: string | undefined;
  readonly chosenBy: 'IOCP_TLS_ENGINE' | 'auto';
  /** The library behind it, with its version. */
  readonly library?: string;
  /** Why it is not the native engine, and what to do. */
  readonly reason?: string;
  readonly hint?: string;
}

interface DoctorReport {
  readonly healthy: boolean;
  /** What `backend: 'auto'` takes here, or undefined when nothing works. */
  readonly backend: string | undefined;
  readonly chosenBy: 'IOCP_BACKEND' | 'auto';
  readonly kernel: string;
  readonly node: string;
  readonly platform: string;
  readonly backends: readonly BackendReport[];
  readonly tls: TlsReport;
  readonly limits: SystemLimits;
  readonly advice: readonly string[];
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('say which backend and which TLS engine run here, and why others do not')
    .description(
      'Tries each backend for real, shows the limits of this system that matter to a server, and says what to\n' +
        'change where something is missing. Exits 0 when a program that asks for nothing gets a backend and TLS, else 1.',
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  $ iocp-echo doctor\n  $ iocp-echo doctor --json | jq .backend\n')
    .action(async (options: { json?: true }) => {
      const report = await examine();
      process.stdout.write(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : describe(report));
      process.exitCode = report.healthy ? 0 : 1;
    });
}

const platformBackends: Partial<Record<NodeJS.Platform, readonly Exclude<Backend, 'auto'>[]>> = {
  linux: ['io_uring', 'epoll', 'node'],
  win32: ['iocp', 'node'],
};

async function examine(): Promise<DoctorReport> {
  const backends: BackendReport[] = [];
  for (const backend of platformBackends[process.platform] ?? ['node'])
    backends.push(await tryBackend(backend));
  const chosen = await openDefault();
  const tls = examineTls();
  const limits = readSystemLimits();
  const advice = adviceFor(backends, tls, limits);
  if (chosen.failure !== undefined) advice.unshift(chosen.failure);
  return {
    healthy: chosen.backend !== undefined && tls.engine !== undefined,
    backend: chosen.backend,
    chosenBy: process.env.IOCP_BACKEND ? 'IOCP_BACKEND' : 'auto',
    kernel: release(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    backends,
    tls,
    limits,
    advice,
  };
}

async function tryBackend(backend: Exclude<Backend, 'auto'>): Promise<BackendReport> {
  try {
    const port = new CompletionPort({ backend });
    const { features } = port.info;
    await port.close();
    return { backend, available: true, features };
  } catch (error) {
    return { backend, available: false, features: [], ...whyNot(error, backend) };
  }
}

/** The cause of a failed opening lists what was tried. */
function whyNot(error: unknown, backend: string): { reason: string; hint?: string } {
  const { cause } = error as { cause?: { rejected?: readonly RejectedBackend[] } };
  const rejection = cause?.rejected?.find((each) => each.backend === backend || each.backend === 'addon');
  if (rejection === undefined) return { reason: firstSentence(describeError(error)) };
  const { code, reason, hint } = rejection;
  return { reason: `${code}, ${reason}`, ...(hint !== '' && { hint }) };
}

function firstSentence(text: string): string {
  return text.split(/\.\s/, 1)[0] ?? text;
}

/** What a program that asks for nothing gets, with IOCP_BACKEND as it is set now. */
async function openDefault(): Promise<{ backend?: string; failure?: string }> {
  try {
    const port = new CompletionPort();
    const { backend } = port.info;
    await port.close();
    return { backend };
  } catch (error) {
    return { failure: describeError(error) };
  }
}

/** What `IOCP_TLS_ENGINE`, as it is set now, makes of TLS. */
function examineTls(): TlsReport {
  const chosenBy = process.env.IOCP_TLS_ENGINE ? 'IOCP_TLS_ENGINE' : 'auto';
  try {
    const { engine, library, rejected } = engineInfo();
    return { engine, chosenBy, library, ...(rejected && whyNotNative(rejected)) };
  } catch (error) {
    const { cause } = error as { cause?: Error };
    return { engine: undefined, chosenBy, ...whyNotNative(cause ?? (error as Error)) };
  }
}

function whyNotNative(error: Error): { reason: string; hint?: string } {
  const { code, hint } = error as { code?: string; hint?: string };
  const reason = `${code === undefined ? '' : `${code}, `}${firstSentence(describeError(error))}`;
  return { reason, ...(hint && { hint }) };
}

/** Fewer descriptors than this is little for a server. */
const descriptorsWanted = 10_000;
const backlogWanted = 1024;

function adviceFor(backends: readonly BackendReport[], tls: TlsReport, limits: SystemLimits): string[] {
  const advice: string[] = [];
  const missing = backends.filter(({ available, hint }) => !available && hint !== undefined);
  for (const hint of new Set(missing.map((each) => each.hint))) {
    const names = missing.filter((each) => each.hint === hint).map(({ backend }) => backend);
    advice.push(`${names.join(', ')}: ${hint}`);
  }
  if (tls.hint !== undefined) advice.push(`TLS engine native: ${tls.hint}`);
  if (limits.descriptorsHard !== undefined && limits.descriptorsHard < descriptorsWanted) {
    advice.push(
      `Each connection takes a descriptor: raise the limit of ${limits.descriptorsHard} (ulimit -Hn, LimitNOFILE=)`,
    );
  }
  if (limits.backlogMax !== undefined && limits.backlogMax < backlogWanted) {
    advice.push(
      `Bursts of connections are cut at ${limits.backlogMax}: raise it with: sysctl net.core.somaxconn=4096`,
    );
  }
  return advice;
}

function describe(report: DoctorReport): string {
  const lines = [
    report.backend === undefined
      ? `The backend that ${report.chosenBy} asks for does not work here.`
      : `This machine runs on ${report.backend} (chosen by ${report.chosenBy}).`,
    '',
    row('Node.js', report.node),
    row('Platform', report.platform),
    row('Kernel', report.kernel),
    '',
    'Backends',
    ...report.backends.map(describeBackend),
    '',
    'TLS',
    ...describeTls(report.tls),
    '',
    'Limits',
    ...describeLimits(report.limits),
  ];
  if (report.advice.length > 0) lines.push('', 'What to do', ...report.advice.map((text) => `  - ${text}`));
  return `${lines.join('\n')}\n`;
}

function describeBackend({ backend, available, features, reason }: BackendReport): string {
  const state = available ? 'available' : 'not available';
  const details = available ? features.join(', ') : (reason ?? '');
  return row(backend, details === '' ? state : `${state}: ${details}`);
}

function describeTls({ engine, chosenBy, library, reason }: TlsReport): string[] {
  const chosen = engine === undefined ? 'none' : `${engine}: ${library}`;
  const engineRow = row('Engine', `${chosen} (chosen by ${chosenBy})`);
  return reason === undefined ? [engineRow] : [engineRow, row('native', `not available: ${reason}`)];
}

function describeLimits(limits: SystemLimits): string[] {
  const { descriptorsSoft, descriptorsHard, lockedMemoryBytes, ephemeralPorts } = limits;
  const ioUringDisabled = ['0 (allowed)', '1 (only for a group and administrators)', '2 (nobody may use it)'];
  return [
    row(
      'Open descriptors',
      descriptorsSoft && `${count(descriptorsSoft)} now, ${count(descriptorsHard)} at most`,
    ),
    row(
      'Locked memory',
      lockedMemoryBytes &&
        (Number.isFinite(lockedMemoryBytes) ? `${count(lockedMemoryBytes)} bytes` : 'no limit'),
    ),
    row('Accept queue', limits.backlogMax && `${count(limits.backlogMax)} connections (net.core.somaxconn)`),
    row('Outgoing ports', ephemeralPorts && `${ephemeralPorts[0]} to ${ephemeralPorts[1]}`),
    row(
      'io_uring_disabled',
      limits.ioUringDisabled === undefined ? undefined : ioUringDisabled[limits.ioUringDisabled],
    ),
    row(
      'Filter (seccomp)',
      limits.systemCallFilter === undefined ? undefined : limits.systemCallFilter ? 'in force' : 'none',
    ),
  ];
}

function row(name: string, value: string | number | undefined): string {
  return `  ${name.padEnd(18)} ${value ?? 'unknown'}`;
}

function count(value: number | undefined): string {
  if (value === undefined) return 'unknown';
  return Number.isFinite(value) ? value.toLocaleString('en-US') : 'no limit';
}
