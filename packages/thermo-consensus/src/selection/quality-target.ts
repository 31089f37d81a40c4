// A share of the best single model's quality, kept at the least cost: which price of quality does that is learnt from outcomes.
import { numberIn, objectIn, refuse } from '@x/cuda-core/addon';
import type { Beliefs, Lent } from '../learning/beliefs';
import { fromBase64, toBase64 } from '../learning/contextual-belief';
import { betaOf, type Moments, STRENGTHS } from '../learning/pooling';
import type { RequestBelief } from '../learning/request-belief';

export interface QualityTargetOptions {
  /** Quality to keep, as a share of that of the model that is best when it answers everything; above 0 to 1.5. */
  quality: number;
  /**
   * When choices go by what is known (a schedule at 0), by how many standard deviations of it the expected quality must be beyond the
   * target, 0 to 10. Default 1.
   */
  caution?: number;
  /** Latest requests that stand for those to come, 16 to 65,536. Default 256. */
  memory?: number;
}
export type ResolvedTarget = Required<QualityTargetOptions>;

export function resolveTarget(given: number | QualityTargetOptions | undefined): ResolvedTarget | undefined {
  if (given === undefined) return undefined;
  const {
    quality,
    memory = 256,
    caution = 1,
  } = typeof given === 'number' ? { quality: given } : objectIn(given, 'target');
  return {
    quality: numberIn(quality, 'target.quality', { min: 0, above: true, max: 1.5 }),
    caution: numberIn(caution, 'target.caution', { min: 0, max: 10 }),
    memory: numberIn(memory, 'target.memory', { min: 16, max: 65_536, integer: true }),
  };
}

/** One request that was made: what any model's answer costs in energy beside its quality, and estimates from outside. */
export interface RememberedRequest {
  domain: string;
  others: number[];
  /** What the contextual belief goes by; undefined where the request told nothing. */
  regressors?: Float64Array;
  /** Pseudo-outcomes by model; undefined where none were given. */
  external?: { successes: number[]; failures: number[] };
}

export type SavedRequest = Omit<RememberedRequest, 'regressors'> & { regressors?: string };

/** The random numbers of one choice. */
export interface Chance {
  /** Draws one number from each Beta distribution; rounds are independent. */
  beta: (alpha: Float64Array, beta: Float64Array, round: number, out: Float64Array) => void;
  /** Standard normal numbers, of which at most so many are going to be used. */
  normal: (numbers: number) => () => number;
  /** From [0, 1), for the mixture. */
  uniform: number;
}

/** The multiplier is searched between these, in units of the range of the energies, to within a hundred-thousandth. */
const MULTIPLIER_RANGE = 1e4;
const HALVINGS = 20;
/** What the target is a share of must be known as well as what is cheap: so many trials ask for quality at any price. */
const PROBES = 0.2;

/**
 * Minimises the mean energy of the other terms subject to `mean quality >= share * mean quality of the best single model`, over the
 * latest requests: a linear programme with one constraint, so that each request goes to the model of least `others - multiplier
 * quality`, and at the optimum two neighbouring multipliers are mixed.
 *
 * Qualities are not known but believed. Each choice solves the programme for a draw of all of them together from the hierarchical
 * posterior (posterior sampling: W. R. Thompson, 1933; for constrained problems L. Zheng, L. J. Ratliff, "Constrained upper confidence
 * reinforcement learning", 2020, is the optimistic kin): strength of the populations, then each model's population mean, then its rate
 * in every domain. A model of which little is known is therefore great everywhere in some draws, is asked there, and no reference that
 * is better than all known is missed for long.
 */
export class QualityTarget {
  readonly #ring: RememberedRequest[] = [];
  #next = 0;
  readonly #lent: Lent = { successes: 0, failures: 0 };
  readonly #moments: Moments = { mean: 0, variance: 0 };

  constructor(
    readonly target: ResolvedTarget,
    readonly beliefs: Beliefs,
    readonly requests: RequestBelief,
  ) {}

  /** Oldest first. */
  get remembered(): RememberedRequest[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }

