import { type Device, InvalidArgumentError, UnsupportedError } from '@x/cuda-core';
import { booleanIn, deviceName, numberIn, objectIn, parseDevice, runJob } from '@x/cuda-core/addon';
import { addon, type NativeOptions } from './native';

/** One series, or the variables of a multivariate one; all of the same length. */
export type Series = Float64Array | readonly Float64Array[];

export interface TransferEntropyOptions {
  /**
   * `'ksg1'`: Kraskov-Stoegbauer-Grassberger nearest neighbours, algorithm 1 (Phys. Rev. E 69, 066138, 2004), for any
   * dependence. `'gaussian'`: exact for linear-Gaussian data (Barnett, Barrett, Seth, Phys. Rev. Lett. 103, 238701,
   * 2009); CPU only, gives `analyticPValue`, no `locals`. Default `'ksg1'`.
   */
  estimator?: 'ksg1' | 'gaussian';
  /** Nearest neighbours of KSG, 1 or more; on CUDA at most 32. Default 4. */
  k?: number;
  /** How many past values of the target count as its own past, 1 or more. Default 1. */
  targetHistory?: number;
  /** Samples between those values, 1 or more. Default 1. */
  targetTau?: number;
  /** How many past values of the source are looked at, 1 or more. Default 1. */
  sourceHistory?: number;
  /** Samples between those values, 1 or more. Default 1. */
  sourceTau?: number;
  /** Samples between the source's newest value and the predicted one, 0 or more. Default 1. */
  delay?: number;
  /** Neighbours whose time differs by this many samples or fewer do not count, 0 or more. Default 0. */
  theiler?: number;
  /** Brings every embedded column to mean 0 and standard deviation 1. Default true. */
  normalise?: boolean;
  /** Standard deviation of seeded Gaussian noise added to every embedded value, to part exact ties. Default 0. */
  noise?: number;
  /** Series whose current value (history, tau and delay 1) is added to the target's past. */
  conditions?: Series;
  /** Permutations of the source for `pValue`, 0 to 1,000,000. Default 0. */
  surrogates?: number;
  /** Seed of noise and surrogates, an integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /** Also give one local value a tuple. Default false. */
  locals?: boolean;
  /** Default `'auto'`: the GPU when samples and surrogates are many enough to pay. Results are the same on all. */
  device?: Device;
  /** Stops the call; the promise then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Surrogates done, of how many. */
  onProgress?: (done: number, total: number) => void;
}

export interface TransferEntropyResult {
  /**
   * Transfer entropy in nats. KSG corrects its bias, so values around 0 may be negative. 0 by definition when the
   * source or the target is constant. Gaussian: `Infinity` when the target is an exact linear function of both pasts.
   */
  te: number;
  /** (1 + surrogates at or above `te`) / (1 + surrogates); with surrogates only. */
  pValue?: number;
  /** Mean of the surrogates; `te - surrogateMean` is the effective transfer entropy. */
  surrogateMean?: number;
  /** Standard deviation (n - 1) of the surrogates; with two or more. */
  surrogateStd?: number;
  /** Gaussian: probability of a value as large without influence, from chi-squared. */
  analyticPValue?: number;
  /** One value a tuple, in time order, whose mean is `te`; value i belongs to sample `embedding.first + i`. */
  locals?: Float64Array;
  /** The embedding that was used; `first` is the index of the first predicted sample. */
  embedding: {
    targetHistory: number;
    targetTau: number;
    sourceHistory: number;
    sourceTau: number;
    delay: number;
    first: number;
  };
  k: number;
  /** Embedded tuples that the estimate is a mean of. */
  samples: number;
  /** Where it ran. */
  device: 'cpu' | `cuda:${number}`;
}

const ESTIMATORS = { ksg1: 1, gaussian: 2 } as const;

const integer = (field: string, value: number | undefined, fallback: number, min: number, max = 2 ** 31 - 1): number =>
  numberIn(value ?? fallback, field, { min, max, integer: true });

