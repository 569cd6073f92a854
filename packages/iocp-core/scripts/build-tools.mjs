// What a build from source needs on the machine. Node built-ins only: this runs before anything is installed.
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const executableSuffixes = process.platform === 'win32' ? ['.exe', '.cmd', '.bat'] : [''];

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isOnPath(program) {
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.some((folder) =>
    executableSuffixes.some((suffix) => isExecutable(join(folder, program + suffix))),
  );
}

/** One line per missing tool, each saying what to install; empty when the addon can be built. */
export function missingBuildTools() {
  // Visual Studio's compiler is found by CMake itself, not on PATH.
  const compilers = [process.env.CXX?.split(' ')[0], 'c++', 'g++', 'clang++'].filter(Boolean);
  const tools = [
    { name: 'cmake', programs: ['cmake'], debian: 'cmake' },
    { name: 'a C++20 compiler', programs: compilers, debian: 'g++', unixOnly: true },
    { name: 'make (or ninja)', programs: ['ninja', 'make', 'gmake'], debian: 'make', unixOnly: true },
  ];
  return tools
    .filter((tool) => !(tool.unixOnly && process.platform === 'win32'))
    .filter((tool) => !tool.programs.some(isOnPath))
    .map((tool) => `${tool.name} is missing: install it, e.g. "apt-get install ${tool.debian}".`);
}
