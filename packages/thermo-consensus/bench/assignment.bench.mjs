// solveAssignment on the OR-Library's instances, beside HiGHS: node bench/assignment.bench.mjs
//   --seconds 10   time limit of each instance          --threads 2     threads of ours (HiGHS has one)
//   --only d       families, comma-separated, or names  --highs 40      also run HiGHS (npm install --no-save highs),
//                                                                       this many seconds each; else its recorded figures
//   --generate 5x200:1,20x100:2   type d of these sizes and seeds instead of the library; "best known" is then the best of all
//                              runs, one of ours with another seed and --long seconds (60) among them
// Instances and the table of best known values: $X_REFERENCE_DIR, else ../shared beside the repository.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { solveAssignment } from '@x/thermo-consensus';
import { libraryInstances, typeD } from './gap-instances.mjs';
import { gapModel, highsSolver } from './highs.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    highs: { type: 'string' },
    generate: { type: 'string' },
    long: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const threads = Number(values.threads);
const seed = Number(values.seed);
const only = values.only?.split(',');
const instances = values.generate
  ? values.generate.split(',').map((name) => ({ name, problem: () => typeD(name) }))
  : libraryInstances().filter(({ name, family }) => !only || only.includes(family) || only.includes(name));
const highs = values.highs ? await highsSolver() : undefined;
console.log(`${cpus()[0].model}, Node ${process.version}, ${values.seconds} s, ${threads} threads, seed ${seed}`);
console.log(`HiGHS: ${highs ? `run here, ${values.highs} s` : 'recorded (highs_results.csv, 40 s)'}\n`);
console.log(
  '| instance | best known | ours | bound | gap to best known | proven | s | best after s | HiGHS | its gap | its s | ours / its gap |',
);
console.log('|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|');
for (const { name, best: known, recorded, problem: make } of instances) {
  const problem = make();
  const solve = (seconds, seed) => solveAssignment(problem, { timeLimitMs: seconds * 1000, threads, seed });
  const solved = await solve(Number(values.seconds), seed);
  const peer = highs ? highs(gapModel(problem), Number(values.highs)) : (recorded ?? { objective: NaN, seconds: 0 });
  let best = known;
  if (best === undefined) {
    const long = solved.status === 'optimal' ? solved : await solve(Number(values.long), seed + 1000);
    best = Math.min(...[solved.objective, long.objective, peer.objective].filter(Number.isFinite));
  }
  const gap = (objective) => Math.abs(objective - best) / best;
  const percent = (objective) => `${(gap(objective) * 100).toFixed(3)} %`;
  const [own, its] = [gap(solved.objective), gap(peer.objective)];
  const cells = [
    name,
    best,
    solved.objective,
    solved.bound,
    percent(solved.objective),
    solved.status === 'optimal' ? 'yes' : 'no',
    (solved.timeMs / 1000).toFixed(2),
    (solved.timeToBestMs / 1000).toFixed(2),
    peer.objective,
    percent(peer.objective),
    peer.seconds.toFixed(1),
    own === 0 ? '0' : (own / its).toFixed(2),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
