import { describe, expect, it } from 'vitest';
import { Forest } from './forest';
import { uniforms } from './random';
import { RowSums } from './row-sums';

function run<T>(work: Generator<void, T>): T {
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}

/** Two outputs on two features of four: a sharp border that no linear function has, and its opposite. */
function chessboard(n: number) {
  const draw = uniforms(3);
  const x = new Float32Array(4 * n);
  const values = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    for (let f = 0; f < 4; f++) x[4 * i + f] = draw();
    const field = x[4 * i]! > 0.5 === x[4 * i + 1]! > 0.5 ? 1 : 0;
    values[2 * i] = draw() < 0.1 ? 1 - field : field;
    values[2 * i + 1] = 1 - field;
  }
  return { x, values };
}

describe('Forest', () => {
  const { x, values } = chessboard(800);
  const targets = { values, count: 2, kept: 2, weight: new Float64Array([1, 1]) };
  const fit = () => run(Forest.fit(x, 4, targets, { trees: 40, leaf: 5, seed: 1 }));

  it('learns borders that no linear function has, and its unseen estimates tell the same', () => {
    const { forest, unseen } = fit();
    const out = new Float64Array(2);
    for (const [a, b, field] of [
      [0.2, 0.2, 1],
      [0.8, 0.8, 1],
      [0.2, 0.8, 0],
      [0.8, 0.2, 0],
    ] as const) {
      forest.predict(Float32Array.from([a, b, 0.5, 0.5]), out);
      expect(Math.abs(out[1]! - (1 - field))).toBeLessThan(0.4); // a guess: 0.5
      expect(Math.abs(out[0]! - field)).toBeLessThan(0.4);
    }
    let error = 0;
    for (let i = 0; i < 800; i++) error += (unseen[2 * i + 1]! - values[2 * i + 1]!) ** 2 / 800;
    expect(error).toBeLessThan(0.12); // a guess: 0.25
  });

  it('does not see in its unseen estimates what is there by chance alone', () => {
    const draw = uniforms(9);
    const noise = { ...targets, values: Float64Array.from(values, () => (draw() < 0.5 ? 1 : 0)) };
    const { unseen } = run(Forest.fit(x, 4, noise, { trees: 40, leaf: 5, seed: 1 }));
    let error = 0;
    for (let i = 0; i < 1600; i++) error += (unseen[i]! - noise.values[i]!) ** 2 / 1600;
    expect(error).toBeGreaterThan(0.24);
  });

  it('grows the same trees from the same seed', () => {
    expect(fit().forest.state).toEqual(fit().forest.state);
  });
});

describe('RowSums', () => {
  it.each([1, 16, 33])('sums weighted rows of width %i as scalar code does', (width) => {
    const draw = uniforms(5);
    const sums = new RowSums(50, width, 20);
    for (let r = 0; r < 50; r++) for (let c = 0; c < width; c++) sums.table[r * sums.stride + c] = draw() - 0.5;
    for (const count of [0, 1, 20]) {
      const expected = new Float64Array(width);
      for (let k = 0; k < count; k++) {
        sums.index[k] = Math.floor(50 * draw());
        sums.weight[k] = draw() - 0.5;
        for (let c = 0; c < width; c++) expected[c]! += sums.weight[k]! * sums.table[sums.index[k]! * sums.stride + c]!;
      }
      sums.compute(count);
      for (let c = 0; c < width; c++) expect(sums.out[c]!).toBeCloseTo(expected[c]!, 5);
    }
  });
});
