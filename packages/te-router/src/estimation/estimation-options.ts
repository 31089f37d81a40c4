import { type Device, InvalidArgumentError } from '@x/cuda-core';
import { booleanIn, choiceIn, numberIn, objectIn, parseDevice } from '@x/cuda-core/addon';
import type { NativeOptions } from './native-estimation';
import type { Series } from './series';

const ESTIMATORS = { ksg1: 1, gaussian: 2, ksg2: 3, kernel: 4, binned: 5 } as const;
const BINNINGS = { 'equal-width': 0, 'equal-frequency': 1 } as const;
const SURROGATES = { permutation: 0, shift: 1, block: 2, iaaft: 3 } as const;
const EMBEDDINGS = {
  given: 0,
  ragwitz: 1,
  'ragwitz-target': 2,
  'max-ais': 3,
  'max-ais-target': 4,
  'max-ais-te': 5,
  greedy: 6,
} as const;

export type EstimatorName = keyof typeof ESTIMATORS;

/** Options that every estimate has, of transfer entropy and of mutual information. */
export interface EstimationOptions {
  /**
   * - `'ksg1'`, `'ksg2'`: Kraskov-Stoegbauer-Grassberger nearest neighbours, algorithms 1 and 2 (Phys. Rev. E 69, 066138,
   *   2004), for any dependence; algorithm 2 varies less and is biased more. Exact ties want a small `noise`.
   * - `'gaussian'`: exact for linear-Gaussian data (Barnett, Barrett, Seth, Phys. Rev. Lett. 103, 238701, 2009).
   * - `'kernel'`: box kernel of a fixed width (Schreiber, Phys. Rev. Lett. 85, 461, 2000).
   * - `'binned'`: counts of symbols, see `bins` and `binning`.
   *
   * Default `'ksg1'`.
   */
  estimator?: EstimatorName;
  /**
   * Nearest neighbours of KSG, 1 or more (on CUDA at most 32), or `'auto'`: the smallest of 3, 4, 6, 8, 12, 16, 24, 32
   * whose values of all data and of halves, thirds and quarters agree (Holmes, Nemenman, Phys. Rev. E 100, 022404,
   * 2019). Default 4.
   */
  k?: number | 'auto';
  /** Neighbours whose time differs by this many samples or fewer do not count, 0 or more. Default 0. */
  theiler?: number;
  /** Brings every embedded column to mean 0 and standard deviation 1. Default true. */
  normalise?: boolean;
  /** Standard deviation of seeded Gaussian noise added to every embedded value (not for bins). Default 0. */
  noise?: number;
  /** Radius of the box kernel, in standard deviations when `normalise`, above 0. Default 0.5. */
  kernelWidth?: number;
  /** Symbols of a variable of the binned estimator, 2 to 1024. Default 8. */
  bins?: number;
  /** Bins of one width between the smallest and the largest value, or of one number of samples. Default `'equal-width'`. */
  binning?: keyof typeof BINNINGS;
  /**
   * Takes off the bias: of `'gaussian'` by the chi-squared law, of `'binned'` by Panzeri and Treves' (KSG has it built
   * in). Default false.
   */
  biasCorrection?: boolean;
  /** Surrogates of the source for `pValue`, 0 to 1,000,000. Default 0. */
  surrogates?: number;
  /**
   * What a surrogate is: `'permutation'` of the source's embedded vectors; circular `'shift'`; shuffled `'block'`s; or
   * `'iaaft'`, a new series of the same values and spectrum (Schreiber, Schmitz, Phys. Rev. Lett. 77, 635, 1996). The
   * last three keep the source's own dynamics, which matters when the target remembers more than `targetHistory` holds:
   * permutation then finds links too often. Default `'permutation'`.
   */
  surrogateMethod?: keyof typeof SURROGATES;
  /** Tuples of a block. Default: the square root of their number. */
  block?: number;
  /**
   * Stops once this many surrogates reached the estimate (Besag, Clifford, Biometrika 78, 301, 1991): a clear null costs
   * few draws and `pValue` stays exact. 0: never. Default 0.
   */
  stopAfter?: number;
  /** Seed of noise, surrogates and intervals, an integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /**
   * Confidence level of `interval`, above 0 and below 1; `false` for none. Default 0.95 with surrogates, else none.
   * The interval is of the transfer entropy (KSG: one for every `k` and both algorithms), of the linear influence
   * (Gaussian), of the information between symbols (binned) or between boxes (kernel). Measured at 95 % on systems of
   * known truth, N = 500 to 5000, histories of 1 (bench/results/te-estimators.md): KSG 95 % in the mean (77 to 100 %, least
   * where structure is finer than so few samples show), Gaussian on linear systems 88 to 97 %, 4 equally frequent bins 86 to
   * 100 % (mean 94 %; with influence 6 and 8 of them 75 to 92 % on the tuning systems), the box kernel, without influence alone,
   * 96 to 100 %. Linear systems with histories of 2 and 3, conditions, several variables, mutual information: KSG 86 to
   * 100 %, Gaussian 90 to 97 %.
   */
  interval?: number | false;
  /** Also give one local value a tuple. Default false. */
  locals?: boolean;
  /** Default `'nats'`. */
  unit?: 'nats' | 'bits';
  /**
   * `'f32'`: fp32 distances (centred in fp64) for KSG; other estimators are fp64. Neighbours that differ by less than fp32
   * resolves may then count differently, each by some 1 / (neighbours x samples) nats: within 1e-5 as a rule for a thousand
   * samples or more, up to 1e-3 for short or coarsely stored series. Default `'f64'`, exact on every device.
   */
  precision?: 'f64' | 'f32';
  /** Lengths of independent series that lie one after the other; no tuple crosses a border. */
  segments?: readonly number[];
  /** One entry a sample, 0 where it is missing: tuples that touch it are left out, and it may hold anything. */
  mask?: Uint8Array;
  /** Default `'auto'`: the GPU when samples and surrogates are many enough to pay. */
  device?: Device;
  /** Stops the call; the promise then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Surrogates done, of how many. */
  onProgress?: (done: number, total: number) => void;
}

