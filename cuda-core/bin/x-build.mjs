#!/usr/bin/env node
// Builds the native part of an @x package from its source:  x-build <package name or folder> ...
//
// Inside the monorepo it is the `build:native` script of every package. In a user's project it is the command that a
// loader error names when no prebuilt binary fits; cmake-js and the Node-API headers are then fetched from npm into a
// temporary folder. Needs a C++17 compiler and CMake; takes CUDA along when nvcc is found.
//
// Environment, passed to CMake: XCORE_CUDA=AUTO|ON|OFF, XCORE_CUDA_ARCHS=auto|all|<list>, XCORE_MODULES=all|<list>,
// XCORE_SANITIZE=none|<list>.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const coreDir = dirname(dirname(fileURLToPath(import.meta.url)));
const platform = `${process.platform}-${process.arch}`;

function fail(message) {
  process.stderr.write(`x-build: ${message}\n`);
  process.exit(1);
}

/** The command that installs a build tool on this system. */
function installCommand() {
  if (process.platform === 'darwin') return 'xcode-select --install && brew install cmake';
  let id = '';
  try {
    id = readFileSync('/etc/os-release', 'utf8');
  } catch {}
  if (/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(id)) return 'sudo apt-get install -y g++ cmake make';
  if (/^ID(_LIKE)?=.*(fedora|rhel|centos)/m.test(id)) return 'sudo dnf install -y gcc-c++ cmake make';
  if (/^ID(_LIKE)?=.*alpine/m.test(id)) return 'sudo apk add g++ cmake make linux-headers';
  if (/^ID(_LIKE)?=.*arch/m.test(id)) return 'sudo pacman -S --needed gcc cmake make';
  return 'install a C++17 compiler (g++ or clang++), CMake 3.18 or newer and make';
}

function requireTool(command, what) {
  if (spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0) return;
  fail(`${what} (${command}) was not found. Install it with:\n\n    ${installCommand()}\n\nand run the command again.`);
}

/** Where cmake-js, node-addon-api and node-api-headers are: the workspace, or a temporary folder filled by npm. */
function buildTools(packageDir) {
  for (const from of [coreDir, packageDir]) {
    const require = createRequire(join(from, 'package.json'));
    try {
      return {
        cmakeJs: join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js'),
        addonApi: dirname(require.resolve('node-addon-api/package.json')),
        release: () => {},
      };
    } catch {}
  }
  const dir = mkdtempSync(join(tmpdir(), 'x-build-'));
  const packages = ['cmake-js@8.0.0', 'node-addon-api@8.9.2', 'node-api-headers@1.9.0'];
  process.stdout.write(`x-build: fetching ${packages.join(', ')}\n`);
  // In its folder rather than with --prefix, which would also move npm's global settings (proxies, certificates) away.
  writeFileSync(join(dir, 'package.json'), '{ "private": true }');
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
    cwd: dir,
    stdio: 'inherit',
  });
  if (npm.status !== 0) fail('npm could not fetch the build tools (see above).');
  return {
    cmakeJs: join(dir, 'node_modules', 'cmake-js', 'bin', 'cmake-js'),
    addonApi: join(dir, 'node_modules', 'node-addon-api'),
    release: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function findPackage(name) {
  if (existsSync(join(resolve(name), 'package.json'))) return resolve(name);
  for (const from of [join(process.cwd(), 'noop.js'), fileURLToPath(import.meta.url)]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {}
  }
  return fail(`package '${name}' was not found from ${process.cwd()}. Pass its name as installed here, or its folder.`);
}

function build(packageDir) {
  const manifest = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'));
  if (!existsSync(join(packageDir, 'CMakeLists.txt'))) fail(`${manifest.name} has no native part (no CMakeLists.txt).`);
  const isCore = manifest.name === '@x/cuda-core';
  const file = isCore ? 'xcore.node' : 'addon.node';
  const out = join(packageDir, 'build', 'native');
  const tools = buildTools(packageDir);
  const defines = {
    NODE_ADDON_API_DIR: tools.addonApi,
    XCORE_INCLUDE_DIR: join(coreDir, 'include'),
    XCORE_CMAKE_DIR: join(coreDir, 'cmake'),
    XCORE_VERSION: manifest.version,
  };
  // Each is passed even when it is not set, so that a setting of an earlier build does not live on in CMake's cache.
  if (isCore) {
    const settings = { XCORE_CUDA: 'AUTO', XCORE_CUDA_ARCHS: 'auto', XCORE_MODULES: 'all', XCORE_SANITIZE: 'none' };
    for (const [name, standard] of Object.entries(settings)) defines[name] = process.env[name] || standard;
  }
  const args = ['-d', packageDir, '-O', out, '--target', isCore ? 'xcore_node' : 'addon'];
  args.push('-p', String(Math.max(1, availableParallelism())));
  for (const [key, value] of Object.entries(defines)) args.push(`--CD${key}=${value}`);
  // `build` alone configures only the first time.
  let run;
  for (const command of ['configure', 'build']) {
    run = spawnSync(process.execPath, [tools.cmakeJs, command, ...args], {
      stdio: 'inherit',
      env: { ...process.env, CMAKE_NO_VERBOSE: '1' },
    });
    if (run.status !== 0) break;
  }
  tools.release();
  if (run.status !== 0) fail(`building ${manifest.name} failed (see above).`);
  const built = [join(out, 'Release', file), join(out, file)].find(existsSync);
  if (!built) fail(`the build of ${manifest.name} left no ${file} in ${out}.`);
  const target = join(packageDir, 'prebuilds', platform, file);
  mkdirSync(dirname(target), { recursive: true });
  // Through a rename: a process that has the old file mapped keeps it.
  copyFileSync(built, `${target}.new`);
  renameSync(`${target}.new`, target);
  process.stdout.write(`x-build: ${manifest.name} -> prebuilds/${platform}/${file}\n`);
}

const names = process.argv.slice(2).filter((a) => !a.startsWith('-'));
if (names.length === 0) fail('usage: x-build <package name or folder> ...');
requireTool(process.env.CXX ?? (process.platform === 'darwin' ? 'clang++' : 'g++'), 'a C++ compiler');
requireTool('cmake', 'CMake');
for (const name of names) build(findPackage(name));
