// Tells CMake, as NAME=VALUE lines, where the headers are: those of the running Node.js, node-api-headers (and its list of
// the Node-API) and node-addon-api. Arguments are the headers of Node.js that have to be there, for example uv.h.
// What is missing is said in one line on stderr, and the exit code is 1.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const version = process.versions.node;
const env = process.env;
const needed = process.argv.slice(2);

class Missing extends Error {}

/** Folders that may hold the headers, with the reason for looking there; most explicit first. */
function headerCandidates() {
  const candidates = [];
  const add = (source, ...parts) => {
    if (parts.every(Boolean)) candidates.push({ source, dir: path.join(...parts) });
  };
  const beside = (executable) => path.join(path.dirname(executable), '..');
  const include = path.join('include', 'node');

  add('NODE_HEADERS_DIR', env.NODE_HEADERS_DIR);
  add('npm_config_nodedir', env.npm_config_nodedir ?? env.NPM_CONFIG_NODEDIR, include);
  add('beside node', beside(process.execPath), include);
  add('beside the real node', beside(fs.realpathSync(process.execPath)), include);
  add('prefix node was built for', process.config.variables.node_prefix, include);
  const gypCaches = [
    env.npm_config_devdir,
    path.join(os.homedir(), '.cache', 'node-gyp'),
    path.join(os.homedir(), 'Library', 'Caches', 'node-gyp'),
    path.join(env.LOCALAPPDATA ?? path.join(os.homedir(), 'AppData', 'Local'), 'node-gyp', 'Cache'),
  ];
  for (const cache of gypCaches) add('node-gyp cache', cache, version, include);
  return candidates;
}

/** The major version a folder of headers is for, or 0 when it holds none, or not those that are needed. */
function headersMajor(dir) {
  try {
    for (const header of needed) fs.accessSync(path.join(dir, header));
    const text = fs.readFileSync(path.join(dir, 'node_version.h'), 'utf8');
    return Number(/^#define NODE_MAJOR_VERSION (\d+)/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Headers of the running major version when there are any; else whatever was found: the ABI of what we use is stable. */
function findNodeHeaders() {
  const found = headerCandidates()
    .map((candidate) => ({ ...candidate, major: headersMajor(candidate.dir) }))
    .filter((candidate) => candidate.major > 0);
  const running = Number(version.split('.')[0]);
  const best = found.find((candidate) => candidate.major === running) ?? found[0];
  if (best === undefined) {
    throw new Missing(
      `The headers of Node.js ${version} (${needed}) were not found: run "npx node-gyp install", or set NODE_HEADERS_DIR to the folder that holds them, and build again.`,
    );
  }
  return best;
}

/** The folder of an npm package that only a build from source needs; found from here or from where npm was started. */
function findPackage(name) {
  const paths = [__dirname, process.cwd(), ...(env.INIT_CWD ? [env.INIT_CWD] : [])];
  try {
    return path.dirname(require.resolve(`${name}/package.json`, { paths }));
  } catch {
    throw new Missing(
      `${name} is missing: a build from source needs it, install it with "npm install --save-dev ${name}".`,
    );
  }
}

try {
  const headers = findNodeHeaders();
  const lines = {
    NODE_HEADERS: headers.dir,
    NODE_HEADERS_SOURCE: headers.source,
    NODE_API_HEADERS: path.join(findPackage('node-api-headers'), 'include'),
    NODE_API_DEF: path.join(findPackage('node-api-headers'), 'def', 'node_api.def'),
    NODE_ADDON_API: findPackage('node-addon-api'),
  };
  for (const [name, value] of Object.entries(lines)) console.log(`${name}=${value.replaceAll('\\', '/')}`);
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
