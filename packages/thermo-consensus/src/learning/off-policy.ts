// What another policy would have earned, judged from a log of choices that were made with known probabilities.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import { normalQuantile } from './normal';

/** One choice of the log. */
export interface LoggedChoice<Context = unknown> {
  /** The model that was chosen. */
  model: string;
  /** The probability with which it was (`decision.propensities[model]`), above 0 to 1. */
  propensity: number;
  /** What the choice earned: success minus its cost, say. Any finite number. */
  reward: number;
  /** Whatever the policy under evaluation looks at. */
  context?: Context;
}

/** The probability of each model in a context; they add up to 1, and models left out have probability 0. */
export type Policy<Context = unknown> = (context: Context, index: number) => Readonly<Record<string, number>>;

export interface OffPolicyOptions<Context = unknown> {
  /**
   * - `'ips'`: rewards weighted by the ratio of probabilities (D. G. Horvitz, D. J. Thompson, 1952). Unbiased, wide.
   * - `'snips'` (default): the same with weights that add up to one (A. Swaminathan, T. Joachims, NeurIPS 2015). A little biased,
   *   much narrower.
   * - `'dr'`: doubly robust (M. Dudik, J. Langford, L. Li, ICML 2011): unbiased, and narrow when `estimate` is good.
   */
  method?: 'ips' | 'snips' | 'dr';
  /** Expected reward of a model in a context; needed for `'dr'`. */
  estimate?: (context: Context, model: string) => number;
  /** Weights above this are cut to it, which trades bias for width. Default: none is. */
  clip?: number;
  /** Of the confidence interval, above 0 and below 1. Default 0.95. */
  level?: number;
}

export interface OffPolicyValue {
  /** Mean reward that the policy would have earned. */
  value: number;
  standardError: number;
  /** Normal confidence interval; trust it when `effectiveSamples` is in the hundreds. */
  interval: [lower: number, upper: number];
  /** `(sum w)^2 / sum w^2`: how many choices of the policy's own the log is worth (L. Kish, 1965). */
  effectiveSamples: number;
  /** Mean weight: far from 1, probabilities of the log are wrong or the policy goes where the log has not been. */
  meanWeight: number;
}

/**
 * Counterfactual value of a policy.
 *
 * The log must have given every model a chance wherever the policy would choose it: where a propensity is 0 the log is silent.
 * Boltzmann, Thompson and top-two choices qualify, with `decision.propensities`; greedy ones, which never choose otherwise, do not.
 *
 * @throws InvalidArgumentError naming the entry, for an empty log, a propensity of 0, probabilities that do not add up to 1.
 */
export function evaluatePolicy<Context = unknown>(
  log: readonly LoggedChoice<Context>[],
  policy: Policy<Context>,
  options: OffPolicyOptions<Context> = {},
): OffPolicyValue {
  objectIn(options, 'options');
  const { method = 'snips', estimate } = options;
  if (method !== 'ips' && method !== 'snips' && method !== 'dr')
    refuse('method', `method is ${shown(method)}; it must be 'ips', 'snips' or 'dr'.`);
  if (method === 'dr' && typeof estimate !== 'function')
    refuse('estimate', "method 'dr' needs estimate(context, model), the expected reward.");
  if (!Array.isArray(log) || log.length === 0) refuse('log', 'log must be an array with one logged choice or more.');
  const clip = numberIn(options.clip ?? Number.POSITIVE_INFINITY, 'clip', { min: 0, above: true, infinite: true });
  const level = numberIn(options.level ?? 0.95, 'level', { min: 0, above: true, max: 1 });
  if (level === 1) refuse('level', 'level is 1; it must be below 1.');

  const n = log.length;
  const weights = new Float64Array(n);
  const rewards = new Float64Array(n);
  const baseline = new Float64Array(n); // dr: the estimate's own value of the policy
  let sum = 0;
  let squares = 0;
  for (const [i, entry] of log.entries()) {
    const { model, propensity, reward, context } = objectIn(entry, `log[${i}]`) as unknown as LoggedChoice<Context>;
    numberIn(propensity, `log[${i}].propensity`, { min: 0, above: true, max: 1 });
    numberIn(reward, `log[${i}].reward`);
    const wanted = distribution(policy(context as Context, i), i);
    const own = Object.hasOwn(wanted, model) ? wanted[model]! : 0;
    const w = Math.min(clip, own / propensity);
    weights[i] = w;
    rewards[i] = reward;
    if (method === 'dr') {
      for (const [name, p] of Object.entries(wanted))
        if (p > 0) baseline[i]! += p * numberIn(estimate!(context as Context, name), 'estimate');
      rewards[i] = reward - numberIn(estimate!(context as Context, model), 'estimate');
    }
    sum += w;
    squares += w * w;
  }
  if (method === 'snips' && sum === 0)
    refuse('policy', 'the policy never chooses what the log chose; nothing can be said.');

  const divisor = method === 'snips' ? sum : n;
  let value = 0;
  for (let i = 0; i < n; i++) value += (weights[i]! * rewards[i]!) / divisor + baseline[i]! / n;
  // Of the mean of the terms; for snips of the ratio, by its influence function.
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const term =
      method === 'snips'
        ? (weights[i]! * (rewards[i]! - value) * n) / sum
        : weights[i]! * rewards[i]! + baseline[i]! - value;
    variance += (term * term) / n;
  }
  const standardError = n > 1 ? Math.sqrt(variance / (n - 1)) : Number.POSITIVE_INFINITY;
  const half = normalQuantile(0.5 + level / 2) * standardError;
  return {
    value,
    standardError,
    interval: [value - half, value + half],
    effectiveSamples: squares > 0 ? (sum * sum) / squares : 0,
    meanWeight: sum / n,
  };
}

function distribution(given: Readonly<Record<string, number>>, i: number): Readonly<Record<string, number>> {
  const probabilities = objectIn(given, `policy(log[${i}])`) as Readonly<Record<string, number>>;
  let total = 0;
  for (const [model, p] of Object.entries(probabilities))
    total += numberIn(p, `policy(log[${i}])[${JSON.stringify(model)}]`, { min: 0 });
  if (Math.abs(total - 1) > 1e-6)
    refuse('policy', `the policy's probabilities for log[${i}] add up to ${total}, not 1.`);
  return probabilities;
}
