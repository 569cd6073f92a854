// Makes cmake/openssl_symbols.def, the functions of OpenSSL that the addon takes from the program it is loaded into, from what
// the addon built on this machine (Linux) asks for. Windows wants the list before it links.
// With --check it writes nothing and fails when the list is out of date.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const list = fileURLToPath(new URL('../cmake/openssl_symbols.def', import.meta.url));
const addon = fileURLToPath(
  new URL(`../build/${process.platform}-${process.arch}/iocp_tls.node`, import.meta.url),
);

/** Node.js exports its symbols without a version, which those of the C and C++ libraries have. */
function symbolsOf(file) {
  const listing = execFileSync('readelf', ['--dyn-syms', '--wide', file], { encoding: 'utf8' });
  return [...listing.matchAll(/\bGLOBAL +DEFAULT +UND (\w+)$/gm)]
    .map(([, symbol]) => symbol)
    .filter((symbol) => !/^(napi|node_api)_/.test(symbol))
    .sort();
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

if (!existsSync(addon)) {
  fail(`${addon} is missing: build it with "node scripts/build-native.mjs".`);
} else {
  const text = symbolsOf(addon)
    .map((symbol) => `${symbol}\n`)
    .join('');
  if (!process.argv.includes('--check')) writeFileSync(list, text);
  else if (readFileSync(list, 'utf8') !== text)
    fail(`${list} is out of date: run "node scripts/openssl-symbols.mjs".`);
}