/** Variables one after the other, checked: type, equal lengths, finite values. Always a copy: the call is async. */
function flatten(name: string, series: Series, samples?: number): { values: Float64Array; samples: number } {
  const variables: readonly Float64Array[] = series instanceof Float64Array ? [series] : series;
  if (!Array.isArray(variables) || variables.length === 0 || !variables.every((v) => v instanceof Float64Array))
    throw new InvalidArgumentError(`${name} must be a Float64Array or a non-empty array of them`, { field: name });
  const length = samples ?? variables[0]!.length;
  const values = new Float64Array(length * variables.length);
  variables.forEach((variable, v) => {
    if (variable.length !== length)
      throw new InvalidArgumentError(
        `${name}${variables.length > 1 ? `[${v}]` : ''} has ${variable.length} samples where ${length} are expected; all series must have one length`,
        { field: name },
      );
    const bad = variable.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0)
      throw new InvalidArgumentError(
        `${name}${variables.length > 1 ? `[${v}]` : ''} holds ${variable[bad]} at index ${bad}; every value must be finite`,
        { field: name },
      );
    values.set(variable, v * length);
  });
  return { values, samples: length };
}

/**
 * Transfer entropy from `source` to `target` (T. Schreiber, Phys. Rev. Lett. 85, 461, 2000): how many nats the source's
 * past tells about the target's next value beyond the target's own past, I(y[t+1]; x-past | y-past).
 *
 * @param source `Float64Array`, or an array of them whose joint influence is wanted.
 * @param target of the same length; several variables are predicted jointly.
 * @throws InvalidArgumentError (as a rejection) for series that are not finite, not of one length or too short for the
 *   embedding, `k` and the Theiler window, and for options out of range.
 * @throws UnsupportedError for an estimator that does not exist, and for CUDA beyond its limits (k > 32, more than 32
 *   embedded columns, the Gaussian estimator) when CUDA was asked for by name.
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
  objectIn(options, 'options');
  const estimator = options.estimator ?? 'ksg1';
  if (!Object.hasOwn(ESTIMATORS, estimator))
    throw new UnsupportedError(
      `estimator ${JSON.stringify(estimator)} does not exist; there are ${Object.keys(ESTIMATORS).join(' and ')}`,
      { field: 'estimator' },
    );
  const noise = numberIn(options.noise ?? 0, 'noise', { min: 0 });
  const native: NativeOptions = {
    estimator: ESTIMATORS[estimator],
    k: integer('k', options.k, 4, 1),
    targetHistory: integer('targetHistory', options.targetHistory, 1, 1),
    targetTau: integer('targetTau', options.targetTau, 1, 1),
    sourceHistory: integer('sourceHistory', options.sourceHistory, 1, 1),
    sourceTau: integer('sourceTau', options.sourceTau, 1, 1),
    delay: integer('delay', options.delay, 1, 0),
    theiler: integer('theiler', options.theiler, 0, 0),
    normalise: booleanIn(options.normalise ?? true, 'normalise'),
    noise,
    surrogates: integer('surrogates', options.surrogates, 0, 0, 1_000_000),
    seed: integer('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
    device: parseDevice(options.device),
  };
  const wantLocals = booleanIn(options.locals ?? false, 'locals');
  if (wantLocals && estimator !== 'ksg1')
    throw new UnsupportedError('locals exist for the ksg1 estimator only', { field: 'locals' });
  const y = flatten('target', target);
  const x = flatten('source', source, y.samples);
  const z = options.conditions ? flatten('conditions', options.conditions, y.samples).values : new Float64Array(0);
  const job = { signal: options.signal, onProgress: options.onProgress };
  if (y.samples === 0) throw new InvalidArgumentError('target holds no samples', { field: 'target' });
  const r = await runJob(job, (control) =>
    addon().estimate(x.values, y.values, z, y.samples, native, wantLocals, control),
  );
  return {
    te: r.te,
    ...(native.surrogates > 0 && { pValue: r.pValue, surrogateMean: r.surrogateMean }),
    ...(native.surrogates > 1 && { surrogateStd: r.surrogateStd }),
    ...(estimator === 'gaussian' && { analyticPValue: r.analyticP }),
    ...(r.locals && { locals: r.locals }),
    embedding: {
      targetHistory: native.targetHistory,
      targetTau: native.targetTau,
      sourceHistory: native.sourceHistory,
      sourceTau: native.sourceTau,
      delay: native.delay,
      first: r.first,
    },
    k: native.k,
    samples: r.tuples,
    device: deviceName({ kind: r.deviceKind, index: r.deviceIndex }),
  };
}
