import { expect, test } from 'vitest';
import { normalQuantile, normalTail } from './normal';

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
  expect(normalTail(10) / 7.619853024160527e-24).toBeCloseTo(1, 10);
});
