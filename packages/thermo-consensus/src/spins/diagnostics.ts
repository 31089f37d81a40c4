import { numberIn, refuse, shown } from '@x/cuda-core/addon';
import { normalQuantile } from '../learning/normal';

/** Draws of independent chains, one array a chain, all of the same length. */
export type Chains = readonly (Float64Array | readonly number[])[];

/**
 * Diagnostics of Markov chains after A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner, "Rank-normalization,
 * folding, and localization: an improved R-hat", Bayesian Analysis 16, 667 (2021). Every chain is split in two halves (the
 * middle draw of an odd number is left out), so one chain is enough. Constant chains, chains with values that are not
 * finite and chains of fewer than 4 draws have no diagnostic: NaN.
 *
 * For replica exchange apply them to one temperature slot of several independent chains; replicas of one chain are coupled.
 *
 * @throws InvalidArgumentError when the chains differ in length or there is none.
 */
export const diagnostics = {
  /** The larger of the rank-normalised split R-hat and that of the folded draws. Below 1.01 is fine. */
  rHat(chains: Chains): number {
    const x = parse(chains);
    if (!usable(x)) return Number.NaN;
    const middle = quantile(x.flat(), 0.5);
    const folded = x.map((chain) => chain.map((v) => Math.abs(v - middle)));
    return Math.max(basicRHat(rankNormalise(split(x))), basicRHat(rankNormalise(split(folded))));
  },

  /** Split R-hat of the draws themselves (A. Gelman et al., Bayesian Data Analysis, 3rd ed., 11.4). */
  splitRHat(chains: Chains): number {
    const x = parse(chains);
    return usable(x) ? basicRHat(split(x)) : Number.NaN;
  },

  /** Effective sample size of the bulk: of the rank-normalised draws. At least 100 a chain is asked for. */
  essBulk(chains: Chains): number {
    const x = parse(chains);
    return usable(x) ? basicEss(rankNormalise(split(x))) : Number.NaN;
  },

  /** Effective sample size in the tails: the smaller one of the indicators of the 5 % and 95 % quantiles. */
  essTail(chains: Chains): number {
    return Math.min(diagnostics.essQuantile(chains, 0.05), diagnostics.essQuantile(chains, 0.95));
  },

  /** Effective sample size for the quantile of probability `p`. */
  essQuantile(chains: Chains, p: number): number {
    numberIn(p, 'p', { min: 0, max: 1 });
    const x = parse(chains);
    if (!usable(x)) return Number.NaN;
    const bound = quantile(x.flat(), p);
    const below = x.map((chain) => chain.map((v) => (v <= bound ? 1 : 0)));
    return usable(below) ? basicEss(split(below)) : Number.NaN;
  },

  /** Effective sample size for the mean. */
  essMean(chains: Chains): number {
    const x = parse(chains);
    return usable(x) ? basicEss(split(x)) : Number.NaN;
  },

  /** Standard error of the mean over all draws. */
  mcseMean(chains: Chains): number {
    const x = parse(chains);
    return usable(x) ? Math.sqrt(variance(x.flat()) / basicEss(split(x))) : Number.NaN;
  },

  /** Draws an independent one is worth: all draws over essMean. */
  autocorrelationTime(chains: Chains): number {
    const x = parse(chains);
    return usable(x) ? (x.length * x[0]!.length) / basicEss(split(x)) : Number.NaN;
  },
};

function parse(chains: Chains): number[][] {
  if (!Array.isArray(chains) || chains.length === 0)
    refuse('chains', `chains is ${shown(chains)}; it must be an array of at least one chain.`);
  const out = chains.map((chain, c) => {
    if (!(chain instanceof Float64Array) && !Array.isArray(chain))
      refuse('chains', `chain ${c} is ${shown(chain)}; it must be a Float64Array.`);
    return Array.from(chain);
  });
  const length = out[0]!.length;
  const other = out.findIndex((chain) => chain.length !== length);
  if (other >= 0)
    refuse('chains', `chain ${other} has ${out[other]!.length} draws and chain 0 has ${length}; they must be equal.`);
  return out;
}

