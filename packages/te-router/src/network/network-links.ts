import type { NetworkLink } from './network';

/** What links are chosen from; matrices have a row a source and a column a target. */
interface Tested {
  variables: number;
  te: Float64Array;
  pValue: Float64Array;
  lag: (source: number, target: number) => number;
  targets: readonly [number, number];
  alpha: number;
  fdr: boolean;
}

/**
 * The pairs that pass the test. With `fdr` by the step-up procedure of Y. Benjamini and Y. Hochberg (J. R. Stat. Soc. B 57,
 * 289, 1995) over all pairs of the targets, whose adjusted p-value is `qValue`; otherwise each by itself.
 */
export function significantLinks(tested: Tested): NetworkLink[] {
  const { variables, te, pValue, targets, alpha, fdr } = tested;
  const [from, to] = targets;
  const tests = (variables - 1) * (to - from);
  let cut = alpha;
  let adjusted: { p: Float64Array; q: Float64Array } | undefined;
  if (fdr) {
    // Only p-values up to alpha can pass, and only their ranks matter.
    const small: number[] = [];
    for (let x = 0; x < variables; x++)
      for (let y = from; y < to; y++) {
        const p = pValue[x * variables + y] as number;
        if (x !== y && p <= alpha) small.push(p);
      }
    const p = Float64Array.from(small).sort();
    const q = new Float64Array(p.length);
    let least = 1;
    for (let m = p.length - 1; m >= 0; m--) {
      least = Math.min(least, ((p[m] as number) * tests) / (m + 1));
      q[m] = least;
    }
    let passed = p.length;
    while (passed > 0 && (q[passed - 1] as number) > alpha) passed--;
    cut = passed > 0 ? (p[passed - 1] as number) : -1;
    adjusted = { p, q };
  }
  const links: NetworkLink[] = [];
  for (let source = 0; source < variables; source++)
    for (let target = from; target < to; target++) {
      const at = source * variables + target;
      const p = pValue[at] as number;
      if (source === target || !(p <= cut)) continue;
      links.push({
        source,
        target,
        te: te[at] as number,
        lag: tested.lag(source, target),
        pValue: p,
        ...(adjusted && { qValue: adjusted.q[lastAt(adjusted.p, p)] as number }),
      });
    }
  return links;
}

/** Adjusted p-values (Benjamini-Hochberg) of those given, the smallest of `tests`. */
export function adjustedPValues(pValues: readonly number[], tests: number): number[] {
  const order = pValues.map((_, m) => m).sort((a, b) => (pValues[b] as number) - (pValues[a] as number));
  const out = pValues.map(() => 1);
  let least = 1;
  order.forEach((m, rank) => {
    least = Math.min(least, ((pValues[m] as number) * tests) / (pValues.length - rank));
    out[m] = least;
  });
  return out;
}

function lastAt(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The pairs above a threshold. */
export function strongLinks(
  te: Float64Array,
  variables: number,
  [from, to]: readonly [number, number],
  threshold: number,
  lagOf: (source: number, target: number) => number,
): NetworkLink[] {
  const links: NetworkLink[] = [];
  for (let source = 0; source < variables; source++)
    for (let target = from; target < to; target++) {
      const value = te[source * variables + target] as number;
      if (source !== target && value > threshold) links.push({ source, target, te: value, lag: lagOf(source, target) });
    }
  return links;
}
