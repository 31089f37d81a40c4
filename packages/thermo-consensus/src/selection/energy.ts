// The energy of every model for one request: a weighted sum of factors, each readable in the decision's explanation.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import type { LatencyBelief } from './latency';
import type { EnergyOptions, ModelOptions } from './options';
import { costOf, type ResolvedPrice, type ResolvedTokens, resolvePrice, resolveTokens } from './pricing';

/** The terms of an energy, in the order in which they are added. */
export const TERMS = ['cost', 'quality', 'uncertainty', 'risk', 'latency', 'deadline', 'context'] as const;
export type Term = (typeof TERMS)[number];
const DEFAULT_WEIGHTS: Readonly<Record<Term, number>> = {
  cost: 1,
  quality: 1,
  uncertainty: 0,
  risk: 0,
  latency: 0,
  deadline: 1,
  context: Number.POSITIVE_INFINITY,
};
const DEFAULT_TOKENS = { input: 500, output: 200, cached: 0 };
/** Energies beyond this would make their differences infinite. */
const ENERGY_MAX = 1e300;

export interface ResolvedModel {
  name: string;
  /** Of a request of the default tokens. */
  cost: number;
  price: ResolvedPrice | undefined;
  latency: number;
  contextLength: number;
}

export interface ResolvedEnergy {
  weights: Record<Term, number>;
  costNormaliser: number;
  tokens: ResolvedTokens;
}

/** What a request asks of every model. */
export interface Demand {
  tokens: ResolvedTokens | undefined;
  deadline: number | undefined;
}

/** What is known of one model's answer: its expected quality, and the two kinds of not knowing whether it will be right. */
export interface Belief {
  quality: number;
  /** Standard deviation of the posterior: shrinks with evidence. */
  epistemic: number;
  /** Standard deviation of a single outcome at the expected rate: no evidence changes it. */
  aleatoric: number;
}

export function resolveModel(given: ModelOptions, i: number, tokens: ResolvedTokens): ResolvedModel {
  const field = `models[${i}]`;
  const model = objectIn(given, field) as unknown as ModelOptions;
  const { name } = model;
  if (typeof name !== 'string' || name === '')
    refuse(`${field}.name`, `${field}.name is ${shown(name)}; it must be a string that is not empty.`);
  const listed = typeof model.cost === 'object' && model.cost !== null;
  const price = listed ? resolvePrice(model.cost as never, `${field}.cost`) : undefined;
  return {
    name,
    price,
    cost: price ? costOf(price, tokens, 0) : numberIn(model.cost, `${field}.cost`, { min: 0 }),
    latency: numberIn(model.latency ?? 0, `${field}.latency`, { min: 0 }),
    contextLength: numberIn(model.contextLength ?? Number.POSITIVE_INFINITY, `${field}.contextLength`, {
      min: 1,
      infinite: true,
    }),
  };
}

export function resolveTokensOption(energy: EnergyOptions): ResolvedTokens {
  return energy.tokens === undefined ? DEFAULT_TOKENS : resolveTokens(energy.tokens, 'energy.tokens');
}

export function resolveEnergy(
  energy: EnergyOptions,
  models: readonly ResolvedModel[],
  tokens: ResolvedTokens,
): ResolvedEnergy {
  const weights = Object.fromEntries(
    TERMS.map((term) => [
      term,
      numberIn(energy[term] ?? DEFAULT_WEIGHTS[term], `energy.${term}`, {
        ...(term !== 'uncertainty' && { min: 0 }),
        infinite: term === 'context',
      }),
    ]),
  ) as Record<Term, number>;
  const dearest = models.reduce((most, m) => Math.max(most, m.cost), 0) || 1;
  return {
    weights,
    tokens,
    costNormaliser: numberIn(energy.costNormaliser ?? dearest, 'energy.costNormaliser', { min: 0, above: true }),
  };
}

/** The factors and their sum. The weights may be learnt; everything else is fixed. */
export class Energy {
  readonly weights: Record<Term, number>;
  readonly tokens: ResolvedTokens;
  readonly costNormaliser: number;
  readonly #models: readonly ResolvedModel[];
  readonly #slowest: number;

  constructor(resolved: ResolvedEnergy, models: readonly ResolvedModel[]) {
    this.weights = { ...resolved.weights };
    this.tokens = resolved.tokens;
    this.costNormaliser = resolved.costNormaliser;
    this.#models = models;
    this.#slowest = models.reduce((most, m) => Math.max(most, m.latency), 0) || 1;
  }

  /** What the request costs with model `i`, after `billed` tokens of the period. */
  cost(i: number, demand: Demand, billed: number, scale: number): number {
    const model = this.#models[i]!;
    return (model.price ? costOf(model.price, demand.tokens ?? this.tokens, billed) : model.cost) * scale;
  }

  /**
   * Writes the terms of model `i` to `block[from + t * stride]` and returns their sum: +Infinity when the model's context is too
   * short and its weight infinite.
   */
  terms(
    i: number,
    cost: number,
    belief: Belief,
    latency: LatencyBelief,
    demand: Demand,
    block: number[],
    from: number,
    stride: number,
  ): number {
    const w = this.weights;
    const model = this.#models[i]!;
    // Subtracted from 0, so that a weight of 0 gives 0 and not -0.
    const costTerm = w.cost * (cost / this.costNormaliser);
    const quality = 0 - w.quality * belief.quality;
    const uncertainty = 0 - w.uncertainty * belief.epistemic;
    const risk = w.risk * belief.aleatoric;
    const slow = w.latency === 0 ? 0 : w.latency * (latency.typical / this.#slowest);
    const late = demand.deadline === undefined ? 0 : w.deadline * latency.missing(demand.deadline);
    const over = demand.tokens ? (demand.tokens.input + demand.tokens.output) / model.contextLength - 1 : 0;
    const context = over > 0 ? w.context * over : 0;
    block[from] = costTerm;
    block[from + stride] = quality;
    block[from + 2 * stride] = uncertainty;
    block[from + 3 * stride] = risk;
    block[from + 4 * stride] = slow;
    block[from + 5 * stride] = late;
    block[from + 6 * stride] = context;
    const sum = costTerm + quality + uncertainty + risk + slow + late + context;
    if (!(Math.abs(sum) <= ENERGY_MAX) && context !== Number.POSITIVE_INFINITY)
      refuse('energy', `the energy of ${shown(model.name)} is ${sum}; make its cost, costScale or weights smaller.`);
    return sum;
  }

  /**
   * One step of gradient ascent on expected utility: the score of the Boltzmann distribution with respect to each weight is
   * `(expected factor - chosen factor) / T`, times the utility beyond its mean. The step is taken in units of T, so `rate` means the
   * same at every temperature. Weights of 0 and infinite ones stay; the others keep their sign.
   */
  learn(
    rate: number,
    advantage: number,
    chosen: number,
    terms: (term: number, i: number) => number,
    probabilities: (i: number) => number,
  ): void {
    for (const [t, term] of TERMS.entries()) {
      const weight = this.weights[term];
      if (weight === 0 || !Number.isFinite(weight)) continue;
      let expected = 0;
      for (let i = 0; i < this.#models.length; i++) {
        const p = probabilities(i);
        if (p > 0) expected += p * terms(t, i);
      }
      const score = (expected - terms(t, chosen)) / weight;
      const next = weight + rate * advantage * score;
      // A weight that would change its sign halves, so that it can come back.
      this.weights[term] = next * Math.sign(weight) > 0 ? next : weight / 2;
    }
  }
}
