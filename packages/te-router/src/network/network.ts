import {
  type Device,
  InvalidArgumentError,
  LimitExceededError,
  OutOfMemoryError,
  UnsupportedError,
} from '@x/cuda-core';
import { booleanIn, deviceName, numberIn, objectIn, parseDevice, runJob } from '@x/cuda-core/addon';
import { integer, oneOf } from '../estimation/estimation-options';
import { addon } from '../native';
import { ESTIMATORS, type NativeNetworkOptions } from './native-network';
import { significantLinks, strongLinks } from './network-links';
import { multivariate } from './network-multivariate';

/** Series of one network: row v, `values[v * samples .. (v + 1) * samples)`, is variable v. */
export interface NetworkSeries {
  values: Float64Array;
  /** 2 or more. */
  variables: number;
  samples: number;
}

export interface TransferEntropyNetworkOptions {
  /**
   * `'ksg1'`: nearest neighbours, any dependence. `'gaussian'`: linear-Gaussian, closed form. `'binned'`: plug-in
   * frequencies of binned values; `'pairwise'` only. Default `'ksg1'`.
   */
  estimator?: 'ksg1' | 'gaussian' | 'binned';
  /** `'pairwise'`: every ordered pair by itself. `'multivariate'`: greedy inference that removes indirect links and common
   * drivers. Default `'pairwise'`. */
  method?: 'pairwise' | 'multivariate';
  /** Nearest neighbours of KSG, 1 to 64; on CUDA at most 32. Default 4. */
  k?: number;
  targetHistory?: number;
  targetTau?: number;
  sourceHistory?: number;
  sourceTau?: number;
  /** Samples between the source's newest value and the predicted one, 0 or more. Default 1. */
  delay?: number;
  /**
   * Pairwise: all delays from `delay` to this one are tried and the best is kept; default `delay`. Multivariate: the sources'
   * largest lag; default 5.
   */
  maxLag?: number;
  /** Multivariate: the largest lag of the target's own past. Default `maxLag`. */
  maxHistory?: number;
  /** Multivariate: lags chosen for a target at most. Default 20. */
  maxSources?: number;
  /** KSG: neighbours whose time differs by this many samples or fewer do not count. Default 0. */
  theiler?: number;
  /** KSG: brings every embedded column to mean 0 and standard deviation 1. Default true. */
  normalise?: boolean;
  /** KSG and Gaussian, pairwise: standard deviation of seeded Gaussian noise added to every embedded value. Default 0. */
  noise?: number;
  /** Binned: 2 to 64. Default 8. */
  bins?: number;
  /** Binned. Default `'equal-width'`. */
  binning?: 'equal-width' | 'equal-frequency';
  /** Permutations of the source for a pair's `pValue` (multivariate: for every test). Default 0. */
  surrogates?: number;
  /** A pair's test ends when this many surrogates reached its value, with p = stopAfter / drawn; 0: never. Default 0. */
  stopAfter?: number;
  /** Surrogates a pair is compared with: its own, or those of all sources of its target. Default `'pair'`. */
  null?: 'pair' | 'pooled';
  /**
   * Gaussian and binned: p-values from chi-squared instead of surrogates. Default: true when `alpha` is given and
   * `surrogates` is 0.
   */
  analytic?: boolean;
  /** Level of the tests, in (0, 1). Default 0.05. */
  alpha?: number;
  /** Controls the false-discovery rate over pairs (multivariate: over the tests that let links in). Default true. */
  fdr?: boolean;
  /**
   * Tests only pairs that a cheap estimate ranks high: the best `keep` (0 to 1, default 0.1) of all pairs by Gaussian and by
   * binned transfer entropy each. What is not tested has te NaN and p 1. Both see nothing of dependence that shows in
   * neither a correlation nor coarse bins: see the README for the recall.
   */
  screen?: boolean | { keep?: number };
  /** Untested networks: pairs with more than this many nats are `links`. Default: none are. */
  threshold?: number;
  /** Estimates targets `[from, to)` alone; see `mergeNetworks`. Default all. */
  targets?: readonly [number, number];
  /**
   * KSG on CUDA. `'f32'` measures distances in fp32, on columns centred in fp64, and counts again in fp64 whatever rounding
   * could decide: its counts, and so its values, are those of `'f64'` (to 1e-11) for any offset, resolution and histories. It is
   * slow only where most distances are equal; such networks, and raw values beyond 1e30, are done in fp64 as a whole.
   * Default: `'f32'` unless a series has equal values. The CPU has `'f64'` alone.
   */
  precision?: 'f64' | 'f32';
  /** Seed of noise and surrogates. Default 0. */
  seed?: number;
  /** Default `'auto'`: the GPU when the work pays. */
  device?: Device;
  signal?: AbortSignal;
  /** Targets done, of how many. */
  onProgress?: (done: number, total: number) => void;
}

export interface NetworkLink {
  source: number;
  target: number;
  te: number;
  /** The delay, or of a multivariate network one chosen lag. */
  lag: number;
  pValue?: number;
  /** p-value adjusted for the number of pairs, or of multivariate tests (Benjamini-Hochberg). */
  qValue?: number;
}

