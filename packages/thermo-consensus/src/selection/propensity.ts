// With which probability a choice by drawn qualities falls on each model.
import { betaBelow } from '../learning/beta';

/** A model's energy is `others - weight * q`, its quality q being Beta(alpha, beta). */
export interface Contender {
  others: number;
  alpha: number;
  beta: number;
}

/** Distances from each model's mean, in standard deviations, at which the merits are cut; and parts between two cuts. */
const CUTS = [-12, -8, -6, -4.5, -3.5, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3.5, 4.5, 6, 8, 12];
const PARTS = 3;

/**
 * Probability that each contender has the least energy: `integral of dF_i(x) prod F_j(x)` over the merits `x = weight q - others`, F being
 * their distribution functions. The integral is a sum over slices, in each of which the exact probability that the best merit lies in
 * it is divided among the contenders; so the probabilities add up to one. Errors are below 1e-3.
 */
export function thompsonChances(contenders: readonly Contender[], weight: number): number[] {
  const possible = contenders.flatMap((c, i) => (c.others < Number.POSITIVE_INFINITY ? [i] : []));
  const chances = contenders.map(() => 0);
  if (weight === 0 || possible.length === 1) {
    // Draws play no part: the least energy wins, ties are drawn evenly.
    const least = Math.min(...possible.map((i) => contenders[i]!.others));
    const tied = possible.filter((i) => contenders[i]!.others === least);
    for (const i of tied) chances[i] = 1 / tied.length;
    return chances;
  }
  const edges = new Set<number>();
  for (const i of possible) {
    const { others, alpha, beta } = contenders[i]!;
    const mean = alpha / (alpha + beta);
    const deviation = Math.sqrt((mean * (1 - mean)) / (alpha + beta + 1));
    for (const cut of CUTS) edges.add(weight * Math.min(1, Math.max(0, mean + cut * deviation)) - others);
  }
  const cuts = [...edges].sort((a, b) => a - b);
  const grid = cuts.flatMap((x, k) =>
    k + 1 < cuts.length ? Array.from({ length: PARTS }, (_, p) => x + (p / PARTS) * (cuts[k + 1]! - x)) : [x],
  );
  const below = (i: number, x: number) => {
    const { others, alpha, beta } = contenders[i]!;
    return betaBelow((x + others) / weight, alpha, beta);
  };
  let before = possible.map((i) => below(i, grid[0]!));
  const share = new Float64Array(possible.length);
  for (let k = 1; k < grid.length; k++) {
    const after = possible.map((i) => below(i, grid[k]!));
    const product = (values: readonly number[]) => values.reduce((p, v) => p * v, 1);
    const total = product(after) - product(before);
    let sum = 0;
    for (let i = 0; i < possible.length; i++) {
      share[i] = after[i]! - before[i]!;
      for (let j = 0; j < possible.length; j++) if (j !== i) share[i]! *= 0.5 * (after[j]! + before[j]!);
      sum += share[i]!;
    }
    if (sum > 0) for (const [at, i] of possible.entries()) chances[i]! += (total * share[at]!) / sum;
    before = after;
  }
  return normalised(chances);
}

/**
 * The same for top-two selection on its turn of the second best: the first draw's winner is named, and draws follow until another one
 * wins, `tries` of them at most.
 */
export function challengeChances(chances: readonly number[], tries: number): number[] {
  return normalised(
    chances.map((own, i) => {
      let sum = own * own ** tries; // itself, when no other model ever won
      for (const [j, leader] of chances.entries())
        if (j !== i && leader < 1) sum += ((leader * own) / (1 - leader)) * (1 - leader ** tries);
      return sum;
    }),
  );
}

function normalised(values: readonly number[]): number[] {
  const total = values.reduce((sum, v) => sum + v, 0);
  return values.map((v) => v / total);
}