  saved(): SavedRequest[] {
    return this.remembered.map(({ regressors, ...request }) => ({
      ...request,
      ...(regressors && { regressors: toBase64(regressors) }),
    }));
  }

  remember(request: RememberedRequest): void {
    if (this.#ring.length < this.target.memory) this.#ring.push(request);
    else {
      this.#ring[this.#next] = request;
      this.#next = (this.#next + 1) % this.target.memory;
    }
  }

  /** @throws InvalidArgumentError for requests that were not remembered by a pool of as many models. */
  restore(requests: readonly unknown[]): void {
    const { models } = this.beliefs;
    const column = (values: unknown, range: object) => {
      if (!Array.isArray(values) || values.length !== models)
        refuse('requests', `a remembered request must hold ${models} numbers, one a model.`);
      return (values as unknown[]).map((v) => numberIn(v, 'requests', range));
    };
    const counts = { min: 0, max: 1e9 };
    for (const given of requests.slice(-this.target.memory)) {
      const { domain, others, external, regressors } = objectIn(given, 'requests') as unknown as SavedRequest;
      const size = this.requests.belief?.size ?? 0;
      if (typeof domain !== 'string') refuse('requests', 'a remembered request must have a domain.');
      this.remember({
        domain,
        // null: JSON's Infinity.
        others: column(Array.isArray(others) ? others.map((v) => v ?? Number.POSITIVE_INFINITY) : others, {
          infinite: true,
        }),
        ...(regressors !== undefined && {
          regressors: fromBase64(regressors, 'requests.regressors', new Float64Array(size)),
        }),
        ...(external && {
          external: { successes: column(external.successes, counts), failures: column(external.failures, counts) },
        }),
      });
    }
  }

  /**
   * The multiplier for the latest request, and every model's quality in it.
   *
   * @param spread how far from the posteriors' means the draw may be: 1 as far as the posterior, 0 the means themselves.
   * @param qualities where the qualities are written, one a model.
   */
  solve(chance: Chance, spread: number, qualities: Float64Array): number {
    const { models } = this.beliefs;
    // From the oldest on, so that draws do not depend on where the ring begins.
    const requests = this.remembered;
    const domains = [...new Set(requests.map((r) => r.domain))];
    const slots = new Map(domains.map((domain, slot) => [domain, slot]));
    const rates = this.#rates(domains, chance.beta, spread);
    const { belief } = this.requests;
    if (belief && requests.some((r) => r.regressors)) {
      const numbers = (belief.models + 1) * belief.size;
      rates.weights = belief.weights(spread, chance.normal(numbers));
    }
    const last = requests.at(-1)!;
    this.#qualitiesOf(last, slots.get(last.domain)!, rates, qualities, 0);

    const range = rangeOf(requests);
    const probes = PROBES * Math.min(1, spread);
    if (chance.uniform < probes) return range.high;
    const mixture = (chance.uniform - probes) / (1 - probes);

    const rows = this.#rows(requests, slots, rates);
    const best = bestSingle(rows, models);
    const wanted = this.target.quality * best.quality;
    const bought = multiplierFor(rows, wanted, range, mixture);
    if (spread > 0 || this.target.caution === 0) return bought;
    const doubt = this.target.caution * this.#deviation(rows, bought, best.model, rates);
    return multiplierFor(rows, wanted + doubt, range, mixture);
  }

  /**
   * Standard deviation of `quality at this multiplier - share * quality of the best single model`, rates and what requests add to them
   * being independent.
   */
  #deviation(rows: readonly Row[], multiplier: number, reference: number, { rate, weight, weights }: Rates): number {
    const { models } = this.beliefs;
    const part = new Float64Array(rate.length);
    const directions = weights && new Float64Array(weights.length);
    const add = (row: Row, model: number, share: number) => {
      part[row.slot * models + model]! += share;
      if (!directions || !row.regressors) return;
      const { length } = row.regressors;
      for (let k = 0; k < length; k++) directions[model * length + k]! += share * row.regressors[k]!;
    };
    for (const row of rows) {
      const chosen = cheapest(row, multiplier);
      if (chosen >= 0) add(row, chosen, row.share);
      add(row, reference, -this.target.quality * row.share);
    }
    let variance = directions ? this.requests.belief!.varianceAlong(directions) : 0;
    for (let at = 0; at < part.length; at++)
      if (part[at] !== 0) variance += (part[at]! ** 2 * rate[at]! * (1 - rate[at]!)) / (weight[at]! + 1);
    return Math.sqrt(variance);
  }

