import { expect, test } from 'vitest';
import { poolingStrength } from './pooling';

const domain = (s: number, f: number) => ({ successes: Float64Array.of(s), failures: Float64Array.of(f) });

test('domains that are alike lend much, domains that differ wholly lend nothing', () => {
  const alike = Array.from({ length: 10 }, () => domain(70, 30));
  const apart = Array.from({ length: 10 }, (_, i) => (i % 2 ? domain(100, 0) : domain(0, 100)));
  expect(poolingStrength(alike, 0)).toBe(1000);
  expect(poolingStrength(apart, 0)).toBeLessThan(0.2);
});

test('the strength of a Beta population is found again from its exact moments', () => {
  // Rates at the deciles of Beta(6, 4) by symmetrised quantiles of equal weight: mean 0.6, variance 0.24 / 11.
  const rates = [-1.4, -0.7, 0, 0.7, 1.4].map((z) => 0.6 + z * Math.sqrt(0.24 / 11));
  const n = 100_000; // so that sampling noise does not matter
  const spread = rates.reduce((sum, p) => sum + (p - 0.6) ** 2, 0) / rates.length;
  const strength = poolingStrength(
    rates.map((p) => domain(n * p, n * (1 - p))),
    0,
  );
  // Between-domain variance with one degree of freedom spent on the mean.
  expect(strength).toBeCloseTo(0.24 / ((spread * 5) / 4) - 1, 1);
});

test('with little evidence the default strength holds', () => {
  expect(poolingStrength([domain(5, 5), domain(9, 1)], 0)).toBe(4);
  expect(poolingStrength([domain(1, 1), domain(1, 0), domain(2, 1)], 0)).toBe(4);
  expect(poolingStrength([], 0)).toBe(4);
});
