// What a binary asks of the system it is loaded on, read with the programs of binutils.
import { execFileSync } from 'node:child_process';

/**
 * The newest version of each library's symbols that Node.js 20 asks for itself, on x64 and arm64 ("readelf -V node"):
 * where Node.js runs, so does what needs no more than this.
 */
const newestVersions = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.9', GCC: '3.4' };

/** Libraries that Node.js asks for itself. */
const linuxLibraries = /^(lib(c|dl|gcc_s|m|pthread|stdc\+\+)\.so\.\d|ld-linux-.*)$/;

/** Libraries of every Windows that Node.js runs on; node.exe is the program that loads the addon. */
const windowsLibraries = new Set([
  'iphlpapi.dll',
  'kernel32.dll',
  'msvcrt.dll',
  'mswsock.dll',
  'node.exe',
  'ws2_32.dll',
]);

function read(program, args) {
  return execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 * 1024 * 1024,
  });
}

function isNewer(version, limit) {
  const parts = version.split('.').map(Number);
  const limits = limit.split('.').map(Number);
  for (let index = 0; index < Math.max(parts.length, limits.length); index += 1) {
    const difference = (parts[index] ?? 0) - (limits[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** What a binary for the target asks for and not every system has that Node.js runs on: symbols and libraries. */
export function missingOnSomeSystems(target, file) {
  return target.startsWith('win32-')
    ? unknownDlls(file)
    : [...unknownLibraries(file), ...tooNewSymbols(file)];
}

/** Symbols that are newer than those Node.js asks for, for example "pthread_create@GLIBC_2.34". */
function tooNewSymbols(file) {
  const listing = read('readelf', ['--dyn-syms', '--wide', file]);
  const symbols = new Set();
  for (const [, symbol, library, version] of listing.matchAll(/\bUND (\w+)@+([A-Z]+)_(\S+)/g)) {
    const limit = newestVersions[library];
    if (limit === undefined || isNewer(version, limit)) symbols.add(`${symbol}@${library}_${version}`);
  }
  return [...symbols];
}

function unknownLibraries(file) {
  const listing = read('readelf', ['--dynamic', '--wide', file]);
  const names = [...listing.matchAll(/\(NEEDED\).*\[(\S+)\]/g)].map(([, name]) => name);
  return names.filter((name) => !linuxLibraries.test(name));
}

function unknownDlls(file) {
  const listing = read('x86_64-w64-mingw32-objdump', ['--private-headers', file]);
  const names = [...listing.matchAll(/^\s*DLL Name: (\S+)/gim)].map(([, name]) => name);
  return names.filter((name) => !windowsLibraries.has(name.toLowerCase()));
}
