import { InvalidArgumentError, UnsupportedError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { type AssignmentProblem, solveAssignment } from '../index';

function randomProblem(seed: number, agents: number, jobs: number, sense: 'min' | 'max' = 'min'): AssignmentProblem {
  let state = seed * 2654435761 + 1;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const loads = Float64Array.from({ length: agents * jobs }, () => 1 + Math.floor(random() * 30));
  return {
    sense,
    agents,
    jobs,
    costs: loads.map((load) => 40 - load + Math.floor(random() * 10)),
    loads,
    capacities: new Float64Array(agents).fill(Math.ceil((jobs * 16) / agents)),
  };
}

function enumerate(problem: AssignmentProblem): number {
  const { agents, jobs, costs, loads, capacities, budgets = [], sense } = problem;
  let best = sense === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  for (let code = 0; code < agents ** jobs; code++) {
    const used = new Float64Array(agents);
    const spent = budgets.map(() => 0);
    let cost = 0;
    for (let j = 0, rest = code; j < jobs; j++, rest = Math.floor(rest / agents)) {
      const pair = (rest % agents) * jobs + j;
      used[rest % agents]! += loads[pair]!;
      budgets.forEach((b, k) => {
        spent[k]! += b.amounts[pair]!;
      });
      cost += costs[pair]!;
    }
    if (used.some((u, i) => u > capacities[i]!) || budgets.some((b, k) => spent[k]! > b.limit)) continue;
    best = sense === 'min' ? Math.min(best, cost) : Math.max(best, cost);
  }
  return best;
}

describe('solveAssignment', () => {
  it.each(['min', 'max'] as const)('finds and proves the optimum of small problems (%s)', async (sense) => {
    for (let seed = 1; seed <= 12; seed++) {
      const problem = randomProblem(seed, 3, 7, sense);
      if (seed % 3 === 0)
        problem.budgets = [{ amounts: problem.loads.map((load) => 31 - load), limit: 100 + 5 * (seed % 4) }];
      const best = enumerate(problem);
      const solved = await solveAssignment(problem, { timeLimitMs: 5000 });
      expect(solved.objective).toBe(best);
      expect(solved.status).toBe(Number.isFinite(best) ? 'optimal' : 'infeasible');
      expect(solved.feasible).toBe(Number.isFinite(best));
      expect(solved.bound).toBe(best);
      if (solved.feasible) expect(solved.gap).toBe(0);
    }
  });

  it('keeps deadlines, forbidden pairs and infinite costs', async () => {
    const problem = randomProblem(4, 3, 8);
    problem.capacities.fill(Number.POSITIVE_INFINITY);
    const forbidden = new Uint8Array(24);
    forbidden[0] = 1; // agent 0, job 0
    problem.costs[8 + 1] = Number.POSITIVE_INFINITY; // agent 1, job 1
    const times = new Float64Array(24).fill(2);
    times[16 + 2] = 5; // agent 2, job 2
    const limits = new Float64Array(8).fill(3);
    for (const pair of [0, 9, 18]) if (pair !== 9) problem.costs[pair] = -1000;
    const solved = await solveAssignment({ ...problem, forbidden, deadlines: { times, limits } });
    expect(solved.status).toBe('optimal');
    expect(solved.assignment[0]).not.toBe(0);
    expect(solved.assignment[1]).not.toBe(1);
    expect(solved.assignment[2]).not.toBe(2);
  });

  it('gives the same result for a number of rounds on one and on several threads', async () => {
    const problem = randomProblem(9, 8, 48);
    const options = { rounds: 4, seed: 5, timeLimitMs: Number.POSITIVE_INFINITY };
    const one = await solveAssignment(problem, { ...options, threads: 1 });
    const more = await solveAssignment(problem, { ...options, threads: 4 });
    expect(more.assignment).toEqual(one.assignment);
    expect([more.objective, more.bound, more.nodes]).toEqual([one.objective, one.bound, one.nodes]);
  });

  it('takes a warm start, stops at a gap, and reports progress', async () => {
    const problem = randomProblem(2, 10, 100);
    const first = await solveAssignment(problem, { gap: 0.05 });
    expect(first.gap).toBeLessThanOrEqual(0.05);
    const seen: number[] = [];
    const second = await solveAssignment(problem, {
      warmStart: first.assignment,
      rounds: 1,
      timeLimitMs: 2000,
      onProgress: (done) => seen.push(done),
    });
    expect(second.objective).toBeLessThanOrEqual(first.objective);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.at(-1)).toBe(2000);
  });

  it('stops when aborted, with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    const start = performance.now();
    const problem = randomProblem(3, 20, 200);
    await expect(solveAssignment(problem, { timeLimitMs: 60_000, signal: controller.signal })).rejects.toBe(reason);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('leaves a job that fits nowhere without an agent', async () => {
    const problem = randomProblem(1, 2, 3);
    problem.loads[1] = 1e6;
    problem.loads[4] = 1e6;
    const solved = await solveAssignment(problem);
    expect(solved).toMatchObject({ feasible: false, status: 'infeasible', objective: Number.POSITIVE_INFINITY });
    expect(solved.bound).toBe(Number.POSITIVE_INFINITY);
    expect(solved.gap).toBe(Number.POSITIVE_INFINITY);
    expect(solved.assignment[1]).toBe(-1);
  });

  it('says that it has no GPU path', async () => {
    await expect(solveAssignment(randomProblem(1, 2, 3), { device: 'cuda' })).rejects.toThrow(UnsupportedError);
  });

  const broken = (change: object) => ({ ...randomProblem(1, 2, 3), ...change }) as AssignmentProblem;
  const six = (value: number) => Float64Array.of(1, 1, value, 1, 1, 1);
  it.each<[string, AssignmentProblem, object?]>([
    ['problem', undefined as never],
    ['sense', broken({ sense: 'less' })],
    ['agents', broken({ agents: 0 })],
    ['jobs', broken({ jobs: 1.5 })],
    ['costs', broken({ costs: [1, 2] })],
    ['costs', broken({ costs: new Float64Array(5) })],
    ['costs', broken({ costs: six(Number.NaN) })],
    ['costs', broken({ costs: six(Number.NEGATIVE_INFINITY) })],
    ['loads', broken({ loads: six(-1) })],
    ['loads', broken({ loads: six(Number.POSITIVE_INFINITY) })],
    ['capacities', broken({ capacities: Float64Array.of(1, Number.NaN) })],
    ['capacities', broken({ capacities: Float64Array.of(-1, 1) })],
    ['budgets[0].limit', broken({ budgets: [{ amounts: six(1), limit: -1 }] })],
    ['budgets[0].amounts', broken({ budgets: [{ amounts: new Float64Array(2), limit: 1 }] })],
    ['amounts', broken({ budgets: [{ amounts: six(Number.NaN), limit: 1 }] })],
    ['resources[0].loads', broken({ resources: [{}] })],
    ['forbidden', broken({ forbidden: [0] })],
    ['deadlines.times[2]', broken({ deadlines: { times: six(Number.NaN), limits: Float64Array.of(1, 1, 1) } })],
    ['timeLimitMs', broken({}), { timeLimitMs: 0 }],
    ['seed', broken({}), { seed: -1 }],
    ['threads', broken({}), { threads: 0 }],
    ['gap', broken({}), { gap: Number.NaN }],
    ['warmStart', broken({}), { warmStart: Int32Array.of(0) }],
    ['warmStart', broken({}), { warmStart: Int32Array.of(0, 7, 0) }],
    ['device', broken({}), { device: 'gpu' }],
  ])('refuses wrong %s', async (field, problem, options) => {
    const error = await solveAssignment(problem, options).then(
      () => undefined,
      (e) => e,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ field });
  });
});
