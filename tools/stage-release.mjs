// Prepares a release: builds the core for every CUDA architecture, compressed, and the addons; puts the core into its platform
// package; and checks that the binaries load on the oldest systems we support.
//
//   node tools/stage-release.mjs [--check-only]
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './turbo.mjs';

// Node 20 itself asks for glibc 2.28 and GLIBCXX_3.4.21; Ubuntu 22.04, the oldest release target, has 2.35 and 3.4.30.
const LIMITS = { GLIBC: '2.35', GLIBCXX: '3.4.30', CXXABI: '1.3.13' };
const platform = `${process.platform}-${process.arch}`;
const build = join(root, 'cuda-core', 'bin', 'x-build.mjs');

function newer(a, b) {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); i++)
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) > (y[i] ?? 0);
  return false;
}

/** The newest version of each symbol set that a binary asks for, and the libraries it needs. */
function requirements(file) {
  const symbols = spawnSync('objdump', ['-T', file], { encoding: 'utf8' });
  const headers = spawnSync('objdump', ['-p', file], { encoding: 'utf8' });
  if (symbols.status !== 0) throw new Error(`objdump could not read ${file}: ${symbols.stderr}`);
  const newest = {};
  for (const [, set, version] of symbols.stdout.matchAll(/\((GLIBC|GLIBCXX|CXXABI)_([\d.]+)\)/g)) {
    if (!newest[set] || newer(version, newest[set])) newest[set] = version;
  }
  return { newest, needed: [...headers.stdout.matchAll(/NEEDED\s+(\S+)/g)].map((m) => m[1]) };
}

if (!process.argv.includes('--check-only')) {
  const env = { ...process.env, XCORE_CUDA: 'ON', XCORE_CUDA_ARCHS: 'all' };
  const folders = [
    join(root, 'cuda-core'),
    ...readdirSync(join(root, 'packages')).map((p) => join(root, 'packages', p)),
  ];
  const run = spawnSync(process.execPath, [build, ...folders], { stdio: 'inherit', env });
  if (run.status !== 0) process.exit(1);
}

const core = join(root, 'cuda-core', 'prebuilds', platform, 'xcore.node');
const binaries = [core];
for (const name of readdirSync(join(root, 'packages'))) {
  const addon = join(root, 'packages', name, 'prebuilds', platform, 'addon.node');
  if (existsSync(addon)) binaries.push(addon);
}
let failed = false;
for (const file of binaries) {
  const { newest, needed } = requirements(file);
  const problems = Object.entries(LIMITS)
    .filter(([set, limit]) => newest[set] && newer(newest[set], limit))
    .map(([set, limit]) => `${set}_${newest[set]} is newer than ${limit}`);
  const foreign = needed.filter((n) => !/^(lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s)\.so|ld-linux)/.test(n));
  if (foreign.length) problems.push(`needs ${foreign.join(', ')}`);
  if (problems.length) failed = true;
  const size = `${(statSync(file).size / 1024).toFixed(0)} KiB`;
  const versions = Object.entries(newest).map((e) => e.join('_'));
  process.stdout.write(
    `${file.slice(root.length + 1)}  ${size}  ${versions.join(' ')}  ${problems.join('; ') || 'ok'}\n`,
  );
}
if (failed) process.exit(1);
if (existsSync(core)) copyFileSync(core, join(root, 'cuda-core', 'platform', platform, 'xcore.node'));
