// Makes .gpu-bundle/: everything needed to run the C++ tests, the benches and the Node end-to-end tests on a GPU host that
// has no network, no Node and no compiler. Copy the folder there and start its run.sh (see tools/gpu/run.sh).
//
//   node tools/gpu-bundle.mjs [--reference DIR[:PATH,PATH...]] [--without-pool] [--no-build]
//
// --reference takes reference data along (all of DIR, or only the named paths in it); --without-pool leaves the example
// models out, for hosts that have this repository (run.sh finds them there); --no-build packs what is built.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, turbo } from './turbo.mjs';

const { values: options } = parseArgs({
  options: {
    reference: { type: 'string' },
    'without-pool': { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
  },
});

const out = join(root, '.gpu-bundle');
const stage = join(out, 'stage');
const native = join(root, 'cuda-core', 'build', 'native');

function must(command, args, settings = {}) {
  const run = spawnSync(command, args, { stdio: 'inherit', ...settings });
  if (run.status !== 0) {
    process.stderr.write(`gpu-bundle: ${command} ${args.join(' ')} ended with ${run.status ?? run.error}\n`);
    process.exit(1);
  }
}

if (!options['no-build']) {
  process.env.XCORE_CUDA = 'ON';
  if (turbo(['run', 'build', '--output-logs=errors-only']) !== 0) process.exit(1);
  must(process.execPath, [join(root, 'cuda-core', 'bin', 'x-build.mjs'), join(root, 'cuda-core')]);
  must('cmake', ['-S', join(root, 'cuda-core'), '-B', native, '-DXCORE_TESTS=ON'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const jobs = String(availableParallelism());
  must('cmake', ['--build', native, '--target', 'xcore_tests', 'xcore_benches', '--parallel', jobs]);
}

rmSync(out, { recursive: true, force: true });
mkdirSync(join(stage, 'bin'), { recursive: true });

// Programs, and the scripted NVML of the monitor's tests.
for (const folder of [native, join(native, 'Release')].filter(existsSync)) {
  for (const name of readdirSync(folder)) {
    if (!/^xcore_\w+_(test|bench)$|^fake_nvml\.so$/.test(name)) continue;
    cpSync(join(folder, name), join(stage, 'bin', name));
    must('strip', [join(stage, 'bin', name)]);
  }
}

// Packages as they are published, in one node_modules; third-party dependencies beside them.
const modules = join(stage, 'node_modules');
const copied = new Set();
function install(name, from, into = modules) {
  if (copied.has(name)) return;
  copied.add(name);
  let manifest;
  for (const base of createRequire(join(from, 'package.json')).resolve.paths(name)) {
    const candidate = join(base, name, 'package.json');
    if (existsSync(candidate)) {
      manifest = realpathSync(candidate);
      break;
    }
  }
  if (!manifest) throw new Error(`${name}, a dependency of ${from}, is not installed`);
  copyPackage(dirname(manifest), join(into, name));
}
function copyPackage(folder, target) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const ours = manifest.name.startsWith('@x/');
  mkdirSync(target, { recursive: true });
  const parts = ours
    ? ['package.json', 'dist', 'prebuilds', 'bench']
    : readdirSync(folder).filter((n) => n !== 'node_modules');
  for (const part of parts)
    if (existsSync(join(folder, part))) cpSync(join(folder, part), join(target, part), { recursive: true });
  for (const name of Object.keys(manifest.dependencies ?? {})) install(name, folder);
}
for (const name of readdirSync(join(root, 'packages')))
  copyPackage(join(root, 'packages', name), join(modules, '@x', name));
const gateway = join(root, 'examples', 'gateway');
copyPackage(gateway, join(stage, 'examples', 'gateway'));
for (const name of readdirSync(join(gateway, 'pool'))) {
  if (options['without-pool'] && name.endsWith('.gguf')) continue;
  cpSync(join(gateway, 'pool', name), join(stage, 'examples', 'gateway', 'pool', name));
}
cpSync(join(root, 'tests', 'gpu'), join(stage, 'tests', 'gpu'), { recursive: true });

if (options.reference) {
  const [folder, paths] = options.reference.split(':');
  for (const path of paths ? paths.split(',') : ['.']) {
    cpSync(join(folder, path), join(stage, 'reference', path), { recursive: true });
  }
}

cpSync(realpathSync(process.execPath), join(stage, 'bin', 'node'));
must('strip', [join(stage, 'bin', 'node')]);
must('tar', ['-C', stage, '-cJf', join(out, 'bundle.tar.xz'), '.'], { env: { ...process.env, XZ_OPT: '-6 -T0' } });
rmSync(stage, { recursive: true });
cpSync(join(root, 'tools', 'gpu', 'run.sh'), join(out, 'run.sh'));
const size = statSync(join(out, 'bundle.tar.xz')).size;
process.stdout.write(
  `gpu-bundle: .gpu-bundle/ (${(size / 2 ** 20).toFixed(1)} MiB). On the GPU host: .gpu-bundle/run.sh\n`,
);
