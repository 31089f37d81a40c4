// How much one domain of a model says about another: a hierarchical Beta-binomial model. The success rates of a model in its domains
// come from one Beta distribution, the population, of mean `m` and strength `S = alpha + beta`; both are unknown, and the
// posterior of a domain is averaged over what the outcomes of all domains leave possible.
import { numberIn, refuse, shown } from '@x/cuda-core/addon';
import type { Counts } from './beliefs';
import { risingLog } from './beta';

/** Strengths tried: from domains that have nothing in common to domains that are one. */
export const STRENGTHS = Float64Array.from({ length: 15 }, (_, j) => 0.125 * 2 ** j);
/** The population is learnt anew whenever a model's outcomes have become this share more or fewer. */
const RELEARN_SHARE = 0.02;

/** Weights below this do not count. */
const NEGLIGIBLE = 1e-9;

export interface SavedPopulations {
  outcomes: number[];
  evidence: number[];
  means: number[];
  variances: number[];
}

/** Mean and variance of a probability. */
export interface Moments {
  mean: number;
  variance: number;
}

/**
 * What is known of the Beta distributions that the models' rates come from. Each model has a mean of its own; how much domains differ,
 * the strength, is common to the pool, since a single model's domains are seldom enough to tell.
 */
export class Populations {
  /** By model and strength: logarithm of the probability of its outcomes; mean and variance of its population's mean. */
  readonly #evidence: Float64Array;
  readonly #means: Float64Array;
  readonly #variances: Float64Array;
  /** Outcomes of each model that the above were learnt from. */
  readonly #outcomes: Float64Array;
  /** Grows whenever anything here changes. */
  revision = 0;
  /** Posterior weights of the strengths. */
  readonly #weights = new Float64Array(STRENGTHS.length);

  constructor(
    readonly models: number,
    readonly prior: { alpha: number; beta: number },
  ) {
    const table = () => new Float64Array(models * STRENGTHS.length);
    this.#evidence = table();
    this.#means = table();
    this.#variances = table();
    // What is known of a model without outcomes.
    const n = prior.alpha + prior.beta;
    this.#means.fill(prior.alpha / n);
    this.#variances.fill((prior.alpha * prior.beta) / (n * n * (n + 1)));
    this.#outcomes = new Float64Array(models);
    this.#weigh();
  }

  /** Learns from all domains of a model, unless nearly as many of its outcomes are known already. */
  learn(domains: Iterable<Pick<Counts, 'successes' | 'failures'>>, model: number, outcomes: number): void {
    const known = this.#outcomes[model]!;
    if (known > 0 && Math.abs(outcomes - known) <= RELEARN_SHARE * known) return;
    this.#outcomes[model] = outcomes;
    const seen: [successes: number, failures: number][] = [];
    for (const { successes, failures } of domains)
      if (successes[model]! + failures[model]! > 0) seen.push([successes[model]!, failures[model]!]);
    const { alpha: priorAlpha, beta: priorBeta } = this.prior;
    for (const [j, strength] of STRENGTHS.entries()) {
      // A domain of n outcomes tells as much of the mean as n (S + 1) / (n + S) outcomes of the population itself.
      let alpha = priorAlpha;
      let beta = priorBeta;
      for (const [s, f] of seen) {
        const worth = (strength + 1) / (s + f + strength);
        alpha += s * worth;
        beta += f * worth;
      }
      const mean = alpha / (alpha + beta);
      const variance = (mean * (1 - mean)) / (alpha + beta + 1);
      // The mean is integrated out by Laplace's method.
      let log = 0.5 * Math.log(variance) + (priorAlpha - 1) * Math.log(mean) + (priorBeta - 1) * Math.log1p(-mean);
      const a = mean * strength;
      const b = strength - a;
      for (const [s, f] of seen) log += risingLog(a, s) + risingLog(b, f) - risingLog(strength, s + f);
      const at = model * STRENGTHS.length + j;
      this.#evidence[at] = log;
      this.#means[at] = mean;
      this.#variances[at] = variance;
    }
    this.#weigh();
  }

