// solveAssignment on the OR-Library's instances, beside HiGHS: node bench/assignment.bench.mjs
//   --seconds 10   time limit of each instance          --threads 2     threads of ours (HiGHS has one)
//   --only d       families, comma-separated, or names  --highs 40      also run HiGHS (see highs.mjs), this many seconds
//                                                                       each; else its recorded figures
//   --workers 0    HiGHS's runs on so many threads beside ours instead of one after the other; spare cores are needed then
//   --generate 5x200:1,20x100:2   type d of these sizes and seeds instead of the library; "best known" is then the best of all
//                              runs, one of ours with another seed and --long seconds (60) among them
// Instances and the table of best known values: $X_REFERENCE_DIR, else ../shared beside the repository.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { solveAssignment } from '@x/thermo-consensus';
import { libraryInstances, typeD } from './gap-instances.mjs';
import { gapModel, highsSolver, highsWorkers } from './highs.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    highs: { type: 'string' },
    workers: { type: 'string', default: '0' },
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
const workers = Number(values.workers);
const highs = values.highs && (workers > 0 ? highsWorkers(workers) : await highsSolver());
console.log(`${cpus()[0].model}, Node ${process.version}, ${values.seconds} s, ${threads} threads, seed ${seed}`);
console.log(
  `HiGHS: ${highs ? `run here, ${values.highs} s, ${workers > 0 ? `on ${workers} threads beside` : 'in turn'}` : 'recorded (highs_results.csv, 40 s)'}\n`,
);
console.log(
  '| instance | best known | ours | bound | gap to best known | proven | s | best after s | HiGHS | its gap | its s | ours / its gap |',
);
console.log('|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|');
const peers = new Map();
if (workers > 0)
  for (const { name, problem } of instances) peers.set(name, highs(gapModel(problem()), Number(values.highs)));
const tally = { d: [0, 0], others: [0, 0], bounds: [0, 0] };
const count = (of, good) => {
  tally[of][0] += good ? 1 : 0;
  tally[of][1]++;
};
for (const { name, family = 'd', best: known, recorded, problem: make } of instances) {
  const problem = make();
  const solve = (seconds, seed) => solveAssignment(problem, { timeLimitMs: seconds * 1000, threads, seed });
  const solved = await solve(Number(values.seconds), seed);
  const peer = highs
    ? await (peers.get(name) ?? highs(gapModel(problem), Number(values.highs)))
    : (recorded ?? { objective: Number.NaN, seconds: 0 });
  let best = known;
  if (best === undefined) {
    const long = solved.status === 'optimal' ? solved : await solve(Number(values.long), seed + 1000);
    best = Math.min(...[solved.objective, long.objective, peer.objective].filter(Number.isFinite));
  }
  peer.objective = Number(peer.objective.toFixed(6)); // sums of rounded columns
  const gap = (objective) => Math.abs(objective - best) / best;
  const percent = (objective) => `${(gap(objective) * 100).toFixed(3)} %`;
  const [own, its] = [gap(solved.objective), gap(peer.objective)];
  const proven = solved.status === 'optimal';
  if (family === 'd') count('d', own <= its / 3);
  else count('others', proven || own <= 0.0002);
  count('bounds', problem.sense === 'min' ? solved.bound <= best : solved.bound >= best);
  const cells = [
    name,
    best,
    solved.objective,
    solved.bound,
    percent(solved.objective),
    proven ? 'yes' : 'no',
    (solved.timeMs / 1000).toFixed(2),
    (solved.timeToBestMs / 1000).toFixed(2),
    peer.objective,
    percent(peer.objective),
    peer.seconds.toFixed(1),
    own === 0 ? '0' : (own / its).toFixed(2),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
const share = ([good, all]) => `${good} of ${all}`;
console.log(`\ntype d, gap to the best known at most a third of HiGHS's: ${share(tally.d)}`);
console.log(`other types, proven or within 0.02 %: ${share(tally.others)}`);
console.log(`bounds that no known solution passes: ${share(tally.bounds)}`);
