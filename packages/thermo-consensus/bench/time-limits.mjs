// How well solveMaxCut keeps its time limit: node bench/time-limits.mjs [--devices cpu,cuda] [--sizes 2000,20000,100000]
// Random graphs of degree 20, weights ±1. A cell is the largest of three calls' time beyond the limit, in milliseconds, of the call
// as a whole as JavaScript sees it; the driver's start is left out by a call made before.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { solveMaxCut } from '@x/thermo-consensus';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: 'cpu' },
    sizes: { type: 'string', default: '2000,20000,100000' },
    limits: { type: 'string', default: '50,200,1000' },
  },
});
let state = 1;
const draw = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
function randomGraph(n) {
  const edges = new Int32Array(20 * n);
  for (let k = 0; k < edges.length; k += 2) {
    edges[k] = Math.floor(draw() * n);
    edges[k + 1] = (edges[k] + 1 + Math.floor(draw() * (n - 1))) % n;
  }
  return { n, edges, weights: Float64Array.from({ length: 10 * n }, () => (draw() < 0.5 ? -1 : 1)) };
}

const limits = values.limits.split(',').map(Number);
console.log(`${cpus()[0].model}, Node ${process.version}`);
console.log(`| device | n | ${limits.map((l) => `${l} ms: late by | cut`).join(' | ')} |`);
console.log(`| --- | ---: |${limits.map(() => ' ---: | ---: |').join('')}`);
for (const device of values.devices.split(',')) {
  await solveMaxCut(randomGraph(300), { timeLimitMs: 300, device });
  for (const n of values.sizes.split(',').map(Number)) {
    const graph = randomGraph(n);
    const row = [device, n];
    for (const timeLimitMs of limits) {
      let late = 0;
      let best = 0;
      for (let seed = 1; seed <= 3; seed++) {
        const start = performance.now();
        const { cut } = await solveMaxCut(graph, { timeLimitMs, seed, device, threads: 2 });
        late = Math.max(late, performance.now() - start - timeLimitMs);
        best = Math.max(best, cut);
      }
      row.push(late.toFixed(0), best);
    }
    console.log(`| ${row.join(' | ')} |`);
  }
}
