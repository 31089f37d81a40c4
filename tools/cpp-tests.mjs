// Builds and runs the C++ tests in the core's build folder (the library is compiled once for Node and for the tests):
//   node tools/cpp-tests.mjs [module ...]
// Counts go to cuda-core/.test/, one GoogleTest JSON file a module. Without GoogleTest it says how to get it and ends well, unless
// X_REQUIRE_GTEST=1.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const core = join(dirname(dirname(fileURLToPath(import.meta.url))), 'cuda-core');
const build = join(core, 'build', 'native');
const results = join(core, '.test');
const modules = process.argv.slice(2);

function run(command, args, options = {}) {
  return spawnSync(command, args, { stdio: 'inherit', ...options }).status ?? 1;
}

const gtestFound = [
  '/usr/include/gtest/gtest.h',
  '/usr/local/include/gtest/gtest.h',
  '/opt/homebrew/include/gtest/gtest.h',
].some(existsSync);
if (!gtestFound) {
  process.stdout.write(
    'SKIPPED C++ TESTS: GoogleTest is not installed. Install it: sudo apt-get install -y libgtest-dev\n',
  );
  process.exit(process.env.X_REQUIRE_GTEST === '1' ? 1 : 0);
}
if (!existsSync(join(build, 'CMakeCache.txt')) && run(process.execPath, [join(core, 'bin', 'x-build.mjs'), core]) !== 0)
  process.exit(1);
mkdirSync(results, { recursive: true });
for (const file of readdirSync(results)) if (/^(gtest|skipped)-/.test(file)) rmSync(join(results, file));

if (run('cmake', ['-S', core, '-B', build, '-DXCORE_TESTS=ON'], { stdio: ['ignore', 'ignore', 'inherit'] }) !== 0)
  process.exit(1);
const targets = modules.length ? modules.map((m) => `xcore_${m}_test`) : ['xcore_tests'];
if (run('cmake', ['--build', build, '--target', ...targets, '--parallel', String(availableParallelism())]) !== 0)
  process.exit(1);

const folders = [build, join(build, 'Release')].filter(existsSync);
const programs = folders.flatMap((f) =>
  readdirSync(f)
    .filter((n) => /^xcore_\w+_test$/.test(n))
    .map((n) => join(f, n)),
);
// Runs one program, shows what it says, and keeps the reasons of skipped tests: GoogleTest's JSON leaves them out.
async function test(program, module) {
  const child = spawn(program, ['--gtest_brief=1', `--gtest_output=json:${join(results, `gtest-${module}.json`)}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const reasons = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const reason = /^SKIPPED (.*)/.exec(line)?.[1];
    if (reason) reasons[reason] = (reasons[reason] ?? 0) + 1;
    else if (!/: Skipped$/.test(line)) process.stdout.write(`${line}\n`);
  }
  for (const [reason, count] of Object.entries(reasons)) process.stdout.write(`SKIPPED ${count} test(s): ${reason}\n`);
  writeFileSync(join(results, `skipped-${module}.json`), JSON.stringify(reasons));
  return child.exitCode ?? (await new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1))));
}

let failed = 0;
for (const program of programs) {
  const module = /xcore_(\w+)_test$/.exec(program)[1];
  if (modules.length && !modules.includes(module)) continue;
  process.stdout.write(`\n--- C++ tests: ${module}\n`);
  const status = await test(program, module);
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
