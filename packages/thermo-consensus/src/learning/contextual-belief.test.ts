import { describe, expect, it } from 'vitest';
import { ContextualBelief } from './contextual-belief';
import { FeatureMap } from './feature-map';
import { normals } from './random';
import { TEXT_FEATURES, textFeatures } from './text-features';

const COMMON = 3;
const OWN = 10;

/** Solves A X = B by Gauss elimination; A, B are arrays of rows. */
function solve(a: number[][], b: number[][]): number[][] {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  for (let i = 0; i < n; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(rows[best]![i]!) ? i + k : best), i);
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = rows[k]![i]! / rows[i]![i]!;
      for (let j = i; j < rows[k]!.length; j++) rows[k]![j]! -= factor * rows[i]![j]!;
    }
  }
  return rows.map((row, i) => row.slice(n).map((v) => v / row[i]!));
}

interface Seen {
  model: number;
  x: number[];
  y: number;
}

/** The definition: all weights [w, v_0, v_1, ...] in one regression; mean and variance, in units of the noise, of x (w + v_m). */
function definition(models: number, size: number, seen: readonly Seen[], model: number, x: readonly number[]) {
  const n = (models + 1) * size;
  const row = (m: number, values: readonly number[]) => {
    const out = new Array<number>(n).fill(0);
    values.forEach((v, k) => {
      out[k] = v;
      out[(m + 1) * size + k] = v;
    });
    return out;
  };
  const precision = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => (i === j ? (i < size ? COMMON : OWN) : 0)),
  );
  const pull = new Array<number>(n).fill(0);
  for (const { model: m, x: values, y } of seen) {
    const r = row(m, values);
    for (let i = 0; i < n; i++) {
      pull[i]! += r[i]! * y;
      for (let j = 0; j < n; j++) precision[i]![j]! += r[i]! * r[j]!;
    }
  }
  const at = row(model, x);
  const solved = solve(
    precision,
    at.map((v, i) => [pull[i]!, v]),
  );
  return {
    mean: solved.reduce((s, [w], i) => s + w! * at[i]!, 0),
    variance: solved.reduce((s, [, c], i) => s + c! * at[i]!, 0),
  };
}

function stream(count: number, models: number, size: number, seed: number): Seen[] {
  const normal = normals(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = Array.from({ length: size }, () => normal());
    return { model: i % models, x, y: 0.3 * x[0]! - 0.2 * x[1]! * (i % models) + 0.3 * normal() };
  });
}

const learn = (belief: ContextualBelief, seen: readonly Seen[]) => {
  for (const { model, x, y } of seen) belief.observe(model, Float64Array.from(x), y);
};

function predictions(belief: ContextualBelief, x: readonly number[]) {
  const shifts = new Float64Array(belief.models);
  const variances = new Float64Array(belief.models);
  belief.predict(Float64Array.from(x), shifts, variances);
  return [...shifts].map((mean, i) => ({ mean, variance: variances[i]! }));
}

