import { numberIn } from '@x/cuda-core/addon';
import { numbersOf } from './series';

export interface LocalOutlier {
  /** Index into the local values. */
  index: number;
  value: number;
  /** Robust score 0.6745 (value - median) / median absolute deviation; negative for misinformative moments. */
  score: number;
}

/**
 * Moments at which far more, or less, was transferred than usual: local values whose robust score is above `threshold`
 * in magnitude (B. Iglewicz, D. C. Hoaglin, "How to detect and handle outliers", 1993; 3.5 is theirs). Strongest first.
 *
 * @throws InvalidArgumentError for values that are no numbers, and a negative threshold.
 */
export function localOutliers(locals: ArrayLike<number>, threshold = 3.5): LocalOutlier[] {
  numberIn(threshold, 'threshold', { min: 0 });
  const values = numbersOf(locals, 'locals');
  const median = (of: Float64Array) => {
    const sorted = of.slice().sort();
    const m = sorted.length >> 1;
    return sorted.length % 2 ? sorted[m]! : (sorted[m - 1]! + sorted[m]!) / 2;
  };
  if (values.length === 0) return [];
  const centre = median(values);
  const spread = median(values.map((v) => Math.abs(v - centre)));
  if (!(spread > 0)) return [];
  return Array.from(values, (value, index) => ({ index, value, score: (0.6745 * (value - centre)) / spread }))
    .filter(({ score }) => Math.abs(score) > threshold)
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
}
