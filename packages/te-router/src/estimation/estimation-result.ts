import { deviceName } from '@x/cuda-core/addon';
import type { CheckedOptions } from './estimation-options';
import type { NativeEstimate } from './native-estimation';

/** `[low, high]`, with what it was made of. */
export type ConfidenceInterval = readonly [low: number, high: number] & {
  readonly low: number;
  readonly high: number;
  /** Confidence level, 0 to 1. */
  readonly level: number;
  readonly standardError: number;
  /** Estimated bias of the estimator: taken out of the interval, not of the estimate. */
  readonly bias: number;
};

/** What every estimate gives. Values are in nats, or in bits when asked for. */
export interface EstimationResult {
  /** (1 + surrogates at or above the estimate) / (1 + surrogates); with surrogates only. */
  pValue?: number;
  /** Mean of the surrogates. */
  surrogateMean?: number;
  /** Standard deviation (n - 1) of the surrogates; with two or more. */
  surrogateStd?: number;
  /** The estimate less the surrogates' mean. */
  effective?: number;
  /** The surrogates' values, in the order they were drawn; fewer than asked for after an early stop. */
  surrogates?: Float64Array;
  /** Gaussian and binned: probability of a value as large without influence, from chi-squared. */
  analyticPValue?: number;
  interval?: ConfidenceInterval;
  /** One value a tuple, in time order, whose mean is the estimate. */
  locals?: Float64Array;
  /** Neighbours of KSG, as used. */
  k: number;
  /** Tuples that the estimate is a mean of. */
  samples: number;
  /** Where it ran. */
  device: 'cpu' | `cuda:${number}`;
}

/** The common part of results. */
export function resultOf(r: NativeEstimate, { native, unit, estimator }: CheckedOptions): EstimationResult {
  const scale = (values: Float64Array) => (unit === 1 ? values : values.map((v) => v / unit));
  const ends: [number, number] = [r.intervalLow / unit, r.intervalHigh / unit];
  return {
    ...(native.surrogates > 0 && {
      pValue: r.pValue,
      surrogateMean: r.surrogateMean / unit,
      effective: (r.te - r.surrogateMean) / unit,
      surrogates: scale(r.surrogates),
    }),
    ...(r.surrogates.length > 1 && { surrogateStd: r.surrogateStd / unit }),
    ...((estimator === 'gaussian' || estimator === 'binned') && { analyticPValue: r.analyticP }),
    ...(native.interval > 0 &&
      !Number.isNaN(r.intervalLow) && {
        interval: Object.assign(ends, {
          low: ends[0],
          high: ends[1],
          level: native.interval,
          standardError: r.standardError / unit,
          bias: r.bias / unit,
        }),
      }),
    ...(r.locals && { locals: scale(r.locals) }),
    k: r.k,
    samples: r.tuples,
    device: deviceName({ kind: r.deviceKind, index: r.deviceIndex }),
  };
}