describe('the contextual belief', () => {
  it.each([
    ['one outcome', 1, 3],
    ['fewer outcomes than weights', 7, 4],
    ['many outcomes', 200, 3],
  ])('is the exact posterior of the hierarchical regression: %s', (_, count, models) => {
    const size = 4;
    // The last model is never seen.
    const seen = stream(count, models - 1, size, count);
    const belief = new ContextualBelief(models, size, 1, false);
    learn(belief, seen);
    const x = [0.7, -1.1, 0.4, 1];
    for (const [m, { mean, variance }] of predictions(belief, x).entries()) {
      const exact = definition(models, size, seen, m, x);
      expect(mean).toBeCloseTo(exact.mean, 9);
      expect(variance / belief.noise).toBeCloseTo(exact.variance, 9);
    }
  });

  it("one model's failures lower what is expected of another there", () => {
    const belief = new ContextualBelief(3, 2, 1, false);
    for (let i = 0; i < 40; i++) belief.observe(i % 2, Float64Array.of(1, i % 2 ? 1 : 0.9), -0.5);
    const [, , unseen] = predictions(belief, [1, 1]);
    expect(unseen!.mean).toBeLessThan(-0.3);
    expect(unseen!.variance).toBeGreaterThan(predictions(belief, [1, 1])[0]!.variance);
  });

  it('draws have the mean and the covariance that are predicted', () => {
    const models = 3;
    const size = 3;
    const belief = new ContextualBelief(models, size, 1, false);
    learn(belief, stream(30, 2, size, 5));
    const x = [0.5, 1, -0.8];
    const along = (weights: Float64Array, m: number) => x.reduce((s, v, k) => s + v * weights[m * size + k]!, 0);
    const normal = normals(11);
    const draws = Array.from({ length: 20_000 }, () => belief.weights(1, normal));
    const means = belief.weights(0, normal);
    const expected = predictions(belief, x);
    for (let m = 0; m < models; m++) {
      const values = draws.map((w) => along(w, m));
      const mean = values.reduce((s, v) => s + v, 0) / values.length;
      const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length;
      expect(along(means, m)).toBeCloseTo(expected[m]!.mean, 10);
      expect(Math.abs(mean - expected[m]!.mean)).toBeLessThan(4 * Math.sqrt(expected[m]!.variance / values.length));
      expect(variance / expected[m]!.variance).toBeGreaterThan(0.95);
      expect(variance / expected[m]!.variance).toBeLessThan(1.05);
    }
    // Of a sum over models, which are not independent.
    const directions = Float64Array.from([...x, ...x.map((v) => -v), ...x]);
    const sums = draws.map((w) => along(w, 0) - along(w, 1) + along(w, 2));
    const mean = sums.reduce((s, v) => s + v, 0) / sums.length;
    const variance = sums.reduce((s, v) => s + (v - mean) ** 2, 0) / sums.length;
    expect(variance / belief.varianceAlong(directions)).toBeCloseTo(1, 1);
  });

  it('what is fitted anew is what was learnt one by one', () => {
    const seen = stream(60, 2, 4, 9);
    const once = new ContextualBelief(3, 4, 1, false);
    learn(once, seen);
    // A share that is as good as 1, and still refits: nothing has faded when it does.
    const anew = new ContextualBelief(3, 4, 1, true);
    learn(anew, seen);
    anew.forgetAllBut(0, 30 * (1 - 1e-12));
    const x = [1, -1, 0.5, 0.2];
    for (const [m, { mean, variance }] of predictions(anew, x).entries()) {
      expect(mean).toBeCloseTo(predictions(once, x)[m]!.mean, 8);
      expect(variance).toBeCloseTo(predictions(once, x)[m]!.variance, 8);
    }
  });

  it('forgets: after a switch it follows, without forgetting it does not', () => {
    const after = (forgetting: number) => {
      const belief = new ContextualBelief(1, 2, forgetting, forgetting < 1);
      for (let i = 0; i < 600; i++) belief.observe(0, Float64Array.of(1, i % 2), (i % 2) * (i < 400 ? 0.5 : -0.5));
      return predictions(belief, [1, 1])[0]!.mean;
    };
    expect(after(0.97)).toBeLessThan(-0.3);
    expect(after(1)).toBeGreaterThan(0);
  });

  it('a change leaves the latest outcomes their weight and takes it from the rest', () => {
    const belief = new ContextualBelief(2, 2, 1, true);
    for (let i = 0; i < 200; i++) belief.observe(0, Float64Array.of(1, i % 2), i % 2 ? 0.4 : 0);
    const before = predictions(belief, [1, 1])[0]!;
    belief.forgetAllBut(0, 10);
    const [changed] = predictions(belief, [1, 1]);
    expect(changed!.variance).toBeGreaterThan(4 * before.variance);
    for (let i = 0; i < 30; i++) belief.observe(0, Float64Array.of(1, i % 2), i % 2 ? -0.4 : 0);
    expect(predictions(belief, [1, 1])[0]!.mean).toBeLessThan(-0.1);
  });

  it('learns the noise', () => {
    const belief = new ContextualBelief(2, 4, 1, false);
    learn(belief, stream(3000, 2, 4, 3)); // deviation 0.3
    expect(belief.noise).toBeCloseTo(0.09, 2);
  });

  it('is restored to the bit', () => {
    const belief = new ContextualBelief(3, 4, 0.98, true);
    learn(belief, stream(50, 2, 4, 1));
    const copy = new ContextualBelief(3, 4, 0.98, true);
    copy.restore(JSON.parse(JSON.stringify(belief.toJSON())));
    learn(belief, stream(50, 3, 4, 2));
    learn(copy, stream(50, 3, 4, 2));
    expect(predictions(copy, [1, 2, 3, 4])).toEqual(predictions(belief, [1, 2, 3, 4]));
  });
});

describe('features', () => {
  const texts = {
    empty: '',
    blank: ' \n\t ',
    question: 'Which of these is a metal?\nA) iron\nB) oxygen\n(C) neon',
    code: 'def f(x):\n    return {x: [y ** 2 for y in range(x)]}',
    other: '¿Cuántos años tiene? 何歳ですか \ud800',
    long: 'word 12 '.repeat(200_000),
    control: '\u0000\u0001\uffff'.repeat(50),
  };
  it.each(Object.entries(texts))('of any text are finite and of unit size: %s', (_, text) => {
    const features = textFeatures(text);
    expect(features).toHaveLength(TEXT_FEATURES);
    for (const v of features) expect(Math.abs(v)).toBeLessThanOrEqual(2.5);
    expect(textFeatures(text)).toEqual(features);
  });
  it('tell answer options from none', () => {
    const options = (text: string) => textFeatures(text)[11];
    expect(options(texts.question)).toBeGreaterThan(options(texts.code)!);
    expect(options('A. one\nB. two')).toBe(options('1) one\n2) two'));
  });

  it("regressors' products approximate a Gaussian kernel", () => {
    const map = new FeatureMap(5);
    const cosines = (x: Float64Array) => map.map(x).subarray(6);
    const kernel = (a: Float64Array, b: Float64Array) => cosines(a).reduce((s, v, i) => s + v * cosines(b)[i]!, 0);
    const normal = normals(2);
    for (let k = 0; k < 20; k++) {
      const a = Float64Array.from({ length: 5 }, normal);
      const b = a.map((v) => v + normal());
      const distance = a.reduce((s, v, i) => s + (v - b[i]!) ** 2, 0);
      const scale = 3.5 * Math.sqrt(5 / 20);
      expect(Math.abs(kernel(a, b) - Math.exp(-distance / (2 * scale * scale)))).toBeLessThan(0.4);
    }
  });
  it('of an embedding only the direction counts, and near ones stay near', () => {
    const map = new FeatureMap(300);
    const normal = normals(4);
    const a = Float64Array.from({ length: 300 }, normal);
    const b = a.map((v) => v + 0.1 * normal());
    const c = Float64Array.from({ length: 300 }, normal);
    const apart = (x: Float64Array, y: Float64Array) =>
      map.map(x).reduce((s, v, i) => s + (v - map.map(y)[i]!) ** 2, 0);
    expect(
      apart(
        a,
        a.map((v) => 1e-200 * v),
      ),
    ).toBeLessThan(1e-20);
    expect(apart(a, b)).toBeLessThan(0.1 * apart(a, c));
    expect([...map.map(new Float64Array(300))].every(Number.isFinite)).toBe(true);
  });
});
