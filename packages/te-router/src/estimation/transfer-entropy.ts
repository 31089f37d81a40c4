import { InvalidArgumentError } from '@x/cuda-core';
import { objectIn, runJob } from '@x/cuda-core/addon';
import { addon } from '../native';
import { checkConditions, checkOptions, type TransferEntropyOptions } from './estimation-options';
import { type EstimationResult, resultOf } from './estimation-result';
import type { NativeResult } from './native-estimation';
import { flatten, type Series } from './series';

export type { TransferEntropyOptions } from './estimation-options';
export type { Series } from './series';

/** The embedding that was used. */
export interface Embedding {
  targetHistory: number;
  targetTau: number;
  sourceHistory: number;
  sourceTau: number;
  delay: number;
  /** Index of the first predicted sample. */
  first: number;
  /** Of `'greedy'`: the chosen lags before the predicted sample; histories are then their numbers and taus 1. */
  targetLags?: number[];
  sourceLags?: number[];
}

export interface TransferEntropyResult extends EstimationResult {
  /**
   * Transfer entropy in nats (or bits when asked for). KSG corrects its bias, so values around 0 may be negative. 0 by
   * definition when the source or the target is constant. Gaussian: `Infinity` when the target is an exact linear
   * function of both pasts.
   */
  te: number;
  embedding: Embedding;
}

export function embeddingOf(r: NativeResult): Embedding {
  const greedy = r.targetLags.length > 0;
  return {
    targetHistory: greedy ? r.targetLags.length : r.targetHistory,
    targetTau: greedy ? 1 : r.targetTau,
    sourceHistory: greedy ? r.sourceLags.length : r.sourceHistory,
    sourceTau: greedy ? 1 : r.sourceTau,
    delay: greedy ? r.sourceLags[0]! : r.delay,
    first: r.first,
    ...(greedy && { targetLags: [...r.targetLags], sourceLags: [...r.sourceLags] }),
  };
}

/**
 * Transfer entropy from `source` to `target` (T. Schreiber, Phys. Rev. Lett. 85, 461, 2000): how many nats the source's
 * past tells about the target's next value beyond the target's own past, I(y[t+1]; x-past | y-past).
 *
 * @param source `Float64Array`, or an array of them whose joint influence is wanted.
 * @param target of the same length; several variables are predicted jointly.
 * @throws InvalidArgumentError (as a rejection) for series that are not finite, not of one length or too short for the
 *   embedding, `k` and the Theiler window, and for options out of range and names that do not exist.
 * @throws UnsupportedError for what an estimator cannot do (fp32 or automatic k beyond KSG), and for CUDA beyond its limits
 *   (k > 32, more than 32 embedded columns, the Gaussian and binned estimators) when CUDA was asked for by name.
 * @throws DeviceUnavailableError when the device asked for by name does not exist.
 *
 * @example
 * const { te, pValue } = await transferEntropy(wind, power, { sourceHistory: 2, surrogates: 200, seed: 1 });
 */
export async function transferEntropy(
  source: Series,
  target: Series,
  options: TransferEntropyOptions = {},
): Promise<TransferEntropyResult> {
  const checked = checkOptions(options, 'transfer');
  const conditions = checkConditions(options.conditions, checked.native);
  const y = flatten('target', target, undefined, checked.native.valid);
  if (y.samples === 0) throw new InvalidArgumentError('target holds no samples', { field: 'target' });
  const x = flatten('source', source, y.samples, checked.native.valid);
  const z =
    conditions.length > 0
      ? flatten('conditions', conditions, y.samples, checked.native.valid).values
      : new Float64Array(0);
  const r = await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon().estimate(x.values, y.values, z, y.samples, checked.native, checked.locals, control),
  );
  return { te: r.te / checked.unit, embedding: embeddingOf(r), ...resultOf(r, checked) };
}

/**
 * Transfer entropy beyond what `conditions` tell: their past is added to the target's, so influence that only passes
 * through them, or that they have on both, does not count.
 *
 * @param conditions series with history, tau and delay 1, or `{ series, history, tau, delay }`.
 * @throws as `transferEntropy`.
 */
export async function conditionalTransferEntropy(
  source: Series,
  target: Series,
  conditions: NonNullable<TransferEntropyOptions['conditions']>,
  options: Omit<TransferEntropyOptions, 'conditions'> = {},
): Promise<TransferEntropyResult> {
  objectIn(options, 'options');
  const list = conditions instanceof Float64Array ? [conditions] : conditions;
  if (!Array.isArray(list) || list.length === 0)
    throw new InvalidArgumentError('conditions must be a Float64Array or a non-empty array of series', {
      field: 'conditions',
    });
  return transferEntropy(source, target, { ...options, conditions: list });
}
