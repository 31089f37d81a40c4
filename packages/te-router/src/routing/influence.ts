import { type Device, InvalidArgumentError } from '@x/cuda-core';
import { transferEntropy } from '../estimation/transfer-entropy';

export interface FeatureInfluenceOptions {
  /** Nearest neighbours of KSG. Default 4. */
  k?: number;
  /** Shuffles of each feature in time. Default 100. */
  surrogates?: number;
  /** Standard deviation of the jitter that parts ties (answers are often just right or wrong). Default 0.01. */
  noise?: number;
  /** Seed of jitter and shuffles. Default: the router's. */
  seed?: number;
  /** Default `'auto'`. */
  device?: Device;
  signal?: AbortSignal;
  /** Features done, of how many. */
  onProgress?: (done: number, total: number) => void;
}

export interface FeatureInfluence {
  feature: string;
  /** Transfer entropy from the feature to the quality, in nats. */
  te: number;
  /** `te` less the mean of the shuffled controls. */
  effective: number;
  /** Part of the shuffled controls that reach `te`, (c + 1) / (n + 1). */
  pValue: number;
  /** `pValue` adjusted for the number of features (Benjamini-Hochberg): the false discovery rate. */
  qValue: number;
  /** Outcomes it rests on. */
  samples: number;
}

/** The features in order of their effective transfer entropy, largest first. */
export async function featureInfluence(
  names: readonly string[],
  features: readonly Float64Array[],
  quality: Float64Array,
  options: FeatureInfluenceOptions,
): Promise<FeatureInfluence[]> {
  const { k = 4, surrogates = 100, noise = 0.01, seed = 0, device, signal, onProgress } = options;
  if (!Number.isInteger(surrogates) || surrogates < 1)
    throw new InvalidArgumentError(`surrogates is ${surrogates}; the control needs at least 1`, {
      field: 'surrogates',
    });
  if (quality.length < 16)
    throw new InvalidArgumentError(`the model has ${quality.length} outcomes; at least 16 are needed`, {
      field: 'model',
    });
  const out: FeatureInfluence[] = [];
  for (const [f, feature] of names.entries()) {
    const source = Float64Array.from(features, (row) => row[f]!);
    const r = await transferEntropy(source, quality, {
      k,
      surrogates,
      noise,
      seed,
      delay: 0,
      ...(device && { device }),
      ...(signal && { signal }),
    });
    const effective = r.te - r.surrogateMean!;
    out.push({ feature, te: r.te, effective, pValue: r.pValue!, qValue: r.pValue!, samples: r.samples });
    onProgress?.(f + 1, names.length);
  }
  out.sort((a, b) => b.pValue - a.pValue);
  let q = 1;
  out.forEach((row, i) => {
    q = Math.min(q, (row.pValue * out.length) / (out.length - i));
    row.qValue = q;
  });
  return out.sort((a, b) => b.effective - a.effective);
}
