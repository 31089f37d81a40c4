// Topics without labels: the subspace that holds most of the texts' word vectors (latent semantic analysis; S. Deerwester
// et al., J. Am. Soc. Inf. Sci. 41, 1990), by a randomised range finder with power iterations (N. Halko, P. G.
// Martinsson, J. A. Tropp, SIAM Review 53, 2011, algorithms 4.4 and 5.1).
import { gaussians } from './random';
import type { SparseRow, SparseRows } from './vocabulary';

const EXTRA = 8;
const POWER = 3;

/** Projects the part of sparse rows whose index is below `words` to `rank` dimensions and scales it to length 1. */
export class Subspace {
  readonly words: number;
  /** Rows of `axes`, padded to a multiple of eight. */
  private readonly padded: Float32Array;
  private readonly stride: number;

  constructor(
    readonly rank: number,
    /** words x rank. */
    readonly axes: Float32Array,
  ) {
    this.words = rank > 0 ? axes.length / rank : 0;
    this.stride = (rank + 7) & ~7;
    this.padded = axes;
    if (this.stride === rank) return;
    this.padded = new Float32Array(this.words * this.stride);
    for (let w = 0; w < this.words; w++) this.padded.set(axes.subarray(w * rank, (w + 1) * rank), w * this.stride);
  }

  /** Writes `rank` coordinates. A row without a known word is 0. */
  project(row: SparseRow, out: Float32Array): void {
    const { rank, words, padded: axes, stride } = this;
    // Eight sums at a time stay in registers.
    const u = out;
    const { index, value, length } = row;
    for (let j = 0; j < rank; j += 8) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      let e = 0;
      let f = 0;
      let g = 0;
      let h = 0;
      for (let k = 0; k < length; k++) {
        const i = index[k]!;
        if (i >= words) continue;
        const v = value[k]!;
        const at = i * stride + j;
        a += v * axes[at]!;
        b += v * axes[at + 1]!;
        c += v * axes[at + 2]!;
        d += v * axes[at + 3]!;
        e += v * axes[at + 4]!;
        f += v * axes[at + 5]!;
        g += v * axes[at + 6]!;
        h += v * axes[at + 7]!;
      }
      u[j] = a;
      if (j + 1 < rank) u[j + 1] = b;
      if (j + 2 < rank) u[j + 2] = c;
      if (j + 3 < rank) u[j + 3] = d;
      if (j + 4 < rank) u[j + 4] = e;
      if (j + 5 < rank) u[j + 5] = f;
      if (j + 6 < rank) u[j + 6] = g;
      if (j + 7 < rank) u[j + 7] = h;
    }
    let squares = 0;
    for (let j = 0; j < rank; j++) squares += u[j]! * u[j]!;
    if (squares > 0) {
      const scale = 1 / Math.sqrt(squares);
      for (let j = 0; j < rank; j++) u[j]! *= scale;
    }
  }

  static *build(rows: SparseRows, words: number, wanted: number, seed: number): Generator<void, Subspace> {
    const n = rows.start.length - 1;
    const rank = Math.min(wanted, n - 1, words);
    if (rank < 1) return new Subspace(0, new Float32Array(0));
    const p = Math.min(rank + EXTRA, n, words);
    // The word part of each row, scaled to length 1, so that long texts do not rule the axes.
    const scale = new Float64Array(n);
    for (let r = 0; r < n; r++) {
      let squares = 0;
      for (let a = rows.start[r]!; a < rows.start[r + 1]!; a++)
        if (rows.index[a]! < words) squares += rows.value[a]! ** 2;
      scale[r] = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    }
    const times = function* (right: Float64Array, out: Float64Array, transposed: boolean): Generator<void> {
      out.fill(0);
      for (let r = 0; r < n; r++) {
        for (let a = rows.start[r]!; a < rows.start[r + 1]!; a++) {
          const index = rows.index[a]!;
          if (index >= words) continue;
          const value = rows.value[a]! * scale[r]!;
          const from = (transposed ? r : index) * p;
          const to = (transposed ? index : r) * p;
          for (let j = 0; j < p; j++) out[to + j]! += value * right[from + j]!;
        }
        if (r % 512 === 511) yield;
      }
    };
    const wide = gaussians(words * p, seed);
    const tall = new Float64Array(n * p);
    for (let i = 0; i < POWER; i++) {
      yield* times(wide, tall, false);
      yield* orthonormalise(tall, n, p);
      yield* times(tall, wide, true);
      if (i < POWER - 1) yield* orthonormalise(wide, words, p);
    }
    // wide = X'Q, so B = Q'X = wide'; the right singular vectors of B are wide W / sigma.
    const gram = new Float64Array(p * p);
    for (let w = 0; w < words; w++) {
      for (let a = 0; a < p; a++) for (let b = 0; b <= a; b++) gram[a * p + b]! += wide[w * p + a]! * wide[w * p + b]!;
      if (w % 1024 === 1023) yield;
    }
    for (let a = 0; a < p; a++) for (let b = 0; b < a; b++) gram[b * p + a] = gram[a * p + b]!;
    yield;
    const { values, vectors } = eigenSymmetric(gram, p);
    const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, rank);
    const axes = new Float32Array(words * rank);
    for (const [j, e] of order.entries()) {
      const sigma = Math.sqrt(Math.max(values[e]!, 1e-12));
      for (let w = 0; w < words; w++) {
        let sum = 0;
        for (let a = 0; a < p; a++) sum += wide[w * p + a]! * vectors[a * p + e]!;
        axes[w * rank + j] = sum / sigma;
      }
    }
    return new Subspace(rank, axes);
  }
}

/** Gram-Schmidt on the p columns of an n x p matrix, twice, for orthogonality to rounding. */
function* orthonormalise(m: Float64Array, n: number, p: number): Generator<void> {
  for (let c = 0; c < p; c++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let b = 0; b < c; b++) {
        let dot = 0;
        for (let r = 0; r < n; r++) dot += m[r * p + b]! * m[r * p + c]!;
        for (let r = 0; r < n; r++) m[r * p + c]! -= dot * m[r * p + b]!;
      }
    }
    let squares = 0;
    for (let r = 0; r < n; r++) squares += m[r * p + c]! ** 2;
    const scale = squares > 1e-20 ? 1 / Math.sqrt(squares) : 0;
    for (let r = 0; r < n; r++) m[r * p + c]! *= scale;
    yield;
  }
}

/** Eigenvalues and (columns) eigenvectors of a symmetric matrix by cyclic Jacobi rotations; the matrix is used up. */
export function eigenSymmetric(m: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let on = 0;
    for (let i = 0; i < n; i++) {
      on += m[i * n + i]! ** 2;
      for (let j = 0; j < i; j++) off += m[i * n + j]! ** 2;
    }
    if (off <= 1e-22 * on) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = m[p * n + q]!;
        if (apq === 0) continue;
        const theta = (m[q * n + q]! - m[p * n + p]!) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const a = m[k * n + p]!;
          const b = m[k * n + q]!;
          m[k * n + p] = c * a - s * b;
          m[k * n + q] = s * a + c * b;
        }
        for (let k = 0; k < n; k++) {
          const a = m[p * n + k]!;
          const b = m[q * n + k]!;
          m[p * n + k] = c * a - s * b;
          m[q * n + k] = s * a + c * b;
          const x = v[k * n + p]!;
          const y = v[k * n + q]!;
          v[k * n + p] = c * x - s * y;
          v[k * n + q] = s * x + c * y;
        }
      }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => m[i * n + i]!), vectors: v };
}