  #weigh(): void {
    this.revision++;
    const weights = this.#weights;
    for (const [j, strength] of STRENGTHS.entries()) {
      // 1 / (1 + S), the correlation of two outcomes of one domain, is uniform beforehand (M. J. Daniels, "A prior for the
      // variance in hierarchical models", 1999).
      let log = Math.log(strength) - 2 * Math.log1p(strength);
      for (let at = j; at < this.#evidence.length; at += STRENGTHS.length) log += this.#evidence[at]!;
      weights[j] = log;
    }
    const most = weights.reduce((a, b) => Math.max(a, b));
    let total = 0;
    for (let j = 0; j < weights.length; j++) {
      weights[j] = Math.exp(weights[j]! - most);
      total += weights[j]!;
    }
    for (let j = 0; j < weights.length; j++) weights[j]! /= total;
  }

  /** Everything that is known; for `restore`. */
  toJSON(): SavedPopulations {
    return {
      outcomes: [...this.#outcomes],
      evidence: [...this.#evidence],
      means: [...this.#means],
      variances: [...this.#variances],
    };
  }
  /** @throws InvalidArgumentError when it is nothing that `toJSON` gave for as many models. */
  restore(saved: SavedPopulations): void {
    const take = (into: Float64Array, values: unknown, name: string, range: { min?: number; max?: number }) => {
      const field = `populations.${name}`;
      if (!Array.isArray(values) || values.length !== into.length)
        refuse(field, `${field} is ${shown(values)}; it must hold ${into.length} numbers.`);
      for (const [i, value] of (values as unknown[]).entries()) into[i] = numberIn(value, field, range);
    };
    take(this.#outcomes, saved.outcomes, 'outcomes', { min: 0 });
    take(this.#evidence, saved.evidence, 'evidence', {});
    take(this.#means, saved.means, 'means', { min: 0, max: 1 });
    take(this.#variances, saved.variances, 'variances', { min: 0, max: 1 });
    this.#weigh();
  }

  /** The rate of a model in a domain of these outcomes, averaged over all populations. */
  posterior(model: number, successes: number, failures: number, out: Moments): void {
    const n = successes + failures;
    let first = 0;
    let second = 0;
    for (let j = 0; j < STRENGTHS.length; j++) {
      const weight = this.#weights[j]!;
      if (weight < NEGLIGIBLE) continue;
      const at = model * STRENGTHS.length + j;
      const size = n + STRENGTHS[j]!;
      const borrowed = STRENGTHS[j]! / size;
      const mean = successes / size + borrowed * this.#means[at]!;
      const ofMean = borrowed * borrowed * this.#variances[at]!;
      // Variance of the Beta distribution given the population's mean, expected over that mean; and of its own mean.
      const variance = (mean * (1 - mean) - ofMean) / (size + 1) + ofMean;
      first += weight * mean;
      second += weight * (mean * mean + variance);
    }
    out.mean = first;
    out.variance = second - first * first;
  }

  /** Index of a strength drawn from the posterior by a uniform number from [0, 1). */
  drawStrength(uniform: number): number {
    let j = 0;
    for (let left = uniform - this.#weights[0]!; left >= 0 && j < STRENGTHS.length - 1; ) left -= this.#weights[++j]!;
    return j;
  }
  /** Mean and variance of a model's population mean, given the strength of that index. */
  meanGiven(strength: number, model: number, out: Moments): void {
    out.mean = this.#means[model * STRENGTHS.length + strength]!;
    out.variance = this.#variances[model * STRENGTHS.length + strength]!;
  }
}

/** The Beta distribution of these moments. */
export function betaOf({ mean, variance }: Moments): [alpha: number, beta: number] {
  const n = (mean * (1 - mean)) / variance - 1;
  return [mean * n, (1 - mean) * n];
}
