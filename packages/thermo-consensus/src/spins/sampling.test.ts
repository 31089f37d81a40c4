// What is drawn, against exact enumeration: chi-square for every schedule, ladder, rule and move of the public interface.
import { describe, expect, it } from 'vitest';
import {
  Consensus,
  isingEnergy,
  ladders,
  populationAnnealing,
  replicaExchange,
  type Schedule,
  schedules,
} from '../index';

/** Fails beyond probability 1e-5 (E. Wilson, M. Hilferty, 1931). Cells that expect fewer than 10 are pooled. */
function expectChiSquare(counts: number[], expected: number[]): void {
  let statistic = 0;
  let cells = -1;
  const rest = [0, 0];
  const add = (count: number, wanted: number) => {
    statistic += (count - wanted) ** 2 / wanted;
    cells++;
  };
  counts.forEach((count, i) => {
    if (expected[i]! >= 10) add(count, expected[i]!);
    else {
      rest[0]! += count;
      rest[1]! += expected[i]!;
    }
  });
  if (rest[1]! > 1) add(rest[0]!, rest[1]!);
  expect(cells).toBeGreaterThan(0);
  const spread = 2 / (9 * cells);
  expect((Math.cbrt(statistic / cells) - (1 - spread)) / Math.sqrt(spread)).toBeLessThan(4.3);
}

const model = {
  n: 5,
  edges: Int32Array.of(0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 2),
  weights: Float64Array.of(1, -1, 2, 1, -1, 1),
  fields: Float64Array.of(0.5, 0, -0.5, 0, 1),
};
const STATES = 1 << model.n;
const energies = Array.from({ length: STATES }, (_, b) =>
  isingEnergy(
    model,
    Int8Array.from({ length: model.n }, (_, i) => ((b >> i) & 1 ? 1 : -1)),
  ),
);

function boltzmann(energies: readonly number[], beta: number): number[] {
  const weights = energies.map((e) => Math.exp(-beta * e));
  const z = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / z);
}

/** How often each state stands at `first`, `first + stride`, ... of `[states x n]`. */
function countStates(spins: Int8Array, first: number, stride: number): number[] {
  const counts = new Array<number>(STATES).fill(0);
  for (let r = first; r * model.n < spins.length; r += stride) {
    let state = 0;
    for (let i = 0; i < model.n; i++) if (spins[r * model.n + i]! > 0) state |= 1 << i;
    counts[state]!++;
  }
  return counts;
}

const CHOICES = 30_000;
const landscape = Float64Array.from({ length: 101 }, (_, i) => 2 * Math.sin(i / 8) + (i / 50 - 1) ** 2);
const EVERY_SCHEDULE: [string, () => Schedule | Promise<Schedule> | ((step: number) => number)][] = [
  ['exponential', () => schedules.exponential({ start: 3, end: 0.2, steps: CHOICES })],
  ['linear', () => schedules.linear({ start: 2, end: 0.2, steps: CHOICES })],
  ['logarithmic', () => schedules.logarithmic({ start: 3, end: 0.2 })],
  ['constant', () => schedules.constant(0.4)],
  ['infinite', () => schedules.constant(Number.POSITIVE_INFINITY)],
  ['adaptive to an acceptance', () => schedules.adaptive()],
  ['adaptive to an entropy', () => schedules.adaptive({ target: 'entropy', value: 0.6 })],
  ['adaptive to a speed', () => schedules.adaptive({ target: 'speed', value: 1e-4, start: 3, min: 0.2 })],
  ['replica exchange', () => schedules.replicaExchange({ coldest: 0.2, hottest: 2, replicas: 5 })],
  [
    'Fokker-Planck',
    () => schedules.fokkerPlanck({ potential: landscape, start: 3, end: 0.2, steps: 200, walkers: 1000, seed: 2 }),
  ],
  ['table', () => schedules.table([2, 1, 0.5, 0.3])],
  ['a function', () => (step) => 1 + Math.sin(step / 50) / 2],
];

describe('choices follow the Boltzmann distribution at the temperature of the schedule', () => {
  it.each(EVERY_SCHEDULE)('%s', async (_, make) => {
    const costs = [1, 2, 4, 7, 10];
    const models = costs.map((cost, i) => ({ name: `m${i}`, cost }));
    const consensus = new Consensus({ models, schedule: await make(), seed: 5 });
    for (let k = 0; k < 9; k++) consensus.observe({ model: 'm3', success: k < 7 });
    // The choices in two halves by temperature, each with what enumeration expects of it.
    const draws = Array.from({ length: CHOICES }, () => consensus.choose());
    const middle = draws.map((d) => d.temperature).sort((a, b) => a - b)[CHOICES / 2]!;
    const counts = [new Array<number>(5).fill(0), new Array<number>(5).fill(0)];
    const expected = [new Array<number>(5).fill(0), new Array<number>(5).fill(0)];
    for (const draw of draws) {
      const half = draw.temperature < middle ? 0 : 1;
      counts[half]![Number(draw.model[1])]!++;
      const p = boltzmann(Object.values(draw.energies), 1 / draw.temperature);
      for (let i = 0; i < 5; i++) expected[half]![i]! += p[i]!;
    }
    expectChiSquare(counts[1]!, expected[1]!);
    if (counts[0]!.some((c) => c > 0)) expectChiSquare(counts[0]!, expected[0]!);
  });
});

describe('a population carried along a schedule ends in the Boltzmann distribution', () => {
  it.each(EVERY_SCHEDULE.filter(([name]) => !/constant|infinite|replica|function|acceptance|entropy/.test(name)))(
    '%s',
    async (_, make) => {
      // 25 temperatures, evenly picked where the schedule has many.
      const schedule = (await make()) as Schedule;
      const path: number[] = [];
      let state = schedule.initial;
      for (let step = 0; step < CHOICES; step++) {
        const temperature = schedule.temperature(step, state);
        if (path.length === 0 || temperature < 0.92 * path.at(-1)!) path.push(temperature);
        const reading = { entropy: 0, acceptance: 0, heatCapacity: 1, energy: 0, step, uniform: 0.5 };
        state = schedule.advance?.(state, reading) ?? state;
      }
      expect(path.length).toBeGreaterThan(3);
      const run = await populationAnnealing(model, {
        temperatures: [Number.POSITIVE_INFINITY, ...path],
        replicas: 20_000,
        keepSpins: true,
        seed: 4,
      });
      const p = boltzmann(energies, 1 / path.at(-1)!);
      expectChiSquare(
        countStates(run.spins!, 0, 1),
        p.map((x) => 20_000 * x),
      );
    },
  );
});

describe('every temperature of replica exchange has its own Boltzmann distribution', () => {
  for (const rule of ['metropolis', 'heat-bath'] as const)
    for (const ladder of ['fixed', 'equal-rejection', 'feedback'] as const)
      for (const clusterMoves of [false, true])
        it(`${rule}, ${ladder} ladder${clusterMoves ? ', cluster moves' : ''}`, async () => {
          const chains = 8000;
          const run = await replicaExchange(model, {
            temperatures: ladders.geometric({ hottest: 6, coldest: 0.8, count: 4 }),
            chains,
            burnIn: 30,
            adaptations: 2,
            rounds: 1,
            rule,
            ladder,
            clusterMoves,
            keepSpins: true,
            seed: 8,
          });
          for (const [k, slot] of run.slots.entries())
            expectChiSquare(
              countStates(run.spins!, k, 4),
              boltzmann(energies, slot.beta).map((p) => chains * p),
            );
        });
});