/** A conditioning series with an embedding of its own. */
export interface Condition {
  series: Float64Array;
  /** Default 1. */
  history?: number;
  /** Default 1. */
  tau?: number;
  /** Samples between its newest value and the predicted one, 0 or more. Default 1. */
  delay?: number;
}

export interface TransferEntropyOptions extends EstimationOptions {
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
  /** Above `delay`: of the delays from `delay` to this the one with the largest value is taken. Default: no scan. */
  maxDelay?: number;
  /** Series whose past is added to the target's: plain ones with history, tau and delay 1, or with their own. */
  conditions?: Series | readonly (Float64Array | Condition)[];
  /**
   * How histories and taus are found:
   * - `'given'` (default): as above.
   * - `'ragwitz'`: best prediction by nearest neighbours (Ragwitz, Kantz, Phys. Rev. E 65, 056201, 2002), of the target
   *   and then of the source alone; `'ragwitz-target'` leaves the source as given.
   * - `'max-ais'`, `'max-ais-target'`: largest bias-corrected active information storage; `'max-ais-te'`: the same for the
   *   target, then the source embedding with the largest transfer entropy.
   * - `'greedy'`: single lags of target and source, added while they tell something new (Faes, Nollo, Porta, Phys. Rev. E
   *   83, 051112, 2011); see `embedding.targetLags`.
   */
  embedding?: keyof typeof EMBEDDINGS;
  /** Largest history that an automatic embedding tries, 1 to 64. Default 5. */
  maxHistory?: number;
  /** Largest tau that it tries. Default 1. */
  maxTau?: number;
}

/** The name given, or the first of them for one that was left out. */
export const oneOf = <T extends string>(field: string, value: unknown, names: readonly T[]): T =>
  choiceIn(value ?? names[0], field, names);

/** What native code calls it. */
const codeOf = (table: Readonly<Record<string, number>>, field: string, value: unknown): number =>
  table[oneOf(field, value, Object.keys(table))] as number;

/** A whole number within its range, or what stands for one that was left out. */
export const integer = (
  field: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max = 2 ** 31 - 1,
): number => numberIn(value ?? fallback, field, { min, max, integer: true });

/** What `signal`, `unit` and the like become on the way to native code. */
export interface CheckedOptions {
  native: NativeOptions;
  locals: boolean;
  /** Values are divided by this: 1, or ln 2 for bits. */
  unit: number;
  estimator: EstimatorName;
}