function usable(chains: number[][]): boolean {
  const first = chains[0]![0];
  return (
    chains[0]!.length >= 4 &&
    chains.every((chain) => chain.every(Number.isFinite)) &&
    chains.some((chain) => chain.some((v) => v !== first))
  );
}

function split(chains: number[][]): number[][] {
  const half = Math.floor(chains[0]!.length / 2);
  return chains.flatMap((chain) => [chain.slice(0, half), chain.slice(chain.length - half)]);
}

/** Normal scores of the ranks over all chains; equal values share their mean rank. */
function rankNormalise(chains: number[][]): number[][] {
  const all = chains.flat();
  const order = Uint32Array.from(all.keys()).sort((a, b) => all[a]! - all[b]!);
  const scores = new Float64Array(all.length);
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (end < order.length && all[order[end]!] === all[order[begin]!]) end++;
    const rank = (begin + 1 + end) / 2;
    const score = normalQuantile((rank - 3 / 8) / (all.length + 1 / 4));
    for (let k = begin; k < end; k++) scores[order[k]!] = score;
    begin = end;
  }
  const length = chains[0]!.length;
  return chains.map((_, c) => Array.from(scores.subarray(c * length, (c + 1) * length)));
}

const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length;

function variance(x: readonly number[]): number {
  const m = mean(x);
  return x.reduce((sum, v) => sum + (v - m) ** 2, 0) / (x.length - 1);
}

/** The quantile that interpolates between order statistics (type 7 of Hyndman and Fan). */
function quantile(values: number[], p: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * p;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

function basicRHat(chains: number[][]): number {
  const length = chains[0]!.length;
  const within = mean(chains.map(variance));
  const between = length * variance(chains.map(mean));
  return Math.sqrt((between / within + length - 1) / length);
}

/**
 * Draws over the autocorrelation time, whose sum of correlations is cut by Geyer's initial monotone sequence: pairs of
 * neighbouring lags are positive and fall (C. Geyer, Stat. Sci. 7, 473 (1992)).
 */
function basicEss(chains: number[][]): number {
  const count = chains.length;
  const length = chains[0]!.length;
  if (length < 3) return Number.NaN;
  const means = chains.map(mean);
  const centred = chains.map((chain, c) => Float64Array.from(chain, (v) => v - means[c]!));
  // Lags are computed as they are asked for: most chains need few of them.
  const covariance = (lag: number): number => {
    let sum = 0;
    for (const x of centred) for (let i = 0; i + lag < length; i++) sum += x[i]! * x[i + lag]!;
    return sum / length / count;
  };
  const withinMean = (covariance(0) * length) / (length - 1);
  let pooled = (withinMean * (length - 1)) / length;
  if (count > 1) pooled += variance(means);
  if (!(pooled > 0)) return Number.NaN;
  const correlation = (lag: number): number => 1 - (withinMean - covariance(lag)) / pooled;

  const rho = [1, correlation(1)];
  let even = 1;
  let odd = rho[1]!;
  let lag = 0;
  while (lag < length - 5 && even + odd > 0) {
    lag += 2;
    even = correlation(lag);
    odd = correlation(lag + 1);
    if (even + odd >= 0) rho.push(even, odd);
  }
  const last = lag;
  // The first pair that fails still lends its even lag when that is positive.
  if (even > 0) rho[last] = even;
  for (let t = 2; t <= last - 2; t += 2) {
    const before = rho[t - 2]! + rho[t - 1]!;
    if ((rho[t] ?? 0) + (rho[t + 1] ?? 0) > before) rho[t] = rho[t + 1] = before / 2;
  }
  let sum = 0;
  for (let t = 0; t < last; t++) sum += rho[t] ?? 0;
  const draws = count * length;
  const time = -1 + 2 * sum + (rho[last] ?? 0);
  // Antithetic chains may be better than independent draws, but not without bound.
  return draws / Math.max(time, 1 / Math.log10(draws));
}
