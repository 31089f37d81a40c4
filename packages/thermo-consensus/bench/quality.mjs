// Solutions and times beside plain annealing and HiGHS, everything in one run: node bench/quality.mjs
//   --cuda         cuts on the GPU as well              --budget 1    share of the times that the targets name: 0.1 is a quick look
//   --workers 0    see assignment.bench.mjs             --recorded    HiGHS's recorded figures instead of runs here
//   --seeds 3      runs of ours a graph and device
// The first part is maxcut.mjs, the second assignment.bench.mjs; see there for what the columns mean. About 9 minutes, most of
// them HiGHS's, which needs `highs` from npm (see highs.mjs) and is replaced by its recorded figures where that is absent.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { highsIsHere } from './highs.mjs';

const { values } = parseArgs({
  options: {
    cuda: { type: 'boolean' },
    budget: { type: 'string', default: '1' },
    workers: { type: 'string', default: '0' },
    recorded: { type: 'boolean' },
    seeds: { type: 'string', default: '3' },
  },
});
const budget = Number(values.budget);
if (!(budget > 0)) throw new Error(`--budget is ${values.budget}; it must be a number above 0`);
const seconds = (whole) => String(whole * budget);
const live = !values.recorded && highsIsHere();
if (!live && !values.recorded) console.log('npm highs is not here: its recorded figures stand in\n');
const here = dirname(fileURLToPath(import.meta.url));
for (const [script, ...args] of [
  [
    'maxcut.mjs',
    ...['--devices', values.cuda ? 'cpu,cuda' : 'cpu', '--seconds', `${seconds(6)},${seconds(2)}`],
    ...['--plain', seconds(6), '--seeds', values.seeds],
  ],
  [
    'assignment.bench.mjs',
    ...['--seconds', seconds(10)],
    ...(live ? ['--highs', seconds(40), '--workers', values.workers] : []),
  ],
]) {
  const run = spawnSync(process.execPath, [join(here, script), ...args], { stdio: 'inherit' });
  if (run.status !== 0) process.exit(run.status ?? 1);
  console.log();
}