/** @throws InvalidArgumentError with the field. */
export function checkOptions(options: TransferEntropyOptions, measure: 'transfer' | 'mutual'): CheckedOptions {
  objectIn(options, 'options');
  const estimator = oneOf('estimator', options.estimator, Object.keys(ESTIMATORS) as EstimatorName[]);
  const autoK = options.k === 'auto';
  const surrogates = integer('surrogates', options.surrogates, 0, 0, 1_000_000);
  const level = options.interval ?? (surrogates > 0 ? 0.95 : false);
  const native: NativeOptions = {
    estimator: ESTIMATORS[estimator],
    k: autoK ? 4 : integer('k', options.k as number | undefined, 4, 1),
    targetHistory: integer('targetHistory', options.targetHistory, 1, 1),
    targetTau: integer('targetTau', options.targetTau, 1, 1),
    sourceHistory: integer('sourceHistory', options.sourceHistory, 1, 1),
    sourceTau: integer('sourceTau', options.sourceTau, 1, 1),
    delay: integer('delay', options.delay, 1, 0),
    theiler: integer('theiler', options.theiler, 0, 0),
    normalise: booleanIn(options.normalise ?? true, 'normalise'),
    noise: numberIn(options.noise ?? 0, 'noise', { min: 0 }),
    surrogates,
    seed: integer('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
    device: parseDevice(options.device),
    measure: measure === 'mutual' ? 1 : 0,
    singlePrecision: codeOf({ f64: 0, f32: 1 }, 'precision', options.precision) === 1,
    kernelWidth: numberIn(options.kernelWidth ?? 0.5, 'kernelWidth', { min: 0, above: true }),
    bins: integer('bins', options.bins, 8, 2, 1024),
    binning: codeOf(BINNINGS, 'binning', options.binning),
    biasCorrection: booleanIn(options.biasCorrection ?? false, 'biasCorrection'),
    surrogateMethod: codeOf(SURROGATES, 'surrogateMethod', options.surrogateMethod),
    block: integer('block', options.block, 0, 0),
    stopAfter: integer('stopAfter', options.stopAfter, 0, 0),
    embedding: codeOf(EMBEDDINGS, 'embedding', options.embedding),
    maxHistory: integer('maxHistory', options.maxHistory, 5, 1, 64),
    maxTau: integer('maxTau', options.maxTau, 1, 1),
    maxDelay: integer('maxDelay', options.maxDelay, 0, 0),
    autoK,
    interval: level === false ? 0 : numberIn(level, 'interval', { min: 0, above: true, max: 1 - 1e-9 }),
  };
  if (options.segments !== undefined) {
    if (!Array.isArray(options.segments) || options.segments.length === 0)
      throw new InvalidArgumentError('segments must be a non-empty array of lengths', { field: 'segments' });
    native.segments = Int32Array.from(options.segments, (length) => integer('segments', length, 0, 0));
  }
  if (options.mask !== undefined) {
    if (!ArrayBuffer.isView(options.mask) || !(options.mask instanceof Uint8Array) || options.mask.length === 0)
      throw new InvalidArgumentError('mask must be a Uint8Array with one entry a sample', { field: 'mask' });
    native.valid = Uint8Array.from(options.mask);
  }
  return {
    native,
    locals: booleanIn(options.locals ?? false, 'locals'),
    unit: codeOf({ nats: 0, bits: 1 }, 'unit', options.unit) === 1 ? Math.LN2 : 1,
    estimator,
  };
}

/** The series of conditions; their embeddings go into `native`. */
export function checkConditions(
  conditions: TransferEntropyOptions['conditions'],
  native: NativeOptions,
): readonly Float64Array[] {
  if (conditions === undefined) return [];
  const list = conditions instanceof Float64Array ? [conditions] : conditions;
  if (!Array.isArray(list))
    throw new InvalidArgumentError('conditions must be a Float64Array or an array of series', { field: 'conditions' });
  if (list.length === 0) return [];
  const history = new Int32Array(list.length).fill(1);
  const tau = new Int32Array(list.length).fill(1);
  const delay = new Int32Array(list.length).fill(1);
  const series = list.map((entry: Float64Array | Condition, c) => {
    if (entry instanceof Float64Array) return entry;
    const own = objectIn(entry, 'conditions') as unknown as Condition;
    if (!(own.series instanceof Float64Array))
      throw new InvalidArgumentError(`conditions[${c}].series must be a Float64Array`, { field: 'conditions' });
    history[c] = integer('conditions.history', own.history, 1, 1, 1_000_000);
    tau[c] = integer('conditions.tau', own.tau, 1, 1);
    delay[c] = integer('conditions.delay', own.delay, 1, 0);
    return own.series;
  });
  native.conditionHistory = history;
  native.conditionTau = tau;
  native.conditionDelay = delay;
  return series;
}
