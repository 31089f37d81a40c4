// How expected quality and cost become one choice: the model with the largest quality - lambda x cost / dearest cost.
// Lambda is given, or found on questions whose outcomes are known, from what was expected of them before they were seen.
import { numberIn, objectIn, refuse } from '@x/cuda-core/addon';

export type Policy =
  /** What the dearest model's mean cost is worth, in quality. 0: the best expected quality whatever it costs. */
  | { lambda: number }
  /** The best expected quality at this part of the cost of always asking the reference model, (0, 1]. */
  | { costShare: number }
  /** The least cost at this part of the reference model's quality, (0, 1]. */
  | { quality: number };

export interface TunedPolicy {
  lambda: number;
  /** The single model of the best mean quality on the rows the policy was tuned on. */
  reference: string;
  /** What the policy yielded on those rows, each judged by a fit that had not seen it. */
  quality: number;
  qualityShare: number;
  cost: number;
  costShare: number;
}

export const DEFAULT_LAMBDA = 0.15;

/** Which kind of policy, checked. */
export function policyIn(value: unknown): Policy {
  const policy = objectIn(value, 'policy');
  const keys = Object.keys(policy).filter((k) => policy[k] !== undefined);
  const [key] = keys;
  if (keys.length !== 1 || (key !== 'lambda' && key !== 'costShare' && key !== 'quality'))
    refuse('policy', 'policy must hold one of lambda, costShare and quality.');
  if (key === 'lambda') numberIn(policy.lambda, 'policy.lambda', { min: 0 });
  else numberIn(policy[key as string], `policy.${key}`, { min: 0, above: true, max: 1 });
  return policy as Policy;
}

export interface PolicyRows {
  /** rows x models: expected. */
  expected: Float64Array;
  /** rows x models: what came of it; rows with an unknown outcome must be left out. */
  outcome: Float64Array;
  /** rows x models: expected cost, and the real one. */
  expectedCost: Float64Array;
  cost: Float64Array;
  models: readonly string[];
}

/** Index of the model with the largest quality - lambda x cost / scale; the cheaper one of equals. */
export function choose(
  quality: ArrayLike<number>,
  cost: ArrayLike<number>,
  lambda: number,
  scale: number,
  at = 0,
  M = quality.length,
): number {
  let best = 0;
  let value = Number.NEGATIVE_INFINITY;
  for (let m = 0; m < M; m++) {
    const v = quality[at + m]! - (lambda * cost[at + m]!) / scale;
    if (v > value || (v === value && cost[at + m]! < cost[at + best]!)) {
      best = m;
      value = v;
    }
  }
  return best;
}

/** Mean cost of the dearest model: the unit of lambda. */
export function costScale(cost: Float64Array, M: number): number {
  const sums = new Float64Array(M);
  for (let i = 0; i < cost.length; i++) sums[i % M]! += cost[i]!;
  return Math.max(...sums) / (cost.length / M);
}

/** Finds lambda on the rows; undefined where there are none. */
export function tune(policy: Policy, rows: PolicyRows): TunedPolicy | undefined {
  const M = rows.models.length;
  const n = rows.expected.length / M;
  if (n === 0) return undefined;
  const quality = new Float64Array(M);
  const cost = new Float64Array(M);
  for (let i = 0; i < n * M; i++) {
    quality[i % M]! += rows.outcome[i]! / n;
    cost[i % M]! += rows.cost[i]! / n;
  }
  let reference = 0;
  for (let m = 1; m < M; m++) if (quality[m]! > quality[reference]!) reference = m;
  const scale = costScale(rows.expectedCost, M);
  const yields = (lambda: number) => {
    let q = 0;
    let c = 0;
    for (let i = 0; i < n; i++) {
      const m = choose(rows.expected, rows.expectedCost, lambda, scale, i * M, M);
      q += rows.outcome[i * M + m]! / n;
      c += rows.cost[i * M + m]! / n;
    }
    return { lambda, q, c };
  };
  let found = yields('lambda' in policy ? policy.lambda : 0);
  if (!('lambda' in policy)) {
    // The choice changes at differences of quality over differences of cost: their quantiles are where to look.
    const steps: number[] = [];
    for (let i = 0; i < n; i++)
      for (let a = 0; a < M; a++)
        for (let b = 0; b < M; b++) {
          const dear = rows.expectedCost[i * M + a]! - rows.expectedCost[i * M + b]!;
          const gain = rows.expected[i * M + a]! - rows.expected[i * M + b]!;
          if (dear > 0 && gain > 0) steps.push((gain * scale) / dear);
        }
    steps.sort((a, b) => a - b);
    const grid = Array.from({ length: 400 }, (_, g) => steps[Math.floor(((g + 0.5) * steps.length) / 400)] ?? 0);
    grid.push((steps.at(-1) ?? 0) * 1.01);
    const tried = grid.map(yields);
    if ('costShare' in policy) {
      const limit = policy.costShare * cost[reference]!;
      if (found.c > limit) found = tried.find((y) => y.c <= limit) ?? tried.at(-1)!;
    } else {
      // Qualities on few rows are ragged: neighbours are averaged, lest the luckiest lambda be taken.
      for (let g = 0; g < tried.length; g++) {
        const near = tried.slice(Math.max(0, g - 6), g + 7);
        if (near.reduce((s, y) => s + y.q, 0) / near.length >= policy.quality * quality[reference]!) found = tried[g]!;
      }
    }
  }
  return {
    lambda: found.lambda,
    reference: rows.models[reference]!,
    quality: found.q,
    qualityShare: quality[reference]! > 0 ? found.q / quality[reference]! : 1,
    cost: found.c,
    costShare: cost[reference]! > 0 ? found.c / cost[reference]! : 1,
  };
}
