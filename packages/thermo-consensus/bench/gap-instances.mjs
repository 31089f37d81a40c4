// Instances of the generalised assignment problem: the OR-Library's files, and type d of our own.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** The library's instances with best known values and HiGHS's recorded runs, from $X_REFERENCE_DIR, else ../shared. */
export function libraryInstances() {
  const folder = join(process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared'), 'reference', 'optimisation', 'gap');
  if (!existsSync(folder)) throw new Error(`the reference data is not there: ${folder}`);
  const table = (name) => {
    const [head, ...lines] = readFileSync(join(folder, name), 'utf8').trim().split(/\r?\n/);
    const columns = head.split(',');
    return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [columns[i], cell])));
  };
  const recorded = new Map(table('highs_results.csv').map((row) => [row.instance, row]));
  return table('best_known.csv').map((row) => ({
    name: row.instance,
    family: row.family.replace('gap', '').replace(/^\d+$/, '1'),
    best: Number(row.best_known),
    recorded: {
      objective: Number(recorded.get(row.instance)?.highs_obj),
      seconds: Number(recorded.get(row.instance)?.seconds),
    },
    problem: () => ({ sense: row.sense, ...read(join(folder, `${row.instance}.txt`)) }),
  }));
}

function read(file) {
  const numbers = readFileSync(file, 'utf8').trim().split(/\s+/).map(Number);
  const [agents, jobs] = numbers;
  const pairs = agents * jobs;
  const at = (from, length) => Float64Array.from(numbers.slice(from, from + length));
  return { agents, jobs, costs: at(2, pairs), loads: at(2 + pairs, pairs), capacities: at(2 + 2 * pairs, agents) };
}

/**
 * Type d of P. Chu, J. Beasley, Comput. Oper. Res. 24, 17 (1997): loads 1 to 100, costs 111 - load + (-10 to 10),
 * capacities 0.8 of what an even share of the jobs would load on average; whole numbers. `spec` is AGENTSxJOBS:SEED.
 */
export function typeD(spec) {
  const [agents, jobs, seed] = spec.split(/[x:]/).map(Number);
  let state = seed >>> 0;
  const below = (count) => {
    state = (state + 0x9e3779b9) >>> 0; // splitmix32
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 2 ** 32) * count);
  };
  const loads = Float64Array.from({ length: agents * jobs }, () => 1 + below(100));
  const costs = loads.map((load) => 111 - load - 10 + below(21));
  const sum = (i) => loads.subarray(i * jobs, (i + 1) * jobs).reduce((a, b) => a + b, 0);
  const capacities = Float64Array.from({ length: agents }, (_, i) => Math.floor((0.8 * sum(i)) / agents));
  return { sense: 'min', agents, jobs, costs, loads, capacities };
}
