// How much one domain of a model says about another: a hierarchical Beta-binomial model. The success rates of a model in its domains
// come from one Beta distribution, the population, of mean `m` and strength `S = alpha + beta`; both are unknown, and the
// posterior of a domain is averaged over what the outcomes of all domains leave possible.
import { numberIn, refuse } from '@x/cuda-core/addon';
import type { Counts } from './beliefs';

/** Strengths tried: from domains that have nothing in common to domains that are one. */
const STRENGTHS = Float64Array.from({ length: 15 }, (_, j) => 0.125 * 2 ** j);
/** The population is learnt anew whenever a model's outcomes have become this share more or fewer. */
const RELEARN_SHARE = 0.02;

/** Mean and variance of a probability. */
export interface Moments {
  mean: number;
  variance: number;
}

/** What is known of the Beta distribution that a model's rates come from. */
export class Population {
  /** Posterior weight of each strength; for each, mean and variance of the population's mean. */
  readonly #weights = new Float64Array(STRENGTHS.length);
  readonly #means = new Float64Array(STRENGTHS.length);
  readonly #variances = new Float64Array(STRENGTHS.length);
  #evidence = Number.NaN;

  /** Learns from all domains of a model, unless it knows nearly as many outcomes already. */
  learn(domains: Iterable<Counts>, model: number, evidence: number, prior: { alpha: number; beta: number }): void {
    if (Math.abs(evidence - this.#evidence) <= RELEARN_SHARE * this.#evidence) return;
    this.#evidence = evidence;
    const seen: [successes: number, failures: number][] = [];
    for (const { successes, failures } of domains)
      if (successes[model]! + failures[model]! > 0) seen.push([successes[model]!, failures[model]!]);
    let most = Number.NEGATIVE_INFINITY;
    for (const [j, strength] of STRENGTHS.entries()) {
      // A domain of n outcomes tells as much of the mean as n (S + 1) / (n + S) outcomes of the population itself.
      let alpha = prior.alpha;
      let beta = prior.beta;
      for (const [s, f] of seen) {
        const worth = (strength + 1) / (s + f + strength);
        alpha += s * worth;
        beta += f * worth;
      }
      const n = alpha + beta;
      const mean = alpha / n;
      const variance = (mean * (1 - mean)) / (n + 1);
      this.#means[j] = mean;
      this.#variances[j] = variance;
      // Probability of the outcomes, the mean integrated out by Laplace's method; 1 / (1 + S), the correlation of two outcomes of
      // one domain, is uniform beforehand (M. J. Daniels, "A prior for the variance in hierarchical models", 1999).
      let log = Math.log(strength) - 2 * Math.log1p(strength) + 0.5 * Math.log(variance);
      log += (prior.alpha - 1) * Math.log(mean) + (prior.beta - 1) * Math.log1p(-mean);
      const a = mean * strength;
      const b = strength - a;
      for (const [s, f] of seen) log += risingLog(a, s) + risingLog(b, f) - risingLog(strength, s + f);
      this.#weights[j] = log;
      most = Math.max(most, log);
    }
    let total = 0;
    for (let j = 0; j < STRENGTHS.length; j++) total += this.#weights[j] = Math.exp(this.#weights[j]! - most);
    for (let j = 0; j < STRENGTHS.length; j++) this.#weights[j]! /= total;
  }

  /** Everything that is known; for `restore`. */
  toJSON(): number[] {
    return Number.isNaN(this.#evidence) ? [] : [this.#evidence, ...this.#weights, ...this.#means, ...this.#variances];
  }
  /** @throws InvalidArgumentError when the numbers are not those of a population. */
  restore(saved: readonly unknown[], field: string): void {
    if (saved.length === 0) return;
    const count = STRENGTHS.length;
    if (saved.length !== 1 + 3 * count) refuse(field, `${field} has ${saved.length} numbers, not ${1 + 3 * count}.`);
    const numbers = saved.map((v) => numberIn(v, field, { min: 0 }));
    this.#evidence = numbers[0]!;
    this.#weights.set(numbers.slice(1, 1 + count));
    this.#means.set(numbers.slice(1 + count, 1 + 2 * count));
    this.#variances.set(numbers.slice(1 + 2 * count));
  }

  /** The rate in a domain of these outcomes, averaged over all populations. */
  posterior(successes: number, failures: number, out: Moments): void {
    const n = successes + failures;
    let first = 0;
    let second = 0;
    for (let j = 0; j < STRENGTHS.length; j++) {
      const weight = this.#weights[j]!;
      if (weight < 1e-9) continue;
      const size = n + STRENGTHS[j]!;
      const borrowed = STRENGTHS[j]! / size;
      const mean = successes / size + borrowed * this.#means[j]!;
      const ofMean = borrowed * borrowed * this.#variances[j]!;
      // Variance of the Beta distribution given the population's mean, expected over that mean; and of its own mean.
      const variance = (mean * (1 - mean) - ofMean) / (size + 1) + ofMean;
      first += weight * mean;
      second += weight * (mean * mean + variance);
    }
    out.mean = first;
    out.variance = second - first * first;
  }

  /**
   * One population that may be: its strength, and its mean as moments to draw from.
   *
   * @param uniform a number from [0, 1).
   */
  strengthAt(uniform: number): { strength: number; mean: number; variance: number } {
    let j = 0;
    for (let left = uniform; j < STRENGTHS.length - 1; j++) {
      left -= this.#weights[j]!;
      if (left < 0) break;
    }
    return { strength: STRENGTHS[j]!, mean: this.#means[j]!, variance: this.#variances[j]! };
  }
}

/** The Beta distribution of these moments. */
export function betaOf({ mean, variance }: Moments): [alpha: number, beta: number] {
  const n = (mean * (1 - mean)) / variance - 1;
  return [mean * n, (1 - mean) * n];
}

/** `ln Gamma(x + n) - ln Gamma(x)`, for x above 0 and n of 0 or more. */
function risingLog(x: number, n: number): number {
  // Whole and small n: a product, exact and without cancellation.
  if (n <= 8 && Number.isInteger(n)) {
    let product = 1;
    for (let i = 0; i < n; i++) product *= x + i;
    return Math.log(product);
  }
  return logGamma(x + n) - logGamma(x);
}

/** Stirling's series, from 8 on; below, by recurrence. Relative error below 1e-12. */
function logGamma(x: number): number {
  let shift = 1;
  let y = x;
  while (y < 8) shift *= y++;
  const r = 1 / (y * y);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - Math.log(shift);
}