export interface TransferEntropyNetwork {
  /**
   * variables x variables, row = source, column = target: `te[source * variables + target]`, nats. The diagonal, and pairs
   * with a constant series, are 0. Columns outside `targets` and pairs left out by `screen` are NaN. Multivariate: what the
   * source's chosen lags together tell beyond everything else chosen; 0 for no link.
   */
  te: Float64Array;
  /** Of tested networks; 1 on the diagonal. Multivariate: the least of the pair's lags. */
  pValue?: Float64Array;
  /** The best delay, with `maxLag` (multivariate: the strongest lag, 0 for none). */
  lag?: Int32Array;
  /** Pairs that passed the test, by source, then target. Empty without a test, unless there is a `threshold`. */
  links: NetworkLink[];
  variables: number;
  /** Embedded tuples of an estimate (of the smallest delay). */
  samples: number;
  targets: readonly [number, number];
  method: 'pairwise' | 'multivariate';
  /** The smallest delay tried. */
  delay: number;
  alpha: number;
  fdr: boolean;
  /** Multivariate: all chosen lags before the control over tests, and each target's omnibus test. */
  inference?: { links: NetworkLink[]; omnibusTe: Float64Array; omnibusP: Float64Array };
  /** Surrogate values drawn in all. */
  surrogates: number;
  precision: 'f64' | 'f32';
  device: 'cpu' | `cuda:${number}`;
}

/** A matrix of doubles is then 20 GB. */
const MOST_VARIABLES = 50_000;

function checkSeries(series: NetworkSeries): NetworkSeries {
  objectIn(series, 'series');
  const variables = numberIn(series.variables, 'variables', { min: 1, integer: true });
  const samples = numberIn(series.samples, 'samples', { min: 1, integer: true });
  if (variables < 2)
    throw new InvalidArgumentError(`a network needs at least 2 variables and has ${variables}`, { field: 'variables' });
  if (variables > MOST_VARIABLES)
    throw new LimitExceededError(
      `a network of ${variables} variables has too large a matrix; at most ${MOST_VARIABLES}`,
      {
        field: 'variables',
      },
    );
  const { values } = series;
  const numbers = ArrayBuffer.isView(values) && values instanceof Float64Array; // and no Proxy of one
  if (!numbers || values.length !== variables * samples)
    throw new InvalidArgumentError(
      `values must be a Float64Array of variables x samples = ${variables * samples} numbers, a row a variable`,
      { field: 'values' },
    );
  return { values: values.slice(), variables, samples }; // the call is async: its own copy
}

function targetsIn(targets: readonly [number, number] | undefined, variables: number): readonly [number, number] {
  if (targets === undefined) return [0, variables];
  if (!Array.isArray(targets) || targets.length !== 2)
    throw new InvalidArgumentError('targets must be [from, to)', { field: 'targets' });
  const from = numberIn(targets[0], 'targets', { min: 0, max: variables - 1, integer: true });
  return [from, numberIn(targets[1], 'targets', { min: from + 1, max: variables, integer: true })];
}

/**
 * Transfer entropy of all ordered pairs of `variables` series in one call, tested if asked for, or the multivariate network
 * that explains them. Each pair's value equals `transferEntropy` of that pair with the same options.
 *
 * @throws InvalidArgumentError (as a rejection) for fewer than two variables, values that are not finite, series too short
 *   for the embedding, options out of range and names that do not exist.
 * @throws UnsupportedError for combinations that do not exist; LimitExceededError for more than 50,000
 *   variables; OutOfMemoryError when their matrix does not fit.
 *
 * @example
 * const network = await transferEntropyNetwork({ values, variables: 100, samples: 1000 }, { surrogates: 200, seed: 1 });
 * for (const { source, target, te, qValue } of network.links) console.log(source, '->', target, te, qValue);
 */
