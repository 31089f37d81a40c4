// What the user passes to a Consensus and gets to know of its beliefs.
import type { Device } from '@x/cuda-core';
import type { LearningOptions } from '../learning/beliefs';
import type { Schedule, ScheduleFunction } from '../schedules/schedules';
import type { Decision, Selection } from './decision';
import type { Price, Tokens } from './pricing';
import type { QualityTargetOptions } from './quality-target';

export interface ModelOptions {
  /** Not empty, unique among the models. */
  name: string;
  /** What one answer costs, or the prices of its tokens, in any unit common to the models; 0 or more. */
  cost: number | Price;
  /** Typical time to an answer, in any unit common to the models; 0 or more, 0 (default) when unknown. Outcomes refine it. */
  latency?: number;
  /** Most tokens, in and out, that the model takes. Default: any number. */
  contextLength?: number;
}

/**
 * The weights of `E = cost c/C - quality q - uncertainty u + risk r + latency l/L + deadline m + context o`, with
 * - `c` the cost of the request and `C` the cost normaliser,
 * - `q` the expected quality, `u` the standard deviation of its posterior (epistemic: evidence removes it), `r` the standard
 *   deviation `sqrt(q (1 - q))` of one outcome (aleatoric: nothing removes it),
 * - `l` the typical latency and `L` the largest one stated, `m` the probability of an answer after the deadline,
 * - `o` the tokens beyond the model's context, as a share of it.
 */
export interface EnergyOptions {
  /** Weight of cost, 0 or more. Default 1. */
  cost?: number;
  /** Weight of quality, 0 or more. Default 1. */
  quality?: number;
  /** Weight of not knowing the quality: above 0 seeks what is unknown, below 0 avoids it. Default 0. */
  uncertainty?: number;
  /** Weight of how much single outcomes vary, 0 or more. Default 0. */
  risk?: number;
  /** Weight of latency, 0 or more. Default 0. */
  latency?: number;
  /** Weight of missing the deadline, where a request has one, 0 or more. Default 1: as bad as a wrong answer. */
  deadline?: number;
  /** Weight of a request too long for a model, 0 or more. Default Infinity: such a model is not chosen. */
  context?: number;
  /** `C`, above 0. Default: the largest cost of the models (1 when all are free). */
  costNormaliser?: number;
  /** Tokens of a request that states none, for models with prices. Default 500 in, 200 out. */
  tokens?: Tokens;
}

export interface ConsensusOptions {
  /** The pool, 1 to 65,536 models. */
  models: readonly ModelOptions[];
  energy?: EnergyOptions;
  /**
   * The temperature of each choice. Default `schedules.exponential({ start: 0.2, end: 0.02, steps: 300 })`. Boltzmann selection alone
   * looks at it, and a `target`: there it is how far draws stray from the posteriors' means, 1 as far as the posterior says, 0 not at
   * all; default `schedules.exponential({ start: 1.5, end: 0.1, steps: 2000 })`.
   */
  schedule?: Schedule | ScheduleFunction;
  learning?: LearningOptions;
  /**
   * Keep this share of the best single model's quality (0.98, say) at the least energy of the other terms: the weight of quality
   * becomes a Lagrange multiplier that is learnt from outcomes. Selection is then Thompson's.
   */
  target?: number | QualityTargetOptions;
  /**
   * - `'boltzmann'` (default): drawn with probability `exp(-E / T) / Z`, with the posteriors' means as qualities.
   * - `'thompson'`: the lowest energy after drawing each quality from its posterior.
   * - `'top-two'`: as Thompson, but every other time the lowest energy of a draw that another model wins, so that what is best is
   *   soon known for sure (D. Russo, "Simple Bayesian algorithms for best-arm identification", 2016).
   * - `'greedy'`: the lowest energy, with the means as qualities.
   *
   * All but the first are Boltzmann at temperature 0: exact ties are broken at random.
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
  /** The request's text, of which is learnt what each model is good at; see `learning.context`. */
  text?: string;
  /**
   * Numbers that describe the request, with `learning.context: 'features'`: as many in each request, up to 16,384, all of about unit
   * size; of more than 64, an embedding, only the direction counts.
   */
  features?: ArrayLike<number>;
  /** Estimates by model; pooled with what was learnt as pseudo-outcomes, for this choice only. */
  quality?: Readonly<Record<string, QualityEstimate>>;
  /** Models that must not be chosen. */
  exclude?: readonly string[];
  /**
   * Tokens of the request, for models with prices and for `contextLength`: in all, or in and out, `output` defaulting to
   * `energy.tokens.output`.
   */
  tokens?: number | Tokens;
  /** Time left for the answer, in the unit of the models' latencies; 0 or more. */
  deadline?: number;
  /** Multiplies costs, for all models or by model: expected tokens, a discount. 0 or more. Default 1. */
  costScale?: number | Readonly<Record<string, number>>;
}

export interface Outcome {
  /** The decision that was carried out; or name the model (and domain) instead. */
  decision?: Decision | Pick<Decision, 'model' | 'domain'>;
  model?: string;
  domain?: string | number;
  /** Text or features of the request; a decision of `choose` knows its own. */
  text?: string;
  features?: ArrayLike<number>;
  /** Whether the answer was right; a number from 0 to 1 counts in parts. Left out when nobody knows. */
  success?: boolean | number;
  /** How long the answer took, above 0. */
  latency?: number;
  /** Tokens that were billed, for discounts by volume. */
  tokens?: Tokens;
  /** What the answer was worth all in all, any finite number; teaches the weights (`learning.weights`) and needs `decision`. */
  utility?: number;
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
