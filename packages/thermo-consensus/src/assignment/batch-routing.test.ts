import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { type BatchConstraints, type BatchContext, Consensus, InfeasibleError } from '../index';

const models = [
  { name: 'small', cost: 1, latency: 1 },
  { name: 'middle', cost: 3, latency: 2 },
  { name: 'large', cost: 10, latency: 6 },
];
const make = () => new Consensus({ models, energy: { cost: 0.2 }, seed: 3 });

// Queries of many sorts, the harder the better the dear models are.
const contexts = (count: number): BatchContext[] =>
  Array.from({ length: count }, (_, i) => {
    const hard = ((i * 7919) % 100) / 100;
    return {
      domain: i % 3,
      quality: { small: 0.95 - 0.8 * hard, middle: 0.95 - 0.5 * hard, large: 0.95 - 0.1 * hard },
      costScale: 0.5 + ((i * 31) % 17) / 17,
      tokens: 100 + ((i * 53) % 900),
    };
  });

const infeasible = async (given: BatchContext[], constraints: BatchConstraints) => {
  const error = await make()
    .chooseBatch(given, constraints)
    .then(
      () => undefined,
      (e) => e,
    );
  expect(error).toBeInstanceOf(InfeasibleError);
  expect(error).toBeInstanceOf(InvalidArgumentError);
  return (error as InfeasibleError).conflicts;
};

describe('chooseBatch', () => {
  it('without constraints is the greedy choice of each query', async () => {
    const batch = contexts(60);
    const routing = await make().chooseBatch(batch);
    const single = new Consensus({ models, energy: { cost: 0.2 }, seed: 3, selection: 'greedy' });
    expect(routing.decisions.map((d) => d.model)).toEqual(batch.map((context) => single.choose(context).model));
    expect(routing.gap).toBeLessThan(1e-9);
  });

  it('keeps budget, rates, tokens, deadlines, context lengths and the floor of quality, near the bound', async () => {
    const batch = contexts(2000).map((c, i) => (i % 5 ? c : { ...c, deadline: 4 }));
    const constraints = {
      budget: 5200,
      rateLimits: { small: 1100, large: 500 },
      tokenLimits: { middle: 450_000 },
      contextLengths: { small: 800 },
      minQuality: 0.6,
    };
    const routing = await make().chooseBatch(batch, constraints, { timeLimitMs: 5000 });
    expect(routing.gap).toBeLessThanOrEqual(1e-3);
    expect(routing.energy).toBeGreaterThanOrEqual(routing.bound);
    expect(routing.cost).toBeLessThanOrEqual(constraints.budget * (1 + 1e-9));
    expect(routing.quality).toBeGreaterThanOrEqual(constraints.minQuality - 1e-9);
    const queries = { small: 0, middle: 0, large: 0 };
    let tokens = 0;
    routing.decisions.forEach(({ model }, i) => {
      queries[model as keyof typeof queries]++;
      if (model === 'middle') tokens += batch[i]!.tokens as number;
      if (model === 'small') expect(batch[i]!.tokens).toBeLessThanOrEqual(800);
      if (i % 5 === 0) expect(model).not.toBe('large');
    });
    expect(queries.small).toBeLessThanOrEqual(1100);
    expect(queries.large).toBeLessThanOrEqual(500);
    expect(tokens).toBeLessThanOrEqual(450_000);
    expect(routing.usage.middle).toEqual({ queries: queries.middle, tokens });
  });

  it('settles thousands of equal queries', async () => {
    const batch = Array.from({ length: 3000 }, () => ({ domain: 'same' }));
    const routing = await make().chooseBatch(
      batch,
      { rateLimits: { small: 1000, middle: 1500 } },
      { timeLimitMs: 5000 },
    );
    expect(routing.usage.small!.queries + routing.usage.middle!.queries).toBe(2500);
    expect(routing.gap).toBeLessThanOrEqual(1e-3);
  });

  it('learns from its decisions, counts them as choices, and repeats itself for the same seed', async () => {
    const [a, b] = [make(), make()];
    const first = await a.chooseBatch(contexts(50), { budget: 120 });
    expect((await b.chooseBatch(contexts(50), { budget: 120 })).assignment).toEqual(first.assignment);
    expect(a.step).toBe(50);
    a.observe({ decision: first.decisions[0]!, success: true });
    expect(a.posterior(first.decisions[0]!.model, 0).alpha).toBeGreaterThan(1);
  });

  it('names the constraints that conflict, and no others', async () => {
    const batch = contexts(100);
    expect(await infeasible(batch, { rateLimits: { small: 30, middle: 30, large: 30 }, budget: 1e9 })).toEqual([
      { constraint: 'rateLimit', model: 'small' },
      { constraint: 'rateLimit', model: 'middle' },
      { constraint: 'rateLimit', model: 'large' },
    ]);
    expect(await infeasible(batch, { budget: 20, rateLimits: { large: 3 } })).toEqual([{ constraint: 'budget' }]);
    const floor = await infeasible(batch, { budget: 150, minQuality: 0.72 });
    expect(floor).toEqual([{ constraint: 'budget' }, { constraint: 'minQuality' }]);
    // Deadlines push all queries to models whose rates are too small for them.
    const late = await infeasible(batch, { deadline: 1, rateLimits: { small: 50 } });
    expect(late).toEqual([{ constraint: 'rateLimit', model: 'small' }, { constraint: 'deadline' }]);
  });

  it('names the rules that leave one query without any model', async () => {
    const batch = contexts(10);
    batch[4] = { ...batch[4]!, deadline: 0.5 };
    expect(await infeasible(batch, {})).toEqual([{ constraint: 'deadline', query: 4 }]);
    batch[4] = { tokens: 5000, exclude: ['large'] };
    expect(await infeasible(batch, { contextLengths: { small: 1000, middle: 1000 } })).toEqual([
      { constraint: 'contextLength', query: 4 },
      { constraint: 'exclude', query: 4 },
    ]);
  });

  it.each<[string, unknown, object?, object?]>([
    ['contexts', []],
    ['contexts', 'all'],
    ['contexts[0].tokens', [{ tokens: -1 }]],
    ['contexts[0].deadline', [{ deadline: Number.NaN }]],
    ['budget', [{}], { budget: -1 }],
    ['minQuality', [{}], { minQuality: 2 }],
    ['rateLimits', [{}], { rateLimits: { nobody: 1 } }],
    ['rateLimits.small', [{}], { rateLimits: { small: Number.NaN } }],
    ['deadline', [{}], { deadline: -1 }],
    ['timeLimitMs', [{}], {}, { timeLimitMs: 0 }],
  ])('refuses wrong %s and makes no choice', async (field, given, constraints, options) => {
    const consensus = make();
    const error = await consensus.chooseBatch(given as never, constraints, options).then(
      () => undefined,
      (e) => e,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ field });
    expect(consensus.step).toBe(0);
  });
});
