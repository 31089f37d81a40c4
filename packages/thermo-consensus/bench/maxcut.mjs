// solveMaxCut on the Gset beside plain annealing, in one run: node bench/maxcut.mjs (after the build)
//   --folder DIR   graphs and best_known.csv; default $X_REFERENCE_DIR, else ../shared beside the repository
//   --devices cpu,cuda   default cpu                  --seconds 6,2      time limit on each of them
//   --seeds 3      runs of ours a graph and device    --threads 2        of ours on the CPU
//   --plain 6      seconds of plain annealing a graph, half with runs of 1000 and half with runs of 5000 sweeps; 0: none
//   --only G22,G32
// TTS99: time after which reaching the best known cut is 99 % certain. Of plain annealing t ln(0.01) / ln(1 - p); of ours, whose
// runs stop at the cut and may be cut off anywhere, the least of that formula over all t, p being the share of the runs that
// had reached it by then (over one run more than there were). For many seeds see `xcore_thermo_bench gset`.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { solveMaxCut } from '@x/thermo-consensus';
import { plainAnnealing } from './plain-annealing.mjs';

const { values } = parseArgs({
  options: {
    folder: { type: 'string' },
    devices: { type: 'string', default: 'cpu' },
    seconds: { type: 'string', default: '6,2' },
    seeds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    plain: { type: 'string', default: '6' },
    only: { type: 'string' },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const shared = process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared');
const folder = values.folder ?? join(shared, 'reference', 'optimisation', 'gset');
const limits = values.seconds.split(',').map(Number);
const devices = values.devices.split(',').map((name, k) => ({ name, seconds: limits[Math.min(k, limits.length - 1)] }));
const seeds = Number(values.seeds);
const threads = Number(values.threads);
const plainSeconds = Number(values.plain);

const best = new Map(
  readFileSync(join(folder, 'best_known.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
    .map((cells) => [cells[0], Number(cells[5])]),
);

function read(name) {
  const [n, m, ...rest] = readFileSync(join(folder, `${name}.txt`), 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  const edges = new Int32Array(2 * m);
  const weights = new Float64Array(m);
  for (let k = 0; k < m; k++) {
    edges[2 * k] = rest[3 * k] - 1;
    edges[2 * k + 1] = rest[3 * k + 1] - 1;
    weights[k] = rest[3 * k + 2];
  }
  return { n, edges, weights };
}

const certain = (t, p) => t * Math.max(1, Math.log(0.01) / Math.log(1 - p));

/** Of runs that stopped at the target or at their limit. */
function ttsOf(runs) {
  const hits = runs.filter((r) => r.hit).map((r) => r.seconds);
  hits.sort((a, b) => a - b);
  return Math.min(...hits.map((t, k) => certain(t, (k + 1) / (runs.length + 1))));
}

function cells(runs, seconds) {
  const hits = runs.filter((r) => r.hit).length;
  const mean = runs.reduce((sum, r) => sum + r.seconds, 0) / runs.length;
  return [
    `${Math.max(...runs.map((r) => r.cut))} (${hits}/${runs.length})`,
    mean.toFixed(3),
    hits > 0 ? ttsOf(runs).toFixed(3) : `>${certain(seconds, 1 / (runs.length + 1)).toFixed(1)}`,
  ];
}

console.log(`${cpus()[0].model}, Node ${process.version}, ${threads} threads on the CPU`);
const columns = devices.flatMap(({ name, seconds }) => [`${name}, ${seconds} s (hits)`, 'mean s', 'TTS99 s']);
const plainColumns = plainSeconds > 0 ? ['plain annealing (hits)', 'updates/ns', 'TTS99 s'] : [];
const all = ['graph', 'n', 'best known', ...plainColumns, ...columns];
console.log(`| ${all.join(' | ')} |\n|${all.map((_, k) => (k === 0 ? ' --- |' : ' ---: |')).join('')}`);
// The driver starts, and kernels are loaded, with the first call of a process; that belongs to no graph.
const triangles = {
  n: 300,
  edges: Int32Array.from({ length: 1200 }, (_, k) => (7 * (k >> 1) + (k & 1 ? 1 + (k % 5) : 0)) % 300),
};
for (const { name: device } of devices)
  if (device !== 'cpu') await solveMaxCut(triangles, { timeLimitMs: 300, device });

const names = values.only?.split(',') ?? [...best.keys()];
const summary = devices.map(() => ({ reached: 0, faster: 0 }));
for (const name of names) {
  const target = best.get(name);
  const graph = read(name);
  const row = [name, graph.n, target];
  let plainTts = Number.POSITIVE_INFINITY;
  if (plainSeconds > 0) {
    const both = [1000, 5000].map((sweeps) => plainAnnealing(graph, target, sweeps, plainSeconds / 2));
    const found = both.reduce((a, b) => (b.tts < a.tts || (b.tts === a.tts && b.best > a.best) ? b : a));
    row.push(`${found.best} (${found.hits}/${found.runs})`, found.updatesANs.toFixed(3));
    row.push(found.hits > 0 ? found.tts.toFixed(2) : '–');
    plainTts = found.tts;
  }
  for (const [k, { name: device, seconds }] of devices.entries()) {
    const runs = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const start = performance.now();
      const run = await solveMaxCut(graph, { timeLimitMs: 1000 * seconds, threads, device, seed, target });
      runs.push({ cut: run.cut, hit: run.targetReached, seconds: (performance.now() - start) / 1000 });
    }
    row.push(...cells(runs, seconds));
    summary[k].reached += runs.some((r) => r.hit) ? 1 : 0;
    summary[k].faster += ttsOf(runs) <= plainTts / 2 ? 1 : 0;
  }
  console.log(`| ${row.join(' | ')} |`);
}
for (const [k, { name }] of devices.entries()) {
  console.log(`\n${name}: best known cut reached on ${summary[k].reached} of ${names.length} graphs`);
  if (plainSeconds > 0)
    console.log(
      `${name}: TTS99 at most half of plain annealing's (or plain annealing without a hit) on ${summary[k].faster}`,
    );
}