  /** Rates of all models in the domains, [domain][model], and what evidence they rest on, in outcomes. */
  #rates(domains: readonly string[], draw: Chance['beta'], spread: number): Rates {
    const { beliefs } = this;
    const { models } = beliefs;
    const { prior } = beliefs.learning;
    const size = domains.length * models;
    const rate = new Float64Array(size);
    const weight = new Float64Array(size);
    const alpha = new Float64Array(size);
    const beta = new Float64Array(size);
    const drawn = new Float64Array(size);
    const population = spread > 0 ? this.#population(draw) : undefined;
    for (const [d, domain] of domains.entries()) {
      const own = beliefs.of(domain);
      for (let i = 0; i < models; i++) {
        const at = d * models + i;
        beliefs.lent(i, own, this.#lent);
        alpha[at] = prior.alpha + own.successes[i]! + this.#lent.successes;
        beta[at] = prior.beta + own.failures[i]! + this.#lent.failures;
        weight[at] = alpha[at]! + beta[at]!;
        rate[at] = alpha[at]! / weight[at]!;
        if (!population) continue;
        alpha[at] = own.successes[i]! + population.strength * population.means[i]!;
        beta[at] = own.failures[i]! + population.strength * (1 - population.means[i]!);
      }
    }
    if (spread > 0) {
      draw(alpha, beta, 1, drawn);
      for (let at = 0; at < size; at++)
        rate[at] = Math.min(1, Math.max(0, rate[at]! + spread * (drawn[at]! - rate[at]!)));
    }
    return { rate, weight };
  }

  /** One population of each model that may be; undefined when domains are not pooled by populations. */
  #population(draw: Chance['beta']): { strength: number; means: Float64Array } | undefined {
    const { populations, models } = this.beliefs;
    if (!populations) return undefined;
    // The first number draws the strength: a Beta(1, 1) variable is uniform.
    const alpha = new Float64Array(models + 1).fill(1);
    const beta = new Float64Array(models + 1).fill(1);
    const drawn = new Float64Array(models + 1);
    draw(alpha.subarray(0, 1), beta.subarray(0, 1), 2, drawn.subarray(0, 1));
    const j = populations.drawStrength(drawn[0]!);
    for (let i = 0; i < models; i++) {
      populations.meanGiven(j, i, this.#moments);
      [alpha[i], beta[i]] = betaOf(this.#moments);
    }
    draw(alpha, beta, 3, drawn);
    for (let i = 0; i < models; i++) drawn[i] = Math.min(1 - MEAN_MARGIN, Math.max(MEAN_MARGIN, drawn[i]!));
    return { strength: STRENGTHS[j]!, means: drawn };
  }

  /** The requests of the programme; those of a domain are one where nothing but their costs tells them apart. */
  #rows(requests: readonly RememberedRequest[], slots: ReadonlyMap<string, number>, rates: Rates): Row[] {
    const { models } = this.beliefs;
    const apart = requests.some((r) => r.regressors || r.external || r.others.includes(Number.POSITIVE_INFINITY));
    if (apart) {
      const qualities = new Float64Array(requests.length * models);
      return requests.map((request, k) => {
        const slot = slots.get(request.domain)!;
        const { others, regressors } = request;
        this.#qualitiesOf(request, slot, rates, qualities, k * models);
        return { slot, share: 1 / requests.length, others, qualities, from: k * models, regressors };
      });
    }
    const rows = Array.from({ length: slots.size }, (_, d) => ({
      slot: d,
      share: 0,
      others: new Float64Array(models),
      qualities: rates.rate,
      from: d * models,
      regressors: undefined,
    }));
    for (const { domain, others } of requests) {
      const row = rows[slots.get(domain)!]!;
      row.share++;
      for (let i = 0; i < models; i++) row.others[i]! += others[i]!;
    }
    for (const row of rows) {
      for (let i = 0; i < models; i++) row.others[i]! /= row.share;
      row.share /= requests.length;
    }
    return rows;
  }

