// Solutions and times beside plain annealing and HiGHS, everything in one run: node bench/quality.mjs [--cuda] [--highs 40]
// The first part is maxcut.mjs, the second assignment.bench.mjs; see there for what the columns mean. About 8 minutes, and
// 40 more with HiGHS run here, 40 s on each instance, instead of its recorded figures.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { cuda: { type: 'boolean' }, highs: { type: 'string' } } });
const here = dirname(fileURLToPath(import.meta.url));
for (const [script, ...args] of [
  ['maxcut.mjs', '--devices', values.cuda ? 'cpu,cuda' : 'cpu'],
  ['assignment.bench.mjs', ...(values.highs ? ['--highs', values.highs] : [])],
]) {
  const run = spawnSync(process.execPath, [join(here, script), ...args], { stdio: 'inherit' });
  if (run.status !== 0) process.exit(run.status ?? 1);
  console.log();
}
