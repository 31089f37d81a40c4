import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown, textIn } from '@x/cuda-core/addon';
import { Domains } from './domains';
import { FEATURE_NAMES, mix, readText, type TextFeatures } from './features';
import { type FeatureInfluence, type FeatureInfluenceOptions, featureInfluence } from './influence';
import { Probit, type Sparse } from './quality';
import { loadState, type RouterState, saveState } from './state';

export interface RoutedModel {
  /** Unique name. */
  name: string;
  /** What a call costs, in any one unit; more than 0. Relative costs alone matter. */
  cost: number;
  /**
   * Expected quality before anything was observed, 0 to 1 exclusive. Default: from 0.5 for the cheapest to 0.8 for the
   * dearest model, by the logarithm of cost.
   */
  priorQuality?: number;
}

export interface QueryRouterOptions {
  /** The models to choose from, one or more. */
  models: readonly RoutedModel[];
  /** How firmly the prior is held, more than 0: prior variances are divided by it. Default 1. */
  priorStrength?: number;
  /** Seed of the feature hashes and of `featureInfluence`, an integer from 0 to 2^32 - 1. Default 0. */
  seed?: number;
  /** 1: nothing is forgotten. Below, quality may drift; each outcome keeps this part of what was known. (0.9, 1]. Default 1. */
  forgetting?: number;
  /** Most domains that may be told apart, 1 to 128. Default 64. */
  maxDomains?: number;
  /** Part of a question's (weighted) tokens that must be usual in a domain for it to belong there, (0, 1). Default 0.5. */
  domainThreshold?: number;
  /** Latest outcomes kept for `featureInfluence`, 16 to 100,000. Default 2000. */
  window?: number;
}

/** A question: its text, or its text and an embedding of any length that the caller has. */
export type Query = string | { text: string; embedding?: ArrayLike<number> };

export interface ModelEstimate {
  model: string;
  cost: number;
  /** Expected quality of this model's answer, 0 to 1. */
  quality: number;
  /** Standard deviation of that expectation: what is not known yet, not how answers vary. */
  uncertainty: number;
}

export interface RouteDecision {
  /** Values of the features named in `QueryRouter.featureNames`. */
  features: Float64Array;
  /** Index of the inferred domain, from 0; -1 for a question unlike any seen. */
  domain: number;
  /** The beginning of the domain's first question, as a template; undefined for domain -1. */
  domainLabel: string | undefined;
  /** 1 - the models' mean expected quality. */
  difficulty: number;
  /** In the order of `options.models`. */
  models: ModelEstimate[];
  /** In words: the domain, what was seen there, and the features that speak for and against the best model. */
  explanation: string;
}

export interface Outcome {
  /** A decision of this router's `route`, or the question itself. */
  decision?: RouteDecision;
  query?: Query;
  /** The model that answered. */
  model: string;
  /** How good its answer was, 0 to 1. */
  quality: number;
}

const DENSE = 1 + FEATURE_NAMES.length;
const EMBEDDING_SLOTS = 16;

interface Reading {
  text: TextFeatures;
  embedding: Float64Array | undefined;
  /** The domain was counted already; a second outcome of the same question (an escalation) must not do it again. */
  learnt: boolean;
}

/** A number between 0 and 1, both excluded. */
function inside(value: unknown, field: string): number {
  const number = numberIn(value, field, { min: 0, above: true, max: 1 });
  return number < 1 ? number : refuse(field, `${field} is 1; it must be below 1.`);
}

/**
 * Learns, from the one outcome of each question, how good each model is at what kind of question. Reads structure, not
 * keywords; finds domains and difficulty by itself; says how sure it is. Deterministic: the same calls give the same
 * numbers.
 *
 * Quality is a Bayesian probit regression a model (full covariance, assumed-density filtering) on the features of the
 * text, one random effect a domain, and one slope a domain for how large the question is within it.
 *
 * @example
 * const router = new QueryRouter({ models: [{ name: 'small', cost: 1 }, { name: 'large', cost: 20 }] });
 * const decision = router.route('What is 46 + 17?');
 * router.observe({ decision, model: 'small', quality: 1 });
 */
export class QueryRouter {
  /** Names of `decision.features`, in order. */
  static readonly featureNames: readonly string[] = FEATURE_NAMES;

