// A covariance matrix that is kept as a square root, so that it stays one however many observations come.

/**
 * `C = L L'` of a multivariate normal distribution in units of the noise variance. An observation along `x` adds `x x'` to the inverse
 * of C; the root is updated by the method of J. E. Potter (1963; see G. J. Bierman, "Factorization methods for discrete sequential
 * estimation", 1977), in O(n^2) and without ever subtracting two covariances.
 */
export class SquareRoot {
  /** L, a row after the other. */
  readonly root: Float64Array;
  readonly #across: Float64Array;

  /** @param variance of each number beforehand, all being independent. */
  constructor(
    readonly size: number,
    variance: number,
  ) {
    this.root = new Float64Array(size * size);
    for (let i = 0; i < size; i++) this.root[i * size + i] = Math.sqrt(variance);
    this.#across = new Float64Array(size);
  }

  /** `L' x`, whose squared length is the variance along x. The array is written anew by the next call. */
  across(x: Float64Array): Float64Array {
    const { size, root } = this;
    const out = this.#across;
    out.fill(0);
    // Four rows at a time: a sum is read and written once for four products.
    let i = 0;
    for (; i + 4 <= size; i += 4) {
      const [a, b, c, d] = [x[i]!, x[i + 1]!, x[i + 2]!, x[i + 3]!];
      let at = i * size;
      for (let j = 0; j < size; j++, at++)
        out[j]! += a * root[at]! + b * root[at + size]! + c * root[at + 2 * size]! + d * root[at + 3 * size]!;
    }
    for (; i < size; i++) for (let j = 0; j < size; j++) out[j]! += x[i]! * root[i * size + j]!;
    return out;
  }

  /** `L y`: with y of standard normal numbers a draw about 0; with `y = L' x`, `C x`. */
  times(y: Float64Array, out: Float64Array): Float64Array {
    const { size, root } = this;
    let i = 0;
    for (; i + 4 <= size; i += 4) {
      let [a, b, c, d] = [0, 0, 0, 0];
      let at = i * size;
      for (let j = 0; j < size; j++, at++) {
        const yj = y[j]!;
        a += root[at]! * yj;
        b += root[at + size]! * yj;
        c += root[at + 2 * size]! * yj;
        d += root[at + 3 * size]! * yj;
      }
      out[i] = a;
      out[i + 1] = b;
      out[i + 2] = c;
      out[i + 3] = d;
    }
    for (; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += root[i * size + j]! * y[j]!;
      out[i] = sum;
    }
    return out;
  }

  /** `C x`. Returns the variance along x. */
  covariance(x: Float64Array, out: Float64Array): number {
    const f = this.across(x);
    this.times(f, out);
    return dot(f, f);
  }

  /** Takes an observation along x of unit noise. Writes `C x` of before to `gain`; returns the variance along x of before. */
  observe(x: Float64Array, gain: Float64Array): number {
    const { size, root } = this;
    const variance = this.covariance(x, gain);
    const f = this.#across;
    const shrink = 1 / (1 + variance);
    const factor = shrink / (1 + Math.sqrt(shrink));
    for (let i = 0; i < size; i++) {
      const row = i * size;
      const g = factor * gain[i]!;
      for (let j = 0; j < size; j++) root[row + j]! -= g * f[j]!;
    }
    return variance;
  }
}

export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}
