// Problems at the edges of what the solvers and samplers take, and what every long call does with its signal and progress.
import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import {
  isingEnergy,
  populationAnnealing,
  replicaExchange,
  solveAssignment,
  solveIsing,
  solveMaxCut,
  solveQubo,
} from './index';

const none = { edges: new Int32Array(0), weights: new Float64Array(0) };

function randomGraph(n: number, edges: number, weight: (u: number) => number = (u) => (u < 0.5 ? -1 : 1)) {
  let state = 7;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const pairs: number[] = [];
  for (let k = 0; k < edges; k++) {
    const i = Math.floor(draw() * n);
    pairs.push(i, (i + 1 + Math.floor(draw() * (n - 1))) % n);
  }
  return { n, edges: Int32Array.from(pairs), weights: Float64Array.from({ length: edges }, () => weight(draw())) };
}

const assignment = {
  sense: 'min' as const,
  agents: 20,
  jobs: 400,
  costs: Float64Array.from({ length: 8000 }, (_, k) => 111 - ((k * 7919) % 100)),
  loads: Float64Array.from({ length: 8000 }, (_, k) => 1 + ((k * 7919) % 100)),
  capacities: new Float64Array(20).fill(800),
};

describe('models at the edge', () => {
  it('one spin, no bonds, bonds of weight 0 and fields alone are solved outright', async () => {
    expect(await solveIsing({ n: 1, ...none })).toMatchObject({ energy: 0, proven: true });
    expect(await solveIsing({ n: 1, ...none, fields: [-2] })).toMatchObject({ energy: -2, proven: true });
    expect(await solveQubo({ n: 1, matrix: [-3] })).toMatchObject({ energy: -3, proven: true });
    expect(await solveQubo({ n: 1, matrix: [3] })).toMatchObject({ energy: 0, proven: true });
    expect(await solveMaxCut({ n: 1, ...none })).toMatchObject({ cut: 0, proven: true });
    expect(await solveIsing({ n: 5, ...none, fields: [1, -2, 3, 0, 5] })).toMatchObject({ energy: -11, proven: true });
    const silent = { ...randomGraph(300, 900), weights: new Float64Array(900) };
    expect(await solveIsing(silent)).toMatchObject({ energy: 0, proven: true });
    expect(await solveMaxCut({ ...silent, weights: new Float64Array(900).fill(-1) })).toMatchObject({ cut: 0 });
  });

  it('weights of any size that can be added up are solved in their own scale', async () => {
    const unit = await solveMaxCut(randomGraph(120, 700), { rounds: 2 });
    for (const scale of [1e290, 1e-290]) {
      const graph = randomGraph(120, 700, (u) => (u < 0.5 ? -scale : scale));
      const found = await solveMaxCut(graph, { rounds: 2 });
      expect(found.cut / scale).toBeCloseTo(unit.cut, 6);
    }
    await expect(solveMaxCut(randomGraph(120, 700, () => 1e300))).rejects.toMatchObject({ field: 'weights' });
  });

  it('a dense QUBO of 500 variables is no worse than a descent from every one of its lineages', async () => {
    const n = 500;
    const matrix = Float64Array.from(
      { length: n * n },
      (_, k) => ((k * 7919 + Math.floor(k / n) * 104729) % 201) - 100.5,
    );
    const found = await solveQubo({ n, matrix }, { timeLimitMs: 1500 });
    const x = found.values;
    let energy = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) energy += matrix[i * n + j]! * x[i]! * x[j]!;
    expect(energy).toBeCloseTo(found.energy, 6);
    for (let i = 0; i < n; i++) {
      let change = matrix[i * n + i]!;
      for (let j = 0; j < n; j++) if (j !== i) change += (matrix[i * n + j]! + matrix[j * n + i]!) * x[j]!;
      expect(x[i] === 1 ? -change : change).toBeGreaterThanOrEqual(-1e-6);
    }
    expect(found.timeMs).toBeLessThan(5000);
  });

  it('a limit too short for one annealing still gives a cut worth having', async () => {
    const graph = randomGraph(20_000, 200_000, () => 1);
    const found = await solveMaxCut(graph, { timeLimitMs: 1 });
    expect(found.cut).toBeGreaterThan(110_000); // half of the edges, and what a descent adds
    expect(found.timeMs).toBeLessThan(1500);
    expect((await solveMaxCut(graph, { timeLimitMs: 1, start: found.spins })).cut).toBeGreaterThanOrEqual(found.cut);
  });

  it('a target that the first state reaches ends the search at once', async () => {
    const found = await solveMaxCut(randomGraph(300, 1500), { timeLimitMs: 60_000, target: 0 });
    expect(found).toMatchObject({ targetReached: true });
    expect(found.timeMs).toBeLessThan(20_000);
  });

  it('samplers take one spin, free spins and huge energies', async () => {
    const one = await replicaExchange({ n: 1, ...none, fields: [1] }, { betas: [0, 1], rounds: 4000, seed: 1 });
    expect(one.slots[1]!.logPartition).toBeCloseTo(Math.log(2 * Math.cosh(1)), 1);
    const free = await replicaExchange({ n: 4, ...none }, { betas: [0, 1], rounds: 10 });
    expect(free.slots[1]!.logPartition).toBeCloseTo(4 * Math.LN2, 12);
    const graph = randomGraph(30, 100, (u) => (u - 0.5) * 1e290);
    const huge = await replicaExchange(graph, { betas: [0, 1], rounds: 50 });
    expect(huge.best.energy).toBe(isingEnergy(graph, huge.best.spins));
    await expect(replicaExchange(graph, { temperatures: [1, 1e-320] })).rejects.toMatchObject({
      field: 'temperatures[1]',
    });
    await expect(solveMaxCut({ n: 2, edges: [0, 1], weights: ['1' as never] })).rejects.toThrow(InvalidArgumentError);
  });
});

const graph = randomGraph(300, 1500);
const calls: [
  string,
  (options: { signal?: AbortSignal; onProgress?: (d: number, n: number) => void }) => Promise<unknown>,
][] = [
  ['solveIsing', (o) => solveIsing(graph, { timeLimitMs: 20_000, ...o })],
  ['solveIsing by rounds', (o) => solveIsing(graph, { rounds: 2000, ...o })],
  ['solveQubo', (o) => solveQubo(graph, { timeLimitMs: 20_000, ...o })],
  ['solveMaxCut', (o) => solveMaxCut(graph, { timeLimitMs: 20_000, ...o })],
  ['solveAssignment', (o) => solveAssignment(assignment, { timeLimitMs: 20_000, ...o })],
  ['replicaExchange', (o) => replicaExchange(graph, { betas: [0, 0.5, 1], burnIn: 1e6, ...o })],
  [
    'populationAnnealing',
    (o) => populationAnnealing(graph, { betas: Array.from({ length: 3000 }, (_, k) => k / 3000), ...o }),
  ],
];

describe.each(calls)('%s', (_, call) => {
  it('does not start when already aborted', async () => {
    const reason = new Error('not now');
    await expect(call({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('tells its progress, and ends with what onProgress throws', async () => {
    const reason = new Error('enough seen');
    const seen: [number, number][] = [];
    const onProgress = (done: number, total: number) => {
      seen.push([done, total]);
      if (seen.length === 2) throw reason;
    };
    await expect(call({ onProgress })).rejects.toBe(reason);
    expect(seen.length).toBe(2);
    for (const [done, total] of seen) {
      expect(done).toBeGreaterThanOrEqual(0);
      expect(done).toBeLessThanOrEqual(total);
    }
  });
});
