import { InvalidArgumentError } from '@x/cuda-core';
import { runJob } from '@x/cuda-core/addon';
import { addon } from '../native';
import { checkOptions, type EstimationOptions } from './estimation-options';
import { type EstimationResult, resultOf } from './estimation-result';
import { flatten, type Series } from './series';

export interface MutualInformationOptions extends EstimationOptions {
  /** Conditional mutual information I(x; y | conditions). */
  conditions?: Series;
}

export interface MutualInformationResult extends EstimationResult {
  /** Mutual information in nats (or bits when asked for); may be negative for the bias-corrected estimators. */
  mi: number;
  /** The same value, under the name that all estimates share. */
  te: number;
}

/**
 * Mutual information I(x; y) of simultaneous samples, or I(x; y | conditions): no lags, the order of samples matters to
 * the Theiler window and to surrogates alone.
 *
 * @param x `Float64Array`, or an array of them taken jointly.
 * @throws as `transferEntropy`.
 *
 * @example
 * const { mi } = await mutualInformation(height, weight, { estimator: 'ksg2' });
 */
export async function mutualInformation(
  x: Series,
  y: Series,
  options: MutualInformationOptions = {},
): Promise<MutualInformationResult> {
  const checked = checkOptions(options, 'mutual');
  const b = flatten('y', y, undefined, checked.native.valid);
  if (b.samples === 0) throw new InvalidArgumentError('y holds no samples', { field: 'y' });
  const a = flatten('x', x, b.samples, checked.native.valid);
  const { conditions = [] } = options;
  const none = Array.isArray(conditions) && conditions.length === 0;
  const z = none ? new Float64Array(0) : flatten('conditions', conditions, b.samples, checked.native.valid).values;
  const r = await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon().estimate(a.values, b.values, z, b.samples, checked.native, checked.locals, control),
  );
  return { mi: r.te / checked.unit, te: r.te / checked.unit, ...resultOf(r, checked) };
}
