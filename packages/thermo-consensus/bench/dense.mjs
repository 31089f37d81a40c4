// solveMaxCut on dense graphs beside plain annealing, in one run: node bench/dense.mjs (after the build)
//   --sizes 200,500,1000,2000   nodes; all pairs, whole weights from -100 to 100
//   --limits 0.2,0.5,1,3        seconds of ours          --threads 2    of ours
//   --plain 4                   seconds of plain annealing, one thread, with kept fields in doubles and runs of 1000 sweeps, T falling
//                               geometrically from the typical local field to a twentieth of it
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { solveMaxCut } from '@x/thermo-consensus';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '200,500,1000,2000' },
    limits: { type: 'string', default: '0.2,0.5,1,3' },
    threads: { type: 'string', default: '2' },
    plain: { type: 'string', default: '4' },
    device: { type: 'string', default: 'cpu' },
  },
});
const RANGE = 100;
const SWEEPS = 1000;

function drawer(seed) {
  let state = seed;
  return () => {
    state ^= state << 13; // xorshift32
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function completeGraph(n) {
  const draw = drawer(n);
  const pairs = (n * (n - 1)) / 2;
  const edges = new Int32Array(2 * pairs);
  const weights = new Float64Array(pairs);
  let k = 0;
  for (let a = 0; a < n; a++)
    for (let b = a + 1; b < n; b++, k++) {
      edges[2 * k] = a;
      edges[2 * k + 1] = b;
      weights[k] = Math.floor(draw() * (2 * RANGE + 1)) - RANGE;
    }
  return { n, edges, weights };
}

/** The best cut of the runs that fit `seconds`, and how many these were. */
function plainAnnealing({ n, edges, weights }, seconds) {
  const matrix = new Float64Array(n * n);
  let squares = 0;
  for (let k = 0; k < weights.length; k++) {
    const [a, b] = [edges[2 * k], edges[2 * k + 1]];
    matrix[a * n + b] = matrix[b * n + a] = weights[k];
    squares += 2 * weights[k] ** 2;
  }
  const scale = Math.sqrt(squares / n);
  const draw = drawer(1);
  const spins = new Float64Array(n);
  const fields = new Float64Array(n);
  let best = Number.NEGATIVE_INFINITY;
  let runs = 0;
  for (const begin = performance.now(); performance.now() - begin < 1000 * seconds; runs++) {
    for (let i = 0; i < n; i++) spins[i] = draw() < 0.5 ? -1 : 1;
    fields.fill(0);
    let cut = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        fields[i] += matrix[i * n + j] * spins[j];
        if (spins[i] !== spins[j]) cut += matrix[i * n + j] / 2;
      }
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const temperature = scale * 0.05 ** (sweep / (SWEEPS - 1));
      for (let i = 0; i < n; i++) {
        const gain = spins[i] * fields[i]; // of the cut; the energy of this sign falls by twice as much
        if (gain < 0 && draw() >= Math.exp((2 * gain) / temperature)) continue;
        const twice = 2 * spins[i];
        spins[i] = -spins[i];
        cut += gain;
        const row = i * n;
        for (let j = 0; j < n; j++) fields[j] -= twice * matrix[row + j];
        if (cut > best) best = cut;
      }
    }
  }
  return { best, runs };
}

const limits = values.limits.split(',').map(Number);
console.log(`${cpus()[0].model}, Node ${process.version}, ${values.threads} threads, device ${values.device}`);
console.log(`| n | ${limits.map((s) => `${s} s`).join(' | ')} | plain annealing, ${values.plain} s (runs) |`);
console.log(`| ---: |${limits.map(() => ' ---: |').join('')} ---: |`);
for (const n of values.sizes.split(',').map(Number)) {
  const graph = completeGraph(n);
  const cuts = [];
  for (const seconds of limits) {
    const options = { timeLimitMs: 1000 * seconds, threads: Number(values.threads), device: values.device, seed: 1 };
    cuts.push((await solveMaxCut(graph, options)).cut);
  }
  const plain = plainAnnealing(graph, Number(values.plain));
  console.log(`| ${n} | ${cuts.join(' | ')} | ${plain.best} (${plain.runs}) |`);
}
