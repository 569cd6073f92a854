// How the packages with an addon build it, from the repository and where they are installed. Node built-ins only: this
// runs before anything is installed.
export { buildAddon } from './build-addon.mjs';
export { buildPrebuilds } from './build-prebuilds.mjs';
export { crossTarget, emulated, hasNativeBackend, hostTarget, prebuiltTargets } from './targets.mjs';
export { missingBuildTools } from './tools.mjs';
