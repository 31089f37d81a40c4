// What the user passes to a Consensus and gets to know of its beliefs.
import type { Device } from '@x/cuda-core';
import type { LearningOptions } from './beliefs';
import type { Decision, Selection } from './decision';
import type { Schedule, ScheduleFunction } from './schedules';

export interface ModelOptions {
  /** Not empty, unique among the models. */
  name: string;
  /** What one answer costs, in any unit common to the models; 0 or more. */
  cost: number;
  /** Typical time to an answer, in any unit common to the models; 0 or more. Default 0. */
  latency?: number;
}

/**
 * `E = cost * (cost * costScale / C) - quality * q - uncertainty * sd + latency * (latency / L)`, with `q` the quality
 * (0 to 1) and `sd` the standard deviation of its posterior, `C` the cost normaliser and `L` the largest latency.
 */
export interface EnergyOptions {
  /** Weight of cost, 0 or more. Default 1. */
  cost?: number;
  /** Weight of quality, 0 or more. Default 1. */
  quality?: number;
  /** Weight of not knowing the quality: above 0 seeks what is unknown, below 0 avoids it. Default 0. */
  uncertainty?: number;
  /** Weight of latency, 0 or more. Default 0. */
  latency?: number;
  /** `C`, above 0. Default: the largest cost of the models (1 when all are free). */
  costNormaliser?: number;
}

export interface ConsensusOptions {
  /** The pool, 1 to 65,536 models. */
  models: readonly ModelOptions[];
  energy?: EnergyOptions;
  /** Default `schedules.exponential({ start: 0.2, end: 0.02, steps: 300 })`. Only Boltzmann selection looks at it. */
  schedule?: Schedule | ScheduleFunction;
  learning?: LearningOptions;
  /**
   * - `'boltzmann'` (default): drawn with probability `exp(-E / T) / Z`, with the posteriors' means as qualities.
   * - `'thompson'`: the lowest energy after drawing each quality from its posterior.
   * - `'greedy'`: the lowest energy, with the means as qualities.
   *
   * The last two are Boltzmann at temperature 0: exact ties are broken at random.
   */
  selection?: Selection;
  /** Integer from 0 to 2^53 - 1; the same seed and the same calls give the same choices. Default 0. */
  seed?: number;
  /** Where the numerics run. A single choice never pays on a GPU, so `'auto'` (default) is the CPU. */
  device?: Device;
}

/** An estimate of a model's success from elsewhere, such as a router's: 0 to 1, with a standard deviation if known. */
export type QualityEstimate = number | { mean: number; uncertainty: number };

export interface ChooseContext {
  /** Qualities are learnt for each domain apart. `1` and `'1'` are the same domain; none is a domain of its own. */
  domain?: string | number;
  /** Estimates by model; pooled with what was learnt as pseudo-outcomes, for this choice only. */
  quality?: Readonly<Record<string, QualityEstimate>>;
  /** Models that must not be chosen. */
  exclude?: readonly string[];
  /** Multiplies costs, for all models or by model: expected tokens, a discount. 0 or more. Default 1. */
  costScale?: number | Readonly<Record<string, number>>;
}

export interface Outcome {
  /** The decision that was carried out; or name the model (and domain) instead. */
  decision?: Pick<Decision, 'model' | 'domain'>;
  model?: string;
  domain?: string | number;
  /** Whether the answer was right; a number from 0 to 1 counts in parts. */
  success: boolean | number;
}

export interface Posterior {
  alpha: number;
  beta: number;
  mean: number;
  /** Standard deviation. */
  deviation: number;
  /** Equal-tailed credible interval of probability `level` (0 to 1, both excluded; default 0.95). */
  interval(level?: number): [lower: number, upper: number];
}