export async function transferEntropyNetwork(
  series: NetworkSeries,
  options: TransferEntropyNetworkOptions = {},
): Promise<TransferEntropyNetwork> {
  objectIn(options, 'options');
  const data = checkSeries(series);
  const estimator = oneOf('estimator', options.estimator, ['ksg1', 'gaussian', 'binned'] as const);
  const method = oneOf('method', options.method, ['pairwise', 'multivariate'] as const);
  const alpha = numberIn(options.alpha ?? 0.05, 'alpha', { min: 0, max: 1 });
  if (alpha <= 0 || alpha >= 1) throw new InvalidArgumentError('alpha must lie between 0 and 1', { field: 'alpha' });
  const fdr = booleanIn(options.fdr ?? true, 'fdr');
  const targets = targetsIn(options.targets, data.variables);
  if (method === 'multivariate') return multivariate(data, options, estimator, targets, alpha, fdr);

  const surrogates = integer('surrogates', options.surrogates, 0, 0, 1_000_000);
  const delay = integer('delay', options.delay, 1, 0);
  const precision =
    options.precision === undefined ? 2 : { f64: 0, f32: 1 }[oneOf('precision', options.precision, ['f64', 'f32'])];
  const analytic = booleanIn(
    options.analytic ?? (options.alpha !== undefined && surrogates === 0 && estimator !== 'ksg1'),
    'analytic',
  );
  if (analytic && estimator === 'ksg1')
    throw new UnsupportedError('KSG has no analytic test; take surrogates', { field: 'analytic' });
  const native: NativeNetworkOptions = {
    estimator: ESTIMATORS[estimator],
    k: integer('k', options.k, 4, 1, 64),
    targetHistory: integer('targetHistory', options.targetHistory, 1, 1),
    targetTau: integer('targetTau', options.targetTau, 1, 1),
    sourceHistory: integer('sourceHistory', options.sourceHistory, 1, 1),
    sourceTau: integer('sourceTau', options.sourceTau, 1, 1),
    minDelay: delay,
    maxDelay: integer('maxLag', options.maxLag, delay, delay, delay + 1000),
    theiler: integer('theiler', options.theiler, 0, 0),
    normalise: booleanIn(options.normalise ?? true, 'normalise'),
    bins: integer('bins', options.bins, 8, 2, 64),
    equalFrequency: oneOf('binning', options.binning, ['equal-width', 'equal-frequency']) === 'equal-frequency',
    precision,
    surrogates,
    stopAfter: integer('stopAfter', options.stopAfter, 0, 0, 1_000_000),
    nullModel: oneOf('null', options.null, ['pair', 'pooled']) === 'pooled' ? 1 : 0,
    analytic,
    from: targets[0],
    to: targets[1],
    noise: numberIn(options.noise ?? 0, 'noise', { min: 0 }),
    seed: integer('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
    device: parseDevice(options.device),
  };
  const threshold = options.threshold === undefined ? undefined : numberIn(options.threshold, 'threshold');
  const keep = keepOf(options.screen);
  if (keep !== undefined) native.wanted = await screened(data, native, keep, options.signal);
  const { variables } = data;
  const empty = () => {
    try {
      return new Float64Array(variables * variables);
    } catch (cause) {
      throw new OutOfMemoryError(`no memory for a matrix of ${variables} x ${variables} numbers`, { cause });
    }
  };
  const part = targets[0] > 0 || targets[1] < variables;
  const te = part ? empty().fill(Number.NaN) : empty();
  const tested = surrogates > 0 || analytic;
  const pValue = tested ? (part ? empty().fill(Number.NaN) : empty()) : undefined;
  const lag = native.maxDelay > native.minDelay ? new Int32Array(variables * variables) : undefined;
  const done = await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon().network(data.values, variables, data.samples, native, te, pValue, lag, control),
  );
  if (native.wanted)
    for (let m = 0; m < te.length; m++) if (!native.wanted[m] && m % (variables + 1) !== 0) te[m] = Number.NaN;
  const lagOf = (source: number, target: number) => (lag ? (lag[source * variables + target] as number) : delay);
  const links = pValue
    ? significantLinks({ variables, te, pValue, lag: lagOf, targets, alpha, fdr })
    : threshold === undefined
      ? []
      : strongLinks(te, variables, targets, threshold, lagOf);
  return {
    te,
    ...(pValue && { pValue }),
    ...(lag && { lag }),
    links,
    variables,
    samples: done.tuples,
    targets,
    method,
    delay,
    alpha,
    fdr,
    surrogates: done.surrogates,
    precision: done.single ? 'f32' : 'f64',
    device: deviceName({ kind: done.deviceKind, index: done.deviceIndex }),
  };
}

/** The share that screening keeps; undefined for none. */
function keepOf(screen: TransferEntropyNetworkOptions['screen']): number | undefined {
  if (screen === undefined || screen === false) return undefined;
  const { keep } = screen === true ? {} : (objectIn(screen, 'screen') as { keep?: number });
  return numberIn(keep ?? 0.1, 'screen.keep', { min: 0, max: 1 });
}

/** The pairs that are among the best `keep` by either cheap estimate. */
async function screened(
  data: NetworkSeries,
  native: NativeNetworkOptions,
  keep: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { variables } = data;
  const wanted = new Uint8Array(variables * variables);
  const count = (native.to - native.from) * (variables - 1);
  const kept = Math.ceil(keep * count);
  if (kept === 0) return wanted;
  for (const estimator of [ESTIMATORS.gaussian, ESTIMATORS.binned]) {
    const te = new Float64Array(variables * variables);
    const cheap = {
      ...native,
      estimator,
      bins: 4,
      equalFrequency: true,
      surrogates: 0,
      analytic: false,
      noise: 0,
      device: { kind: 0, index: 0 },
    };
    await runJob({ signal }, (control) =>
      addon().network(data.values, variables, data.samples, cheap, te, undefined, undefined, control),
    );
    const all = new Float64Array(count);
    let n = 0;
    for (let x = 0; x < variables; x++)
      for (let y = native.from; y < native.to; y++) if (x !== y) all[n++] = te[x * variables + y] as number;
    const least = all.subarray(0, n).sort()[Math.max(0, n - kept)] as number;
    for (let x = 0; x < variables; x++)
      for (let y = native.from; y < native.to; y++)
        if (x !== y && (te[x * variables + y] as number) >= least) wanted[x * variables + y] = 1;
  }
  return wanted;
}
