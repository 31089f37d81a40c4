// What the package promises about bad input, one row a promise, through its public entry alone.
import { XError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import {
  Consensus,
  InfeasibleError,
  replicaExchange,
  schedules,
  solveAssignment,
  solveIsing,
  solveMaxCut,
} from './index';

const POOL = [
  { name: 'small', cost: 1 },
  { name: 'large', cost: 9 },
];
const pool = (options = {}) => new Consensus({ models: POOL, ...options });
const triangle = Int32Array.of(0, 1, 1, 2, 2, 0);
const ones = Float64Array.of(1, 1, 1);

describe('bad input is a typed error that names the field', () => {
  it.each<[string, string, () => unknown]>([
    ['an empty pool', 'models', () => new Consensus({ models: [] })],
    ['a negative price', 'models[0].cost', () => new Consensus({ models: [{ name: 'a', cost: -1 }] })],
    [
      'a negative price of a token',
      'models[0].cost.output',
      () => new Consensus({ models: [{ name: 'a', cost: { input: 1, output: -2 } }] }),
    ],
    ['a NaN quality of an outcome', 'success', () => pool().observe({ model: 'small', success: Number.NaN })],
    ['a NaN quality estimate', 'quality.small', () => pool().choose({ quality: { small: Number.NaN } })],
    ['an overflowed energy', 'energy', () => pool().choose({ costScale: 1e305 })],
    ['a NaN temperature', 'schedule', () => pool({ schedule: () => Number.NaN }).choose()],
    ['a target that is none', 'target.quality', () => pool({ target: 0 })],
    ['a target without memory', 'target.memory', () => pool({ target: { quality: 0.9, memory: 1 } })],
    ['a target with less than no caution', 'target.caution', () => pool({ target: { quality: 0.9, caution: -1 } })],
    ['a target with another selection', 'selection', () => pool({ target: 0.9, selection: 'greedy' })],
    ['an edge of a node with itself', 'edges', () => solveMaxCut({ n: 3, edges: Int32Array.of(0, 0) })],
    ['an edge to nowhere', 'edges', () => solveMaxCut({ n: 3, edges: Int32Array.of(0, 3) })],
    [
      'weights that are not one an edge',
      'weights',
      () => solveIsing({ n: 3, edges: triangle, weights: ones.subarray(1) }),
    ],
    [
      'a sampler at temperature 0',
      'temperatures',
      () => replicaExchange({ n: 3, edges: triangle, weights: ones }, { temperatures: Float64Array.of(1, 0) }),
    ],
  ])('%s', async (_name, field, act) => {
    const error = await Promise.resolve()
      .then(act)
      .then(
        () => undefined,
        (e) => e,
      );
    expect(error).toBeInstanceOf(XError);
    expect(error.code).toBe('X_INVALID_ARGUMENT');
    expect(error.field).toContain(field);
  });

  it('constraints that cannot be kept together are named, and only those', async () => {
    const constraints = { budget: 6, minQuality: 0.1, rateLimits: { small: 1 } };
    const error = await pool()
      .chooseBatch([{}, {}, {}, {}], constraints)
      .catch((e) => e);
    expect(error).toBeInstanceOf(InfeasibleError);
    const named = JSON.stringify(error.conflicts);
    expect(named).toContain('budget');
    expect(named).toContain('rate');
    expect(named).not.toContain('uality');
    for (const given of ['budget', 'rateLimits'] as const) {
      const { [given]: _, ...rest } = constraints;
      expect((await pool().chooseBatch([{}, {}, {}, {}], rest)).decisions).toHaveLength(4);
    }
  });

  it('an assignment that does not fit says so with proof', async () => {
    const problem = { sense: 'min' as const, agents: 1, jobs: 2, costs: Float64Array.of(1, 1) };
    const solved = await solveAssignment({ ...problem, loads: Float64Array.of(1, 1), capacities: Float64Array.of(1) });
    expect([solved.feasible, solved.status]).toEqual([false, 'infeasible']);
  });
});

describe('edge cases with a documented meaning', () => {
  it('a temperature of 0 chooses the least energy', () => {
    const decision = pool({ schedule: schedules.constant(0) }).choose();
    expect([decision.model, decision.temperature]).toEqual(['small', 0]);
    expect(decision.probabilities).toMatchObject({ small: 1, large: 0 });
  });

  it('duplicate edges add up, and nodes without edges are fine', async () => {
    const twice = { n: 5, edges: Int32Array.of(0, 1, 1, 0, 2, 3), weights: Float64Array.of(1, 2, 4) };
    const { cut, spins } = await solveMaxCut(twice, { rounds: 1, seed: 1 });
    expect(cut).toBe(7);
    expect(spins).toHaveLength(5);
  });
});
