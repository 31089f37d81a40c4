import { loadAddon, type NativeControl, type NativeDevice } from '@x/cuda-core/addon';

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
  /** surrogates x tuples row indices, instead of seeded permutations. */
  permutations?: Int32Array;
}

export interface NativeEstimate {
  te: number;
  tuples: number;
  first: number;
  surrogateMean: number;
  surrogateStd: number;
  pValue: number;
  analyticP: number;
  deviceKind: number;
  deviceIndex: number;
  surrogates: Float64Array;
  locals?: Float64Array;
}

interface Addon {
  estimate(
    source: Float64Array,
    target: Float64Array,
    conditions: Float64Array,
    samples: number,
    options: NativeOptions,
    locals: boolean,
    control: NativeControl,
  ): Promise<NativeEstimate>;
}

let loaded: Addon | undefined;

/** The addon, loaded on first use: a router that never asks for transfer entropy needs no native code. */
export function addon(): Addon {
  loaded ??= loadAddon<Addon>({ package: '@x/te-router', from: import.meta.url, domain: 'te', abi: 1 });
  return loaded;
}
