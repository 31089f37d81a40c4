import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import { numbersOf } from './series';

/** An estimate and the values of its surrogates. */
export interface NullSample {
  te: number;
  surrogates: ArrayLike<number>;
}

/**
 * p-values from the surrogates of all estimates together. Few surrogates each give coarse p-values; brought to mean 0 and
 * standard deviation 1 by the estimate's own surrogates, those of all pairs estimate one null distribution whose far tail
 * is then as fine as their number. Meant for pairs of like length and embedding, whose standardised nulls have one shape.
 *
 * p_i = (1 + #(pooled z >= z_i)) / (1 + pooled), z_i = (te_i - mean_i) / std_i.
 *
 * @throws InvalidArgumentError when an estimate has fewer than 10 surrogates, or is none.
 */
export function pooledPValues(estimates: readonly NullSample[]): Float64Array {
  if (!Array.isArray(estimates)) refuse('estimates', `estimates is ${shown(estimates)}; it must be an array.`);
  const pooled: number[] = [];
  const scores = estimates.map((estimate: NullSample, i) => {
    objectIn(estimate, `estimates[${i}]`);
    const te = numberIn(estimate.te, `estimates[${i}].te`, { infinite: true });
    const values = numbersOf(estimate.surrogates, `estimates[${i}].surrogates`);
    const n = values.length;
    if (n < 10)
      throw new InvalidArgumentError(`estimates[${i}] has ${n} surrogates; pooling needs at least 10 of each`, {
        field: 'estimates',
      });
    const mean = values.reduce((a, b) => a + b, 0) / n;
    const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1));
    // A null without spread (a constant series) has one value: all scores 0 but for larger estimates.
    const score = (v: number) =>
      std > 0 ? (v - mean) / std : v > mean ? Number.POSITIVE_INFINITY : v < mean ? Number.NEGATIVE_INFINITY : 0;
    for (const v of values) pooled.push(score(v));
    return score(te);
  });
  const sorted = Float64Array.from(pooled).sort();
  return Float64Array.from(scores, (z) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < z) low = middle + 1;
      else high = middle;
    }
    return (1 + sorted.length - low) / (1 + sorted.length);
  });
}
