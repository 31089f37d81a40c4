import type { NativeControl, NativeDevice } from '@x/cuda-core/addon';

/** What native code calls them. */
export const ESTIMATORS = { ksg1: 1, gaussian: 2, binned: 3 } as const;

export interface NativeNetworkOptions {
  estimator: number;
  k: number;
  targetHistory: number;
  targetTau: number;
  sourceHistory: number;
  sourceTau: number;
  minDelay: number;
  maxDelay: number;
  theiler: number;
  normalise: boolean;
  bins: number;
  equalFrequency: boolean;
  precision: number;
  surrogates: number;
  stopAfter: number;
  nullModel: number;
  analytic: boolean;
  from: number;
  to: number;
  noise: number;
  seed: number;
  device: NativeDevice;
  wanted?: Uint8Array | undefined;
}

export interface NativeNetwork {
  tuples: number;
  surrogates: number;
  single: boolean;
  deviceKind: number;
  deviceIndex: number;
}

export interface NativeGreedyOptions {
  estimator: number;
  k: number;
  maxLag: number;
  minLag: number;
  maxHistory: number;
  theiler: number;
  surrogates: number;
  from: number;
  to: number;
  maxSources: number;
  alpha: number;
  seed: number;
  device: NativeDevice;
}

export interface NativeGreedy {
  /** Five numbers a link: source, target, lag, te, p. */
  links: Float64Array;
  omnibusTe: Float64Array;
  omnibusP: Float64Array;
}

export interface NetworkAddon {
  network(
    values: Float64Array,
    variables: number,
    samples: number,
    options: NativeNetworkOptions,
    te: Float64Array,
    pValue: Float64Array | undefined,
    lag: Int32Array | undefined,
    control: NativeControl,
  ): Promise<NativeNetwork>;
  networkGreedy(
    values: Float64Array,
    variables: number,
    samples: number,
    options: NativeGreedyOptions,
    control: NativeControl,
  ): Promise<NativeGreedy>;
}
