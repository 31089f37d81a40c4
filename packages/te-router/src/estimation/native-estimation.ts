import type { NativeControl, NativeDevice } from '@x/cuda-core/addon';

/** `xc_te_options` of `xcore/te.h`. */
export interface NativeOptions {
  estimator: number;
  k: number;
  targetHistory: number;
  targetTau: number;
  sourceHistory: number;
  sourceTau: number;
  delay: number;
  theiler: number;
  normalise: boolean;
  noise: number;
  surrogates: number;
  seed: number;
  device: NativeDevice;
  measure: number;
  singlePrecision: boolean;
  kernelWidth: number;
  bins: number;
  binning: number;
  biasCorrection: boolean;
  surrogateMethod: number;
  block: number;
  stopAfter: number;
  embedding: number;
  maxHistory: number;
  maxTau: number;
  maxDelay: number;
  autoK: boolean;
  interval: number;
  conditionHistory?: Int32Array;
  conditionTau?: Int32Array;
  conditionDelay?: Int32Array;
  segments?: Int32Array;
  valid?: Uint8Array;
  /** surrogates x tuples row indices, instead of seeded permutations. */
  permutations?: Int32Array;
}

/** `xc_te_result`. */
export interface NativeResult {
  te: number;
  tuples: number;
  first: number;
  surrogateMean: number;
  surrogateStd: number;
  pValue: number;
  analyticP: number;
  intervalLow: number;
  intervalHigh: number;
  standardError: number;
  bias: number;
  deviceKind: number;
  deviceIndex: number;
  k: number;
  targetHistory: number;
  targetTau: number;
  sourceHistory: number;
  sourceTau: number;
  delay: number;
  targetLags: Int32Array;
  sourceLags: Int32Array;
}

export interface NativeEstimate extends NativeResult {
  surrogates: Float64Array;
  locals?: Float64Array;
}

export type NativeStream = { readonly __stream: never };

export interface EstimationAddon {
  estimate(
    source: Float64Array,
    target: Float64Array,
    conditions: Float64Array,
    samples: number,
    options: NativeOptions,
    locals: boolean,
    control: NativeControl,
  ): Promise<NativeEstimate>;
  streamOpen(
    sources: number,
    targets: number,
    window: number,
    scaleEvery: number,
    options: NativeOptions,
  ): NativeStream;
  streamPush(
    stream: NativeStream,
    source: Float64Array,
    target: Float64Array,
    samples: number,
    sources: number,
    targets: number,
  ): void;
  streamValue(stream: NativeStream): NativeResult;
  streamRelease(stream: NativeStream): void;
}
