// Ridge regression on sparse and dense features together, many targets at once, each with its own penalty and its own
// weight of every block of features. Solved in the dual, (K + penalty) a = y with K = sum of weight x features features',
// by conjugate gradients (M. R. Hestenes, E. Stiefel, J. Res. NBS 49, 1952): K is never formed.
import type { SparseRows } from './vocabulary';

export interface Design {
  rows: number;
  sparse: SparseRows;
  /** Sparse features, and which of the blocks each belongs to. */
  sparseBlock: Uint8Array;
  /** rows x dense features. */
  dense: Float32Array;
  denseBlock: Uint8Array;
}

export interface RidgeTargets {
  count: number;
  /** rows x count. */
  values: Float64Array;
  /** rows x count, 1 where the value is known and may be learnt from. */
  known: Uint8Array;
  penalty: Float64Array;
  /** count x blocks: how much each block of features may explain. */
  blockWeight: Float64Array;
  blocks: number;
}

export interface RidgeFit {
  count: number;
  intercept: Float64Array;
  /** sparse features x count. */
  sparse: Float32Array;
  /** dense features x count. */
  dense: Float64Array;
}

const TOLERANCE = 2e-3;
const ITERATIONS = 60;
const SLICE = 256;

export function* fitRidge(design: Design, targets: RidgeTargets): Generator<void, RidgeFit> {
  const { rows: n, sparse, sparseBlock, denseBlock } = design;
  const { count: R, values, known, penalty, blockWeight, blocks } = targets;
  const S = sparseBlock.length;
  const M = denseBlock.length;
  const intercept = new Float64Array(R);
  const counts = new Float64Array(R);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < R; r++)
      if (known[i * R + r]) {
        intercept[r]! += values[i * R + r]!;
        counts[r]!++;
      }
  for (let r = 0; r < R; r++) intercept[r] = counts[r]! > 0 ? intercept[r]! / counts[r]! : 0;

  const a = new Float64Array(n * R);
  const residual = new Float64Array(n * R);
  for (let i = 0; i < n * R; i++) if (known[i]) residual[i] = values[i]! - intercept[i % R]!;
  const direction = Float64Array.from(residual);
  const image = new Float64Array(n * R);
  const wSparse = new Float32Array(S * R);
  const wDense = new Float64Array(M * R);

  /** w = block weights x features' v. */
  const gather = function* (v: Float64Array): Generator<void> {
    wSparse.fill(0);
    wDense.fill(0);
    for (let i = 0; i < n; i++) {
      const from = i * R;
      for (let e = sparse.start[i]!; e < sparse.start[i + 1]!; e++) {
        const to = sparse.index[e]! * R;
        const x = sparse.value[e]!;
        for (let r = 0; r < R; r++) wSparse[to + r]! += x * v[from + r]!;
      }
      for (let j = 0; j < M; j++) {
        const x = design.dense[i * M + j]!;
        const to = j * R;
        for (let r = 0; r < R; r++) wDense[to + r]! += x * v[from + r]!;
      }
      if (i % SLICE === SLICE - 1) yield;
    }
    for (let s = 0; s < S; s++)
      for (let r = 0; r < R; r++) wSparse[s * R + r]! *= blockWeight[r * blocks + sparseBlock[s]!]!;
    for (let j = 0; j < M; j++)
      for (let r = 0; r < R; r++) wDense[j * R + r]! *= blockWeight[r * blocks + denseBlock[j]!]!;
  };

  let squares = dots(residual, residual, R);
  const goal = squares.map((s) => s * TOLERANCE ** 2);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    if (squares.every((s, r) => s <= goal[r]!)) break;
    yield* gather(direction);
    for (let i = 0; i < n; i++) {
      rowTimes(design, i, R, wSparse, wDense, image, i * R);
      for (let r = 0; r < R; r++) {
        const at = i * R + r;
        image[at] = known[at] ? image[at]! + penalty[r]! * direction[at]! : 0;
      }
      if (i % SLICE === SLICE - 1) yield;
    }
    const curvature = dots(direction, image, R);
    const step = squares.map((s, r) => (s > goal[r]! && curvature[r]! > 0 ? s / curvature[r]! : 0));
    for (let i = 0; i < n * R; i++) {
      const r = i % R;
      a[i]! += step[r]! * direction[i]!;
      residual[i]! -= step[r]! * image[i]!;
    }
    const next = dots(residual, residual, R);
    for (let i = 0; i < n * R; i++) {
      const r = i % R;
      if (step[r]! > 0) direction[i] = residual[i]! + (next[r]! / squares[r]!) * direction[i]!;
    }
    squares = next;
  }
  yield* gather(a);
  return { count: R, intercept, sparse: wSparse, dense: wDense };
}

/** What a fit says of row i: `count` values into out from `at` on. */
export function rowPrediction(design: Design, fit: RidgeFit, i: number, out: Float64Array, at: number): void {
  rowTimes(design, i, fit.count, fit.sparse, fit.dense, out, at);
  for (let r = 0; r < fit.count; r++) out[at + r]! += fit.intercept[r]!;
}

function rowTimes(
  design: Design,
  i: number,
  R: number,
  wSparse: Float32Array,
  wDense: Float64Array,
  out: Float64Array,
  at: number,
): void {
  const { sparse, dense } = design;
  const M = design.denseBlock.length;
  for (let r = 0; r < R; r++) out[at + r] = 0;
  for (let e = sparse.start[i]!; e < sparse.start[i + 1]!; e++) {
    const from = sparse.index[e]! * R;
    const x = sparse.value[e]!;
    for (let r = 0; r < R; r++) out[at + r]! += x * wSparse[from + r]!;
  }
  for (let j = 0; j < M; j++) {
    const x = dense[i * M + j]!;
    for (let r = 0; r < R; r++) out[at + r]! += x * wDense[j * R + r]!;
  }
}

function dots(u: Float64Array, v: Float64Array, R: number): Float64Array {
  const out = new Float64Array(R);
  for (let i = 0; i < u.length; i++) out[i % R]! += u[i]! * v[i]!;
  return out;
}