  readonly models: readonly Required<RoutedModel>[];
  private readonly options: Required<Omit<QueryRouterOptions, 'models'>>;
  private readonly domains: Domains;
  private readonly quality: Probit[];
  private readonly readings = new WeakMap<RouteDecision, Reading>();
  /** Outcomes a domain and model: how many, and their sum. */
  private readonly tallies = new Map<number, { count: number; sum: number }>();
  private readonly stream: { features: Float64Array; model: number; quality: number }[] = [];
  private observations = 0;

  /** @throws InvalidArgumentError, with `field`, for an option outside its range. */
  constructor(options: QueryRouterOptions) {
    objectIn(options, 'options');
    const { models } = options;
    if (!Array.isArray(models) || models.length === 0)
      throw new InvalidArgumentError('models must hold at least one model', { field: 'models' });
    const priorStrength = numberIn(options.priorStrength ?? 1, 'priorStrength', { min: 0, above: true });
    const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: 2 ** 32 - 1, integer: true });
    const forgetting = numberIn(options.forgetting ?? 1, 'forgetting', { min: 0.9, above: true, max: 1 });
    const maxDomains = numberIn(options.maxDomains ?? 64, 'maxDomains', { min: 1, max: 128, integer: true });
    const domainThreshold = inside(options.domainThreshold ?? 0.5, 'domainThreshold');
    const window = numberIn(options.window ?? 2000, 'window', { min: 16, max: 100_000, integer: true });
    const names = new Set<string>();
    for (const [i, m] of models.entries()) {
      const name = textIn(objectIn(m, `models[${i}]`).name, `models[${i}].name`);
      if (names.has(name)) refuse(`models[${i}].name`, `there are two models called ${shown(name)}.`);
      names.add(name);
      numberIn(m.cost, `models[${i}].cost`, { min: 0, above: true });
    }
    const costs = models.map((m: RoutedModel) => Math.log(m.cost));
    const cheapest = Math.min(...costs);
    const span = Math.max(...costs) - cheapest;
    this.models = models.map((m: RoutedModel, i) => {
      const expected = 0.5 + (span > 0 ? (0.3 * (costs[i]! - cheapest)) / span : 0);
      return {
        name: m.name,
        cost: m.cost,
        priorQuality: inside(m.priorQuality ?? expected, `models[${i}].priorQuality`),
      };
    });
    this.options = { priorStrength, seed, forgetting, maxDomains, domainThreshold, window };
    this.domains = new Domains(maxDomains, domainThreshold);
    const prior = new Float64Array(DENSE + EMBEDDING_SLOTS + 2 * maxDomains);
    // Features carry most: what they teach holds for domains not seen yet. Domains correct them.
    prior[0] = 0.4;
    prior.fill(3, 1, DENSE + EMBEDDING_SLOTS);
    prior.fill(0.3, DENSE + EMBEDDING_SLOTS, DENSE + EMBEDDING_SLOTS + maxDomains);
    prior.fill(0.03, DENSE + EMBEDDING_SLOTS + maxDomains);
    for (let i = 0; i < prior.length; i++) prior[i]! /= priorStrength;
    this.quality = this.models.map((m) => new Probit(prior, forgetting, probitOf(m.priorQuality)));
  }

  /**
   * What the router expects of each model for this question. Changes nothing.
   * @throws InvalidArgumentError for a query that is no text, or an embedding that is not of finite numbers.
   */
  route(query: Query): RouteDecision {
    const reading = this.read(query);
    const { domain, similarity, relativeSize } = this.domains.find(reading.text);
    const x = this.regressors(reading, domain, relativeSize);
    let total = 0;
    let best = 0;
    const models = this.models.map((m, i) => {
      const p = this.quality[i]!.predict(x);
      total += p.mean;
      return { model: m.name, cost: m.cost, quality: p.mean, uncertainty: p.deviation };
    });
    for (let i = 1; i < models.length; i++) if (models[i]!.quality > models[best]!.quality) best = i;
    const decision: RouteDecision = {
      features: reading.text.values,
      domain,
      domainLabel: domain < 0 ? undefined : this.domains.label(domain),
      difficulty: 1 - total / models.length,
      models,
      explanation: this.explain(best, models[best]!, x, domain, similarity),
    };
    this.readings.set(decision, reading);
    return decision;
  }

  /**
   * Learns from one answer. Only the named model's outcome is used; nothing is assumed of the others.
   * @throws InvalidArgumentError for an unknown model, a quality outside 0..1, or a decision of another router.
   */
  observe(outcome: Outcome): void {
    objectIn(outcome, 'outcome');
    const model = this.models.findIndex((m) => m.name === outcome.model);
    if (model < 0)
      throw new InvalidArgumentError(
        `model ${JSON.stringify(outcome.model)} is not one of ${this.models.map((m) => m.name).join(', ')}`,
        { field: 'model' },
      );
    const quality = numberIn(outcome.quality, 'quality', { min: 0, max: 1 });
    let reading: Reading | undefined;
    if (outcome.decision !== undefined) {
      reading = this.readings.get(outcome.decision);
      if (!reading)
        throw new InvalidArgumentError("the decision is not one of this router's route(); pass the query instead", {
          field: 'decision',
        });
    } else if (outcome.query !== undefined) {
      reading = this.read(outcome.query);
    } else {
      throw new InvalidArgumentError('observe needs the decision or the query', { field: 'decision' });
    }
    const { domain, relativeSize } = reading.learnt
      ? this.domains.find(reading.text)
      : this.domains.learn(reading.text);
    reading.learnt = true;
    this.quality[model]!.update(this.regressors(reading, domain, relativeSize), quality);
    const key = domain * this.models.length + model;
    const tally = this.tallies.get(key) ?? { count: 0, sum: 0 };
    tally.count++;
    tally.sum += quality;
    this.tallies.set(key, tally);
    this.stream.push({ features: reading.text.values, model, quality });
    if (this.stream.length > this.options.window) this.stream.shift();
    this.observations++;
  }

  /** Outcomes observed so far. */
  get observed(): number {
    return this.observations;
  }

  /**
   * Which features move a model's quality: KSG transfer entropy from each feature's stream to the model's quality
   * stream, over the latest outcomes of that model, at delay 0 (the question's feature, its own answer), given the
   * quality of the answer before. The control shuffles the feature's values in time.
   * @throws InvalidArgumentError for an unknown model or fewer than 16 outcomes of it.
   */
  async featureInfluence(model: string, options: FeatureInfluenceOptions = {}): Promise<FeatureInfluence[]> {
    objectIn(options, 'options');
    const index = this.models.findIndex((m) => m.name === model);
    if (index < 0) throw new InvalidArgumentError(`model ${JSON.stringify(model)} is not known`, { field: 'model' });
    const own = this.stream.filter((s) => s.model === index);
    return featureInfluence(
      FEATURE_NAMES,
      own.map((s) => s.features),
      Float64Array.from(own, (s) => s.quality),
      { seed: this.options.seed, ...options },
    );
  }

  /** Writes everything learnt to a file: whole or not at all (written beside it, synced, then renamed). */
  async save(path: string): Promise<void> {
    await saveState(path, this.state());
  }

  /**
   * A router that goes on where `save` left off, with the same numbers.
   * @throws NotFoundError, IoError; InvalidFormatError for a file that is damaged or not a router's; UnsupportedError
   *   for one of a newer schema.
   */
  static async load(path: string): Promise<QueryRouter> {
    return loadState(path, (state) => {
      const router = new QueryRouter({ ...state.options, models: state.models });
      router.restore(state);
      return router;
    });
  }

  private state(): RouterState {
    return {
      models: [...this.models],
      options: this.options,
      domains: this.domains.toJSON(),
      quality: this.quality.map((q) => ({ mean: q.mean, covariance: q.covariance })),
      tallies: [...this.tallies].map(([key, t]) => [key, t.count, t.sum]),
      stream: this.stream,
      observations: this.observations,
    };
  }

  private restore(state: RouterState): void {
    this.domains.restore(state.domains);
    if (state.domains.domains.length > this.options.maxDomains)
      refuse('domains', `there are ${state.domains.domains.length} domains, more than maxDomains.`);
    if (state.quality.length !== this.quality.length) refuse('quality', 'there is not one regression a model.');
    state.quality.forEach((q, i) => {
      if (q.mean.length !== this.quality[i]!.size || q.covariance.length !== this.quality[i]!.size ** 2)
        refuse('quality', `the regression of ${shown(this.models[i]!.name)} has another size than these options give.`);
      this.quality[i]!.mean.set(q.mean);
      this.quality[i]!.covariance.set(q.covariance);
    });
    for (const [key, count, sum] of state.tallies) this.tallies.set(key, { count, sum });
    if (state.stream.length > this.options.window)
      refuse('stream', `there are ${state.stream.length} outcomes, more than the window holds.`);
    for (const outcome of state.stream) this.stream.push(outcome);
    this.observations = state.observations;
  }

  private read(query: Query): Reading {
    const text = typeof query === 'string' ? query : query?.text;
    if (typeof text !== 'string')
      throw new InvalidArgumentError('query must be a string or an object with a text', { field: 'query' });
    const given = typeof query === 'string' ? undefined : query.embedding;
    if (given !== undefined && !Array.isArray(given) && !(ArrayBuffer.isView(given) && !(given instanceof DataView)))
      refuse('embedding', `embedding is ${shown(given)}; it must be an array of numbers.`);
    return { text: readText(text, this.options.seed), embedding: given && this.project(given), learnt: false };
  }

  /** Signed random projection of an embedding of any length, scaled to its direction. */
  private project(embedding: ArrayLike<number>): Float64Array {
    const out = new Float64Array(EMBEDDING_SLOTS);
    let norm = 0;
    // Only the direction counts; dividing by the largest entry first keeps the squares finite.
    let largest = 0;
    for (let i = 0; i < embedding.length; i++) {
      const v = embedding[i];
      if (typeof v !== 'number' || !Number.isFinite(v))
        throw new InvalidArgumentError(`embedding holds ${shown(v)} at index ${i}; its entries must be finite`, {
          field: 'embedding',
        });
      largest = Math.max(largest, Math.abs(v));
    }
    if (largest === 0) return out;
    for (let i = 0; i < embedding.length; i++) {
      const v = embedding[i]! / largest;
      norm += v * v;
      const signs = mix(mix(2166136261 ^ this.options.seed, i & 0xffff), i >>> 16) ^ Math.imul(i + 1, 0x9e3779b1);
      for (let s = 0; s < EMBEDDING_SLOTS; s++) out[s]! += (signs >>> s) & 1 ? v : -v;
    }
    for (let s = 0; s < EMBEDDING_SLOTS; s++) out[s]! /= Math.sqrt(norm);
    return out;
  }

  /** Bias, features, embedding, the domain's effect and slope; what is 0 is left out. */
  private regressors(reading: Reading, domain: number, relativeSize: number): Sparse {
    const indices = new Int32Array(DENSE + EMBEDDING_SLOTS + 2);
    const values = new Float64Array(indices.length);
    let count = 0;
    const add = (index: number, value: number) => {
      if (value === 0) return;
      indices[count] = index;
      values[count++] = value;
    };
    add(0, 1);
    const features = reading.text.values;
    for (let f = 0; f < features.length; f++) add(1 + f, features[f]!);
    if (reading.embedding) for (let s = 0; s < EMBEDDING_SLOTS; s++) add(DENSE + s, reading.embedding[s]!);
    if (domain >= 0) {
      add(DENSE + EMBEDDING_SLOTS + domain, 1);
      add(DENSE + EMBEDDING_SLOTS + this.options.maxDomains + domain, relativeSize);
    }
    return { indices: indices.subarray(0, count), values: values.subarray(0, count) };
  }

  private explain(best: number, estimate: ModelEstimate, x: Sparse, domain: number, similarity: number): string {
    const weights = this.quality[best]!.mean;
    let most = 0;
    let least = 0;
    let forIt = 'nothing yet';
    let against = 'nothing yet';
    for (let a = 0; a < x.indices.length; a++) {
      const name = FEATURE_NAMES[x.indices[a]! - 1];
      if (name === undefined) continue;
      const c = weights[x.indices[a]!]! * x.values[a]!;
      if (c > most) [most, forIt] = [c, name];
      if (c < least) [least, against] = [c, name];
    }
    const tally = this.tallies.get(domain * this.models.length + best);
    const where =
      domain < 0
        ? 'unlike any domain seen so far'
        : `domain ${domain} ("${this.domains.label(domain)}", ${Math.round(100 * similarity)} % alike; ${estimate.model} there: ${
            tally ? `${tally.count} answers, mean quality ${(tally.sum / tally.count).toFixed(2)}` : 'not asked yet'
          })`;
    return (
      `${where}; best expected: ${estimate.model} ${estimate.quality.toFixed(2)} +- ${estimate.uncertainty.toFixed(2)}; ` +
      `most for it: ${forIt}, most against: ${against}`
    );
  }
}

/** The latent mean of a prior quality: an inverse normal distribution function in its logistic approximation. */
function probitOf(p: number): number {
  // The prior's variance v flattens the expectation by sqrt(1 + v); 3 stands for a typical question's.
  return (3 * Math.log(p / (1 - p))) / 1.702;
}