  /** Writes the rates of a domain, and what the request itself and estimates from outside say beside them, to `out[from + i]`. */
  #qualitiesOf(request: RememberedRequest, slot: number, rates: Rates, out: Float64Array, from: number): void {
    const { rate, weight, weights } = rates;
    const { models } = this.beliefs;
    const { regressors, external } = request;
    for (let i = 0; i < models; i++) {
      const at = slot * models + i;
      let expected = rate[at]!;
      if (regressors && weights) {
        const { length } = regressors;
        const row = i * length;
        for (let k = 0; k < length; k++) expected += regressors[k]! * weights[row + k]!;
        expected = Math.min(1, Math.max(0, expected));
      }
      const s = external?.successes[i] ?? 0;
      const f = external?.failures[i] ?? 0;
      out[from + i] = (weight[at]! * expected + s) / (weight[at]! + s + f);
    }
  }
}

/** Population means are kept this far from 0 and 1, where Beta distributions end. */
const MEAN_MARGIN = 1e-6;

/** Of models in domains, [domain][model]: rates, and the evidence that each rests on, in outcomes. */
interface Rates {
  rate: Float64Array;
  weight: Float64Array;
  /** Where requests told of themselves: the weights of their regressors, [model][regressor]. */
  weights?: Float64Array;
}
interface Row {
  /** Which domain. */
  slot: number;
  share: number;
  others: ArrayLike<number>;
  /** Of model i: `qualities[from + i]`. */
  qualities: Float64Array;
  from: number;
  regressors: Float64Array | undefined;
}
interface Range {
  low: number;
  high: number;
}

/** Multipliers worth looking at, by how far apart the energies are. */
function rangeOf(requests: readonly RememberedRequest[]): Range {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const { others } of requests)
    for (const e of others)
      if (e < Number.POSITIVE_INFINITY) {
        least = Math.min(least, e);
        most = Math.max(most, e);
      }
  const unit = most > least ? most - least : 1;
  return { low: unit / MULTIPLIER_RANGE, high: unit * MULTIPLIER_RANGE };
}

/** The multiplier at which the mean quality is the one wanted; of the two next to it, one is drawn. */
function multiplierFor(rows: readonly Row[], wanted: number, range: Range, uniform: number): number {
  let { low, high } = range;
  let qualityLow = meanQuality(rows, low);
  let qualityHigh = meanQuality(rows, high);
  if (qualityLow >= wanted) return low;
  if (qualityHigh < wanted) return high;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = Math.sqrt(low * high);
    const quality = meanQuality(rows, middle);
    if (quality >= wanted) {
      high = middle;
      qualityHigh = quality;
    } else {
      low = middle;
      qualityLow = quality;
    }
  }
  return uniform * (qualityHigh - qualityLow) < wanted - qualityLow ? high : low;
}

/** A model that cannot answer a request has a quality of 0 there. */
function bestSingle(rows: readonly Row[], models: number): { model: number; quality: number } {
  const best = { model: 0, quality: 0 };
  for (let i = 0; i < models; i++) {
    let quality = 0;
    for (const row of rows)
      if (row.others[i]! < Number.POSITIVE_INFINITY) quality += row.share * row.qualities[row.from + i]!;
    if (quality <= best.quality) continue;
    best.model = i;
    best.quality = quality;
  }
  return best;
}

/** The model of least energy; -1 when none can answer. */
function cheapest({ others, qualities, from }: Row, multiplier: number): number {
  let at = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < others.length; i++) {
    const energy = others[i]! - multiplier * qualities[from + i]!;
    if (energy < least) {
      least = energy;
      at = i;
    }
  }
  return at;
}

function meanQuality(rows: readonly Row[], multiplier: number): number {
  let sum = 0;
  for (const row of rows) {
    const at = cheapest(row, multiplier);
    if (at >= 0) sum += row.share * row.qualities[row.from + at]!;
  }
  return sum;
}
