// Cuts of the Gset through the public API: node bench/maxcut.mjs FOLDER [SECONDS] [DEVICE] [GRAPH ...] (after the build).
// FOLDER holds the graphs and best_known.csv. Prints the cut, the best known one, and when it was found. For plain
// annealing in the same run and for times to solution see `xcore_thermo_bench gset FOLDER`.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { solveMaxCut } from '@x/thermo-consensus';

const [folder, seconds = '6', device = 'cpu', ...names] = process.argv.slice(2);
if (!folder) throw new Error('usage: node bench/maxcut.mjs FOLDER [SECONDS] [DEVICE] [GRAPH ...]');

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

console.log(`${cpus()[0].model}, Node ${process.version}, ${device}, ${seconds} s a graph`);
console.log(
  '| graph | n | best known | cut | found after s | updates/ns |\n| --- | ---: | ---: | ---: | ---: | ---: |',
);
for (const name of names.length > 0 ? names : best.keys()) {
  const target = best.get(name);
  const graph = read(name);
  const run = await solveMaxCut(graph, { timeLimitMs: 1000 * Number(seconds), threads: 2, device, seed: 1, target });
  const rate = run.spinUpdates / run.timeMs / 1e6;
  const found = (run.bestTimeMs / 1000).toFixed(3);
  console.log(`| ${name} | ${graph.n} | ${target} | ${run.cut} | ${found} | ${rate.toFixed(2)} |`);
}
