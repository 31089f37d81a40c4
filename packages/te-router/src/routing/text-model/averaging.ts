// Several settings of the regression, averaged by how well each predicts rows held out (pseudo-model averaging: Y. Yao et al.,
// Bayesian Analysis 13, 2018).
import type { RidgeFit, RidgeTargets } from './ridge';
import type { Goal } from './targets';
import { BLOCKS } from './text-model';

const B = BLOCKS.length;

export interface Candidate {
  /** How likely it is thought to be the best before any row is seen. */
  prior: number;
  /** For FULL_PENALTY rows and more; with fewer, as much less. */
  penalty: number;
  /** Of each block of BLOCKS. */
  weights: readonly number[];
}
export const CANDIDATES: readonly Candidate[] = [
  { prior: 0.3, penalty: 10, weights: [1, 1, 1, 1, 0.02] },
  { prior: 0.25, penalty: 30, weights: [1, 1, 1, 1, 0.1] },
  { prior: 0.2, penalty: 20, weights: [1, 1, 0.5, 0.3, 0.02] },
  { prior: 0.2, penalty: 30, weights: [0.3, 0.3, 1, 2, 0.3] },
  { prior: 0.05, penalty: 30, weights: [0.1, 0.1, 0.2, 0.2, 1] },
];
/** For fits in passing, while outcomes come in. */
export const FEW_CANDIDATES: readonly Candidate[] = [
  { prior: 0.5, penalty: 18, weights: [1, 1, 1, 1, 0.05] },
  { prior: 0.5, penalty: 30, weights: [0.3, 0.3, 0.8, 1.2, 0.5] },
];
/** How much sharper than a fair vote: 1 would be the likelihood's own, which ignores that candidates err alike. */
const SHARPNESS = 0.25;

/** Every target once a candidate; with shares, only those candidates of a target that count. */
export function spread(goal: Goal, candidates: readonly Candidate[], share?: Float64Array): RidgeTargets {
  const C = candidates.length;
  const R = goal.count * C;
  const rows = goal.values.length / goal.count;
  const values = new Float64Array(rows * R);
  const known = new Uint8Array(rows * R);
  for (let i = 0; i < rows; i++)
    for (let t = 0; t < goal.count; t++)
      for (let c = 0; c < C; c++) {
        values[i * R + t * C + c] = goal.values[i * goal.count + t]!;
        known[i * R + t * C + c] = share && share[t * C + c]! === 0 ? 0 : goal.known[i * goal.count + t]!;
      }
  return {
    count: R,
    values,
    known,
    blocks: B,
    penalty: Float64Array.from({ length: R }, (_, r) => candidates[r % C]!.penalty),
    blockWeight: Float64Array.from({ length: R * B }, (_, x) => candidates[Math.floor(x / B) % C]!.weights[x % B]!),
  };
}

/** How much each candidate counts for each target: targets x candidates, each target's sum 1. */
export function shares(
  goal: Goal,
  said: readonly Float64Array[],
  fold: Int32Array,
  candidates: readonly Candidate[],
): Float64Array {
  const R = goal.count;
  const C = candidates.length;
  const out = new Float64Array(R * C);
  for (const group of new Set(goal.group)) {
    const members = [...goal.group.keys()].filter((t) => goal.group[t] === group);
    const losses = new Float64Array(C);
    let count = 0;
    if (said.length > 0)
      for (let i = 0; i < fold.length; i++)
        for (const t of members) {
          if (!goal.known[i * R + t]) continue;
          count++;
          for (let c = 0; c < C; c++)
            losses[c]! += (goal.values[i * R + t]! - said[fold[i]!]![i * R * C + t * C + c]!) ** 2;
        }
    const best = Math.min(...losses);
    const variance = count > 0 ? best / count : 1;
    // Targets of one row err together, so a row counts once, not once a target.
    const weights = [...losses].map(
      (l, c) =>
        candidates[c]!.prior * Math.exp((-SHARPNESS * (l - best)) / (2 * Math.max(variance, 1e-9) * members.length)),
    );
    const kept = weights.map((w) => (w < 0.02 ? 0 : w));
    const total = kept.reduce((a, b) => a + b, 0);
    for (const t of members) for (let c = 0; c < C; c++) out[t * C + c] = kept[c]! / total;
  }
  return out;
}

/** The average of the candidates' fits, which is a fit again, since all are linear. */
export function blend(fit: RidgeFit, share: Float64Array, R: number, C: number): RidgeFit {
  const average = (from: ArrayLike<number>, out: Float64Array | Float32Array) => {
    for (let x = 0; x < out.length; x++) {
      const row = Math.floor(x / R) * R * C;
      const t = x % R;
      let sum = 0;
      for (let c = 0; c < C; c++) {
        const w = share[t * C + c]!;
        if (w > 0) sum += w * from[row + t * C + c]!;
      }
      out[x] = sum;
    }
    return out;
  };
  return {
    count: R,
    intercept: average(fit.intercept, new Float64Array(R)) as Float64Array,
    sparse: average(fit.sparse, new Float32Array(fit.sparse.length / C)) as Float32Array,
    dense: average(fit.dense, new Float64Array(fit.dense.length / C)) as Float64Array,
  };
}

/** Slopes of the outcomes on what was expected of rows held out, one a group: penalties flatten, this straightens. */
export function calibrate(goal: Goal, held: Float64Array, intercept: Float64Array, slopes: Float64Array): void {
  const R = goal.count;
  for (const group of new Set(goal.group)) {
    let xy = 0;
    let xx = 0;
    let rows = 0;
    for (let i = 0; i < held.length; i++) {
      const t = i % R;
      if (goal.group[t] !== group || !goal.known[i]) continue;
      const x = held[i]! - intercept[t]!;
      xy += x * (goal.values[i]! - intercept[t]!);
      xx += x * x;
      rows++;
    }
    if (rows < 100 || xx <= 0) continue;
    const slope = Math.max(0.5, Math.min(2, xy / xx));
    for (let t = 0; t < R; t++) if (goal.group[t] === group) slopes[t] = slope;
  }
}
