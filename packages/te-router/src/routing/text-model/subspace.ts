// Topics without labels: the subspace that holds most of the texts' word vectors (latent semantic analysis; S. Deerwester
// et al., J. Am. Soc. Inf. Sci. 41, 1990), by a randomised range finder with power iterations (N. Halko, P. G.
// Martinsson, J. A. Tropp, SIAM Review 53, 2011, algorithms 4.4 and 5.1).
import { gaussians } from './random';
import { RowSums } from './row-sums';
import type { SparseRow, SparseRows } from './vocabulary';

const EXTRA = 8;
const POWER = 3;

/** Words of a row that are read at most. */
const MOST = 4096;

/** Projects the words of sparse rows to `rank` dimensions and scales the result to length 1. */
export class Subspace {
  private readonly sums: RowSums;

  constructor(
    readonly rank: number,
    /** words x rank. */
    readonly axes: Float32Array,
  ) {
    const words = rank > 0 ? axes.length / rank : 0;
    this.sums = new RowSums(words, rank, MOST);
    const { table, stride } = this.sums;
    for (let w = 0; w < words; w++) table.set(axes.subarray(w * rank, (w + 1) * rank), w * stride);
  }

  /** Writes `rank` coordinates. A row without a known word is 0. */
  project(row: SparseRow, out: Float32Array): void {
    const { rank, sums } = this;
    const { index, weight, out: u } = sums;
    const count = rank > 0 ? Math.min(MOST, row.words) : 0;
    for (let k = 0; k < count; k++) {
      index[k] = row.index[k]!;
      weight[k] = row.value[k]!;
    }
    sums.compute(count);
    let squares = 0;
    for (let j = 0; j < rank; j++) squares += u[j]! * u[j]!;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let j = 0; j < rank; j++) out[j] = u[j]! * scale;
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
