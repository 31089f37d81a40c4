import { UnsupportedError } from '@x/cuda-core';
import { expect, test } from 'vitest';
import { betaBelow } from '../learning/beta';
import { evaluatePolicy } from '../learning/off-policy';
import { Consensus } from './consensus';
import { thompsonChances } from './propensity';

test('the distribution function of Beta variables is that of closed forms', () => {
  for (const x of [0.01, 0.2, 0.5, 0.77, 0.999]) {
    expect(betaBelow(x, 1, 1)).toBeCloseTo(x, 11);
    expect(betaBelow(x, 3, 1)).toBeCloseTo(x ** 3, 11);
    expect(betaBelow(x, 0.5, 0.5)).toBeCloseTo((2 / Math.PI) * Math.asin(Math.sqrt(x)), 10);
    expect(betaBelow(x, 2, 3)).toBeCloseTo(6 * x ** 2 - 8 * x ** 3 + 3 * x ** 4, 11);
  }
  expect(betaBelow(0.5, 5e5, 5e5)).toBeCloseTo(0.5, 8);
  expect([betaBelow(-1, 2, 2), betaBelow(2, 2, 2)]).toEqual([0, 1]);
});

test('two equal contenders share evenly; uniform ones shifted apart follow the triangle', () => {
  const pair = (shift: number) =>
    thompsonChances(
      [
        { others: 0, alpha: 1, beta: 1 },
        { others: shift, alpha: 1, beta: 1 },
      ],
      1,
    );
  expect(pair(0)[0]).toBeCloseTo(0.5, 6);
  expect(pair(0.4)[0]).toBeCloseTo(1 - 0.6 ** 2 / 2, 3);
  expect(pair(2)).toEqual([1, 0]);
});

test('a weight of 0 leaves the least energy, and excluded models never win', () => {
  const contender = (others: number) => ({ others, alpha: 2, beta: 3 });
  expect(thompsonChances([contender(1), contender(1), contender(2)], 0)).toEqual([0.5, 0.5, 0]);
  expect(thompsonChances([contender(1), contender(Number.POSITIVE_INFINITY)], 1)).toEqual([1, 0]);
});

const taught = (options: object) => {
  const consensus = new Consensus({
    models: [
      { name: 'a', cost: 1 },
      { name: 'b', cost: 2 },
      { name: 'c', cost: 4 },
      { name: 'd', cost: 4 },
    ],
    energy: { cost: 0.3 },
    ...options,
  });
  for (const [model, right, wrong] of [
    ['a', 5, 5],
    ['b', 8, 4],
    ['c', 30, 6],
    ['d', 1, 0],
  ] as const) {
    for (let i = 0; i < right; i++) consensus.observe({ model, success: true });
    for (let i = 0; i < wrong; i++) consensus.observe({ model, success: false });
  }
  return consensus;
};

test.each(['thompson', 'top-two'] as const)('%s: propensities are how often each model is chosen', (selection) => {
  const consensus = taught({ selection, seed: 3 });
  const tries = 12_000;
  const counts: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 };
  const said: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 };
  for (let i = 0; i < tries; i++) {
    const decision = consensus.choose();
    counts[decision.model]!++;
    if (i >= 2) continue; // both turns of top-two
    for (const [model, p] of Object.entries(decision.propensities)) said[model]! += p / 2;
  }
  for (const model of consensus.models) {
    const p = said[model]!;
    expect(Math.abs(counts[model]! / tries - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / tries) + 1e-3);
  }
});

test('Boltzmann and greedy choices have the probabilities they were drawn with', () => {
  for (const selection of ['boltzmann', 'greedy'] as const) {
    const decision = taught({ selection }).choose();
    expect(decision.propensities).toEqual(decision.probabilities);
  }
});

test('a log of Thompson choices tells what another policy earns', () => {
  const consensus = taught({ selection: 'thompson', seed: 11 });
  const rates: Record<string, number> = { a: 0.4, b: 0.7, c: 0.8, d: 0.5 };
  const log = Array.from({ length: 3000 }, (_, i) => {
    const decision = consensus.choose();
    // Beliefs stay as they are, so that every model keeps its chance.
    const reward = (i * 0.618034) % 1 < rates[decision.model]! ? 1 : 0;
    return { model: decision.model, propensity: decision.propensities[decision.model]!, reward };
  });
  const { interval } = evaluatePolicy(log, () => ({ b: 0.5, c: 0.5 }), { level: 0.999 });
  expect(interval[0]).toBeLessThan(0.75);
  expect(interval[1]).toBeGreaterThan(0.75);
});

test('choices for a target come from draws of all domains together, and their propensities are refused', () => {
  const decision = taught({ target: 0.95 }).choose();
  expect(() => decision.propensities).toThrow(UnsupportedError);
});
