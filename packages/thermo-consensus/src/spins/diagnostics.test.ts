import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { diagnostics } from '../index';

function normals(seed: number): () => number {
  let state = seed >>> 0;
  const draw = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z ^= z + Math.imul(z ^ (z >>> 7), 61 | z);
    return (((z ^ (z >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
}

/** x_t = phi x_{t-1} + sqrt(1 - phi^2) e_t: N draws are worth N (1 - phi) / (1 + phi). */
function autoregressive(length: number, phi: number, seed: number, shift = 0): Float64Array {
  const next = normals(seed);
  const out = new Float64Array(length);
  let x = next();
  for (let t = 0; t < length; t++) {
    out[t] = x + shift;
    x = phi * x + Math.sqrt(1 - phi * phi) * next();
  }
  return out;
}

const chains = (length: number, phi: number, shift = 0) =>
  [11, 22, 33, 44].map((seed, c) => autoregressive(length, phi, seed, c === 0 ? shift : 0));

describe('diagnostics', () => {
  it('split R-hat is its formula, written out', () => {
    // Halves 1 2 | 3 4 and 2 4 | 6 8: means 1.5 3.5 3 7, variances 0.5 0.5 2 2, so W = 1.25 and B / n = var(means).
    const means = [1.5, 3.5, 3, 7];
    const grand = 3.75;
    const between = means.reduce((sum, m) => sum + (m - grand) ** 2, 0) / 3;
    const expected = Math.sqrt((between + 1.25 / 2) / 1.25);
    expect(
      diagnostics.splitRHat([
        [1, 2, 3, 4],
        [2, 4, 6, 8],
      ]),
    ).toBeCloseTo(expected, 12);
  });

  it('rank-normalised R-hat is 1 for chains that agree, and tells a shift, a scale and heavy tails', () => {
    const agreeing = chains(1000, 0.3);
    expect(diagnostics.rHat(agreeing)).toBeLessThan(1.01);
    expect(diagnostics.rHat(chains(1000, 0.3, 1))).toBeGreaterThan(1.05);
    // Equal means, one chain four times as wide: the plain statistic is blind, the folded one is not.
    const scaled = agreeing.map((x, c) => (c === 0 ? x.map((v) => 4 * v) : x));
    expect(diagnostics.splitRHat(scaled)).toBeLessThan(1.01);
    expect(diagnostics.rHat(scaled)).toBeGreaterThan(1.1);
    // Cubing keeps ranks, and so keeps what is made of them.
    const cubed = agreeing.map((x) => x.map((v) => v ** 3));
    expect(diagnostics.essBulk(cubed)).toBeCloseTo(diagnostics.essBulk(agreeing), 9);
  });

  it('effective sample sizes are those of an autoregressive process', () => {
    for (const phi of [0, 0.5, 0.9]) {
      const x = chains(10_000, phi);
      const expected = (40_000 * (1 - phi)) / (1 + phi);
      expect(diagnostics.essMean(x) / expected).toBeGreaterThan(0.8);
      expect(diagnostics.essMean(x) / expected).toBeLessThan(1.2);
      expect(diagnostics.essBulk(x) / expected).toBeGreaterThan(0.8);
      expect(diagnostics.essBulk(x) / expected).toBeLessThan(1.2);
      expect(diagnostics.essTail(x)).toBeGreaterThan(0.8 * expected);
      expect(diagnostics.autocorrelationTime(x)).toBeCloseTo(40_000 / diagnostics.essMean(x), 9);
      expect(diagnostics.mcseMean(x)).toBeCloseTo(1 / Math.sqrt(expected), 2);
    }
    // Antithetic draws are worth more than independent ones, up to log10 of their number times.
    expect(diagnostics.essMean(chains(1000, -0.8))).toBeGreaterThan(4000);
    expect(diagnostics.essMean(chains(1000, -0.8))).toBeLessThanOrEqual(4000 * Math.log10(4000) + 1e-6);
  });

  // Two chains of Stan's "blocker" example (BSD-3-Clause; three of its parameters, columns `name.chain`) and what the R package
  // posterior says of them, as recorded by ArviZ in test_diagnostics (R 4.4.2, posterior after 1.6.0, December 2024).
  it.each([
    ['d', 1.00780272388603, 465.136513484671, 349.135270438316, 467.84472286415, 754.211496074801, 0.00265985849234941],
    [
      'sigma_delta',
      1.01090190553445,
      73.2498471698009,
      48.5806371372426,
      95.5938079021702,
      63.6980562732759,
      0.00508027514881167,
    ],
    [
      'delta_new',
      1.00208610605722,
      917.51606421515,
      591.868599290854,
      715.969590769736,
      461.972146449706,
      0.00625781442705714,
    ],
  ])('are those of the R package posterior for the draws of %s', (name, rHat, bulk, tail, mean, tenth, error) => {
    const [head, ...rows] = readFileSync(new URL('./diagnostics.reference.csv', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const columns = head!.split(',');
    const draws = [1, 2].map((chain) => rows.map((row) => Number(row.split(',')[columns.indexOf(`${name}.${chain}`)])));
    const near = (got: number, published: number) => expect(Math.abs(got / published - 1)).toBeLessThan(1e-9);
    near(diagnostics.rHat(draws), rHat);
    near(diagnostics.essBulk(draws), bulk);
    near(diagnostics.essTail(draws), tail);
    near(diagnostics.essMean(draws), mean);
    near(diagnostics.essQuantile(draws, 0.1), tenth);
    near(diagnostics.mcseMean(draws), error);
  });

  it('the effective sample size is its definition, written out', () => {
    // One chain of 14: halves of 7, whose loop looks at the pairs of lags (0, 1), (2, 3), and the even lag 2 ends the sum.
    const x = Array.from(autoregressive(14, 0.7, 5));
    const halves = [x.slice(0, 7), x.slice(7)];
    const mean = (v: number[]) => v.reduce((sum, y) => sum + y, 0) / v.length;
    const means = halves.map(mean);
    const covariance = (lag: number) =>
      mean(
        halves.map((h, c) => mean(h.map((v, i) => (i + lag < 7 ? (v - means[c]!) * (h[i + lag]! - means[c]!) : 0)))),
      );
    const within = (covariance(0) * 7) / 6;
    const pooled = covariance(0) + (means[0]! - means[1]!) ** 2 / 2;
    const rho = (lag: number) => 1 - (within - covariance(lag)) / pooled;
    const first = 1 + rho(1);
    expect(first).toBeGreaterThan(0);
    const time = -1 + 2 * first + Math.max(rho(2), 0);
    expect(diagnostics.essMean([x])).toBeCloseTo(14 / Math.max(time, 1 / Math.log10(14)), 9);
  });

  it('constant, short and infinite chains have no diagnostic; unequal ones are refused', () => {
    for (const bad of [[[1, 1, 1, 1, 1]], [[1, 2]], [[1, 2, Number.NaN, 4]], [[1, 2, Number.POSITIVE_INFINITY, 4]]]) {
      expect(diagnostics.rHat(bad)).toBeNaN();
      expect(diagnostics.essBulk(bad)).toBeNaN();
      expect(diagnostics.essTail(bad)).toBeNaN();
    }
    expect(() =>
      diagnostics.rHat([
        [1, 2, 3, 4],
        [1, 2, 3],
      ]),
    ).toThrow(InvalidArgumentError);
    expect(() => diagnostics.rHat([])).toThrow(InvalidArgumentError);
  });
});
