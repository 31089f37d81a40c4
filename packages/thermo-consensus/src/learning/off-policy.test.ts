import { expect, test } from 'vitest';
import { evaluatePolicy, type LoggedChoice } from '../index';

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Two kinds of questions, two models. What each earns is known, so a policy's true value is too.
const TRUTH = { easy: { small: 0.9, large: 0.95 }, hard: { small: 0.2, large: 0.8 } } as const;
type Kind = keyof typeof TRUTH;
const logOf = (n: number, seed: number): LoggedChoice<Kind>[] => {
  const random = generator(seed);
  return Array.from({ length: n }, () => {
    const context: Kind = random() < 0.6 ? 'easy' : 'hard';
    const small = context === 'easy' ? 0.7 : 0.4; // the policy that made the log
    const model = random() < small ? 'small' : 'large';
    const propensity = model === 'small' ? small : 1 - small;
    return { model, propensity, context, reward: random() < TRUTH[context][model] ? 1 : 0 };
  });
};
const policy = (kind: Kind) => (kind === 'easy' ? { small: 1 } : { small: 0.1, large: 0.9 });
const TRUE_VALUE = 0.6 * 0.9 + 0.4 * (0.1 * 0.2 + 0.9 * 0.8);
const estimate = (kind: Kind, model: string) => TRUTH[kind][model as 'small' | 'large'] + 0.1; // biased on purpose

for (const method of ['ips', 'snips', 'dr'] as const) {
  test(`${method}: the 95 % interval covers the true value in 95 % of logs`, () => {
    let covered = 0;
    const runs = 300;
    for (let seed = 0; seed < runs; seed++) {
      const { interval } = evaluatePolicy(logOf(400, 1 + seed * 7919), policy, { method, estimate });
      if (interval[0] <= TRUE_VALUE && TRUE_VALUE <= interval[1]) covered++;
    }
    expect(covered / runs).toBeGreaterThan(0.92);
    expect(covered / runs).toBeLessThan(0.985);
  });
}

test('the doubly robust estimate is the narrowest, and the mean weight is near 1', () => {
  const log = logOf(5000, 3);
  const [ips, snips, dr] = (['ips', 'snips', 'dr'] as const).map((method) =>
    evaluatePolicy(log, policy, { method, estimate }),
  );
  expect(dr!.standardError).toBeLessThan(ips!.standardError);
  expect(dr!.standardError).toBeLessThan(snips!.standardError * 1.05);
  expect(ips!.meanWeight).toBeCloseTo(1, 1);
  expect(ips!.effectiveSamples).toBeGreaterThan(1000);
});

test('evaluating the policy that made the log gives the mean of the log', () => {
  const log = logOf(1000, 4);
  const mean = log.reduce((sum, { reward }) => sum + reward, 0) / log.length;
  const same = (kind: Kind) => (kind === 'easy' ? { small: 0.7, large: 0.3 } : { small: 0.4, large: 0.6 });
  expect(evaluatePolicy(log, same, { method: 'ips' }).value).toBeCloseTo(mean, 12);
  expect(evaluatePolicy(log, same).effectiveSamples).toBeCloseTo(1000, 9);
});

test('logs and policies that say nothing are refused with the entry', () => {
  const [entry] = logOf(1, 1);
  expect(() => evaluatePolicy([], policy)).toThrow(expect.objectContaining({ field: 'log' }));
  expect(() => evaluatePolicy([{ ...entry!, propensity: 0 }], policy)).toThrow(
    expect.objectContaining({ field: 'log[0].propensity' }),
  );
  expect(() => evaluatePolicy([{ ...entry!, reward: Number.NaN }], policy)).toThrow(
    expect.objectContaining({ field: 'log[0].reward' }),
  );
  expect(() => evaluatePolicy([entry!], () => ({ small: 0.5 }))).toThrow('add up to 0.5');
  expect(() => evaluatePolicy([entry!], () => ({ other: 1 }))).toThrow(expect.objectContaining({ field: 'policy' }));
  expect(() => evaluatePolicy([entry!], policy, { method: 'dr' })).toThrow(
    expect.objectContaining({ field: 'estimate' }),
  );
});
