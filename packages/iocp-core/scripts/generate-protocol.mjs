// Makes native/core/protocol.gen.h and src/protocol.gen.ts from protocol/protocol.mjs.
// With --check it writes nothing and fails when either file is out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as protocol from '../protocol/protocol.mjs';

const groups = [
  ['Operation', 'Op', protocol.OPERATIONS],
  ['SubmitFlag', 'SubmitFlag', protocol.SUBMIT_FLAGS],
  ['CompleteFlag', 'CompleteFlag', protocol.COMPLETE_FLAGS],
  ['SubmissionHeader', 'SubmissionHeader', protocol.SUBMISSION_HEADER],
  ['CompletionHeader', 'CompletionHeader', protocol.COMPLETION_HEADER],
  ['SubmissionWord', 'SubmissionWord', protocol.SUBMISSION_WORDS],
  ['SegmentWord', 'SegmentWord', protocol.SEGMENT_WORDS],
  ['OutgoingWord', 'OutgoingWord', protocol.OUTGOING_WORDS],
  ['OutgoingFlag', 'OutgoingFlag', protocol.OUTGOING_FLAGS],
  ['IncomingWord', 'IncomingWord', protocol.INCOMING_WORDS],
  ['IncomingFlag', 'IncomingFlag', protocol.INCOMING_FLAGS],
  ['CompletionWord', 'CompletionWord', protocol.COMPLETION_WORDS],
  ['ShutdownDirection', 'ShutdownDirection', protocol.SHUTDOWN_DIRECTIONS],
  ['Limit', 'Limit', protocol.LIMITS],
];
const notice = 'Generated from protocol/protocol.mjs by scripts/generate-protocol.mjs. Do not edit.';

function pascal(name) {
  return name.toLowerCase().replace(/(^|_)([a-z0-9])/g, (_, __, letter) => letter.toUpperCase());
}

function header() {
  const lines = [`// ${notice}`, '#pragma once', '', '#include <cstdint>', '', 'namespace iocp {', ''];
  lines.push(`inline constexpr int kRecordWords = ${protocol.RECORD_WORDS};`);
  lines.push(`inline constexpr int kHeaderWords = ${protocol.HEADER_WORDS};`, '');
  for (const [name, , entries] of groups) {
    if (name === 'Operation') {
      lines.push('enum class OpCode : std::uint8_t {');
      for (const [key, [value, text]] of Object.entries(entries))
        lines.push(`  ${pascal(key)} = ${value},  // ${text}`);
      lines.push('};', `inline constexpr int kOpCodeCount = ${Object.keys(entries).length};`, '');
      continue;
    }
    lines.push(`namespace ${name.replace(/[A-Z]/g, (c, i) => (i ? '_' : '') + c.toLowerCase())} {`);
    for (const [key, [value, text]] of Object.entries(entries)) {
      lines.push(`inline constexpr std::int32_t k${pascal(key)} = ${value};  // ${text}`);
    }
    lines.push('}', '');
  }
  lines.push(
    "/// Error numbers, Linux's on every platform. Results carry them negated.",
    'namespace error_number {',
  );
  for (const [number, name, text] of protocol.ERRORS)
    lines.push(`inline constexpr std::int32_t k${name} = ${number};  // ${text}`);
  lines.push('}', '', '/// The POSIX name of an error number, or "UNKNOWN".');
  lines.push(
    '[[nodiscard]] constexpr const char* error_name(std::int32_t number) noexcept {',
    '  switch (number) {',
  );
  for (const [number, name] of protocol.ERRORS) lines.push(`    case ${number}:`, `      return "${name}";`);
  lines.push('    default:', '      return "UNKNOWN";', '  }', '}', '');
  lines.push(
    '/// What an error number means, in words, or null when it is not one of ours.',
    '[[nodiscard]] constexpr const char* error_text(std::int32_t number) noexcept {',
    '  switch (number) {',
  );
  for (const [number, , text] of protocol.ERRORS)
    lines.push(`    case ${number}:`, `      return "${text}";`);
  lines.push('    default:', '      return nullptr;', '  }', '}', '', '}  // namespace iocp', '');
  return lines.join('\n');
}

function typescript() {
  const lines = [`// ${notice}`, '', `export const RECORD_WORDS = ${protocol.RECORD_WORDS};`];
  lines.push(`export const HEADER_WORDS = ${protocol.HEADER_WORDS};`, '');
  for (const [name, , entries] of groups) {
    lines.push(`export const ${name} = {`);
    for (const [key, [value, text]] of Object.entries(entries))
      lines.push(`  /** ${text} */`, `  ${key}: ${value},`);
    lines.push('} as const;', `export type ${name} = (typeof ${name})[keyof typeof ${name}];`, '');
  }
  lines.push('/** Error number to name and advice. */');
  lines.push('export const ERRORS: ReadonlyMap<number, readonly [name: string, advice: string]> = new Map([');
  for (const [number, name, text] of protocol.ERRORS) lines.push(`  [${number}, ['${name}', '${text}']],`);
  lines.push(']);', '');
  return lines.join('\n');
}

let stale = false;
for (const [file, text] of [
  ['../native/core/protocol.gen.h', header()],
  ['../src/protocol.gen.ts', typescript()],
]) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (process.argv.includes('--check')) {
    console.error(`${file} is out of date: run "node scripts/generate-protocol.mjs"`);
    stale = true;
  } else writeFileSync(path, text);
}
process.exit(stale ? 1 : 0);
