// solveAssignment on the OR-Library's instances, beside HiGHS: node bench/assignment.bench.mjs
//   --seconds 10   time limit of each instance          --threads 2     threads of ours (HiGHS has one)
//   --only d       families, comma-separated            --highs 40      also run HiGHS (npm install --no-save highs),
//                                                                       this many seconds each; else its recorded figures
// Instances and the table of best known values: $X_REFERENCE_DIR, else ../shared beside the repository.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { solveAssignment } from '@x/thermo-consensus';
import { gapModel, highsSolver } from './highs.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    highs: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const folder = join(process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared'), 'reference', 'optimisation', 'gap');
if (!existsSync(folder)) throw new Error(`the reference data is not there: ${folder}`);
const table = (name) => {
  const [head, ...lines] = readFileSync(join(folder, name), 'utf8').trim().split(/\r?\n/);
  const columns = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [columns[i], cell])));
};
const recorded = new Map(table('highs_results.csv').map((row) => [row.instance, row]));

function read(name) {
  const numbers = readFileSync(join(folder, `${name}.txt`), 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  const [agents, jobs] = numbers;
  const pairs = agents * jobs;
  const at = (from, length) => Float64Array.from(numbers.slice(from, from + length));
  return { agents, jobs, costs: at(2, pairs), loads: at(2 + pairs, pairs), capacities: at(2 + 2 * pairs, agents) };
}

const highs = values.highs ? await highsSolver() : undefined;
console.log(
  `${cpus()[0].model}, Node ${process.version}, ${values.seconds} s, ${values.threads} threads, seed ${values.seed}`,
);
console.log(`HiGHS: ${highs ? `run here, ${values.highs} s` : 'recorded (highs_results.csv, 40 s)'}\n`);
console.log(
  '| instance | best known | ours | bound | gap to best known | proven | s | best after s | HiGHS | its gap | its s |',
);
console.log('|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|');
for (const row of table('best_known.csv')) {
  const letter = row.family.replace('gap', '').replace(/^\d+$/, '1');
  if (values.only && !values.only.split(',').includes(letter)) continue;
  const problem = { sense: row.sense, ...read(row.instance) };
  const best = Number(row.best_known);
  const solved = await solveAssignment(problem, {
    timeLimitMs: Number(values.seconds) * 1000,
    threads: Number(values.threads),
    seed: Number(values.seed),
  });
  const gap = (objective) => `${((Math.abs(objective - best) / best) * 100).toFixed(3)} %`;
  let peer = {
    objective: Number(recorded.get(row.instance)?.highs_obj),
    seconds: Number(recorded.get(row.instance)?.seconds),
  };
  if (highs) peer = highs(gapModel(problem), Number(values.highs));
  const cells = [
    row.instance,
    best,
    solved.objective,
    solved.bound,
    gap(solved.objective),
    solved.status === 'optimal' ? 'yes' : 'no',
    (solved.timeMs / 1000).toFixed(2),
    (solved.timeToBestMs / 1000).toFixed(2),
    peer.objective,
    gap(peer.objective),
    peer.seconds.toFixed(1),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
