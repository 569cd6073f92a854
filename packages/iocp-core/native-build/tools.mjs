// What a build from source needs on the machine. Node built-ins only: this runs before anything is installed.
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { crossTarget, hasNativeBackend, hostTarget } from './targets.mjs';

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

/**
 * One line per missing tool, each saying what to install; empty when addons can be built.
 * @param target what to build for; nothing is missing where there is nothing native to build
 * @param emulated whether what is built has to run here too
 */
export function missingBuildTools(target = hostTarget, emulated = false) {
  if (!hasNativeBackend(target)) return [];
  const tools = [{ name: 'cmake', programs: ['cmake'], debian: 'cmake' }];
  // Visual Studio's compiler and build program are found by CMake itself, not on PATH.
  if (process.platform !== 'win32') {
    tools.push({ name: 'make (or ninja)', programs: ['ninja', 'make', 'gmake'], debian: 'make' });
    tools.push(...compilers(target, emulated));
  }
  return tools
    .filter((tool) => !tool.programs.some(isOnPath))
    .map((tool) => `${tool.name} is missing: install it, e.g. "apt-get install ${tool.debian}".`);
}

function compilers(target, emulated) {
  const cross = crossTarget(target);
  if (cross === undefined) {
    const programs = [process.env.CXX?.split(' ')[0], 'c++', 'g++', 'clang++'].filter(Boolean);
    return [{ name: 'a C++20 compiler', programs, debian: 'g++' }];
  }
  const needed = emulated ? [cross.compiler, cross.emulator] : [cross.compiler];
  return needed.map(({ program, debian }) => ({ name: program, programs: [program], debian }));
}
