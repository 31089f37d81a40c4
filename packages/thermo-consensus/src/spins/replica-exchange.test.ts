import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { diagnostics, isingEnergy, ladders, populationAnnealing, replicaExchange } from '../index';

const model = {
  n: 8,
  edges: Int32Array.of(0, 1, 1, 2, 2, 3, 3, 0, 4, 5, 5, 6, 6, 7, 7, 4, 0, 4, 2, 6),
  weights: Float64Array.of(1, -1, 1, 1, 1, 1, -1, 1, 1, -1),
  fields: Float64Array.of(0.5, 0, 0, 0, 0, -0.25, 0, 0),
};

function exact(beta: number): { logPartition: number; meanEnergy: number } {
  let z = 0;
  let sum = 0;
  for (let b = 0; b < 256; b++) {
    const e = isingEnergy(
      model,
      Int8Array.from({ length: 8 }, (_, i) => ((b >> i) & 1 ? 1 : -1)),
    );
    z += Math.exp(-beta * e);
    sum += e * Math.exp(-beta * e);
  }
  return { logPartition: Math.log(z), meanEnergy: sum / z };
}

describe('replicaExchange', () => {
  it('measures energies and free energies of enumeration, and its chains agree', async () => {
    for (const rule of ['metropolis', 'heat-bath'] as const) {
      const run = await replicaExchange(model, { betas: [0, 0.3, 0.7, 1.2], chains: 8, rounds: 4000, rule, seed: 3 });
      for (const [k, slot] of run.slots.entries()) {
        const truth = exact(slot.beta);
        const chains = run.energies(k);
        expect(chains.length).toBe(8);
        expect(Math.abs(slot.meanEnergy - truth.meanEnergy)).toBeLessThan(5 * diagnostics.mcseMean(chains));
        expect(diagnostics.rHat(chains)).toBeLessThan(1.02);
        if (k > 0) {
          expect(Math.abs(slot.logPartition - truth.logPartition)).toBeLessThan(6 * slot.logPartitionError);
          expect(Math.abs(slot.logPartitionIntegrated - truth.logPartition)).toBeLessThan(0.05);
        }
      }
      expect(run.slots[0]!.temperature).toBe(Number.POSITIVE_INFINITY);
      expect(run.roundTrips.every((t) => t > 10)).toBe(true);
      expect(isingEnergy(model, run.best.spins)).toBeCloseTo(run.best.energy, 12);
    }
  });

  it('adapts its ladder, moves clusters, and repeats with its seed', async () => {
    const options = {
      temperatures: ladders.geometric({ hottest: 5, coldest: 0.4, count: 6 }),
      chains: 4,
      rounds: 200,
      burnIn: 100,
      ladder: 'equal-rejection',
      clusterMoves: true,
      keepSpins: true,
      seed: 7,
    } as const;
    const one = await replicaExchange(model, options);
    const two = await replicaExchange(model, options);
    expect(one.spins).toEqual(two.spins);
    expect(one.slots).toEqual(two.slots);
    expect(one.slots[0]!.temperature).toBeCloseTo(5, 12);
    expect(one.slots[5]!.temperature).toBeCloseTo(0.4, 12);
    expect(one.barrier).toBeGreaterThan(0);
    expect(one.magnetizations[0]!.every((m) => m >= 0 && m <= 1)).toBe(true);
  });

  it('refuses what is no ladder', async () => {
    const refused = (options: object, field: string) =>
      expect(replicaExchange(model, options as never)).rejects.toSatisfy(
        (e) => e instanceof InvalidArgumentError && e.field === field,
      );
    await refused({}, 'temperatures');
    await refused({ temperatures: [1] }, 'temperatures');
    await refused({ temperatures: [1, 0] }, 'temperatures[1]');
    await refused({ betas: [0.1, Number.POSITIVE_INFINITY] }, 'betas[1]');
    await refused({ betas: [0.5, 0.5] }, 'betas');
    await refused({ betas: [0, 1], rounds: 0 }, 'rounds');
    await refused({ betas: [0, 1], rule: 'wolff' }, 'rule');
    expect(() => ladders.geometric({ hottest: 1, coldest: 2, count: 4 })).toThrow(InvalidArgumentError);
  });

  it('stops when aborted', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    const endless = replicaExchange(model, { betas: [0, 1], burnIn: 1e9, rounds: 10, signal: controller.signal });
    await expect(endless).rejects.toThrow('abort');
  });
});

describe('populationAnnealing', () => {
  it('follows the Boltzmann distribution; independent paths obey Jarzynski', async () => {
    const betas = Float64Array.from({ length: 21 }, (_, k) => k * 0.05);
    const truth = exact(1);
    const annealed = await populationAnnealing(model, { betas, replicas: 20_000, seed: 2 });
    const last = annealed.steps[20]!;
    expect(last.logPartition).toBeCloseTo(truth.logPartition, 1);
    expect(last.meanEnergy).toBeCloseTo(truth.meanEnergy, 1);
    expect(last.families).toBeGreaterThan(100);
    const fast = await populationAnnealing(model, {
      betas: [0, 0.5, 1],
      replicas: 50_000,
      sweepsPerStep: 1,
      resample: false,
    });
    const mean = fast.works.reduce((sum, w) => sum + Math.exp(-w), 0) / 50_000;
    expect(Math.log(mean) + 8 * Math.LN2).toBeCloseTo(truth.logPartition, 1);
    expect(fast.steps[2]!.logPartition).toBeCloseTo(Math.log(mean) + 8 * Math.LN2, 9);
  });
});
