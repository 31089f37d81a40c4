import { expect, test } from 'vitest';
import { normalQuantile, normalTail, truncate } from './normal';

test('normal quantiles are those of the tables', () => {
  for (const [p, x] of [
    [0.975, 1.959963984540054],
    [0.5, 0],
    [0.0013498980316300933, -3],
    [0.9999997133484281, 5],
    [0.75, 0.6744897501960817],
    [0.001, -3.090232306167813],
    [0.8413447460685429, 1],
  ] as const)
    expect(normalQuantile(p)).toBeCloseTo(x, 8);
});

test('tails are those of the tables on both sides, and far out', () => {
  expect(normalTail(0)).toBe(0.5);
  expect(normalTail(1.959963984540054)).toBeCloseTo(0.025, 14);
  expect(normalTail(-1)).toBeCloseTo(0.8413447460685429, 13);
  for (const [x, tail] of [
    [2, 0.0227501319482],
    [2.5, 0.00620966532578],
    [3, 0.00134989803163],
    [5, 2.86651571879e-7],
    [8, 6.22096057427e-16],
  ] as const)
    expect(normalTail(x) / tail).toBeCloseTo(1, 10);
  expect(normalTail(10) / 7.619853024160527e-24).toBeCloseTo(1, 10);
});

test.each([
  [0.5, 0.1],
  [0.02, 0.3],
  [1.3, 0.2],
  [-0.4, 0.1],
  [0.9, 3],
])('truncated to 0 and 1, mean %d and deviation %d give the moments of an integral', (mean, deviation) => {
  let [zero, first, second] = [0, 0, 0];
  const STEPS = 20_000;
  for (let k = 0; k < STEPS; k++) {
    const x = (k + 0.5) / STEPS;
    const p = Math.exp(-(((x - mean) / deviation) ** 2) / 2);
    zero += p;
    first += p * x;
    second += p * x * x;
  }
  const moments = { mean, variance: deviation ** 2 };
  truncate(moments, 0);
  expect(moments.mean).toBeCloseTo(first / zero, 6);
  expect(moments.variance).toBeCloseTo(second / zero - (first / zero) ** 2, 6);
});

test('far outside of the interval the mean stays off its edge and the variance one of a rate', () => {
  for (const mean of [-50, 60])
    for (const deviation of [1e-4, 0.1, 10]) {
      const moments = { mean, variance: deviation ** 2 };
      truncate(moments, 0.005);
      expect(Math.min(moments.mean, 1 - moments.mean)).toBeGreaterThanOrEqual(0.00499);
      expect(moments.variance).toBeGreaterThan(0);
      expect(moments.variance).toBeLessThan(moments.mean * (1 - moments.mean));
    }
});
