// What was seen of each model in each domain, as discounted counts, and how counts become Beta posteriors.
import { choiceIn, numberIn, objectIn, refuse } from '@x/cuda-core/addon';
import { addon } from '../native';
import { type Change, ChangeDetector, type ChangeDetectorOptions, type ChangeDetectorState } from './change-detector';
import { betaOf, type Moments, Populations, type SavedPopulations } from './pooling';

export interface LearningOptions {
  /** Beta prior of every success probability. Default `{ alpha: 1, beta: 1 }`, the uniform one. 1e-6 to 1e6. */
  prior?: { alpha: number; beta: number };
  /**
   * Share of a domain's evidence that is kept at each of its outcomes, above 0 to 1. Default 1: nothing is forgotten.
   * 0.99 remembers about the last 100 outcomes of a domain.
   */
  forgetting?: number;
  /**
   * What a model's other domains say about one. `'auto'` (default): the rates of a model's domains come from one Beta
   * distribution, the posterior is averaged over what all outcomes leave possible of it, and intervals hold what they say; `prior`
   * is then that of the distribution's mean, and of a model seen in one domain alone. A number is the most evidence, in outcomes, that
   * other domains lend (a power prior: J. G. Ibrahim, M.-H. Chen, 2000), right or not. 0 or `false` keeps domains apart.
   */
  pooling?: number | false | 'auto';
  /**
   * Watch every model in every domain for a change of its success rate, and forget what was before one. Default false; `true` for
   * one false alarm in 10,000 outcomes.
   */
  changeDetection?: boolean | ChangeDetectorOptions;
  /**
   * Learn the weights of the energy from the `utility` of outcomes by gradient ascent on its expectation (the score function of
   * R. J. Williams, 1992, with the mean utility as baseline). `rate` above 0 to 1. Default: weights stay as given.
   */
  weights?: { rate: number };
  /**
   * What is learnt of requests beyond their domain. `'text'` (default): of the `text` that a request brings, by lengths, character
   * classes, answer options and the like, in any language; a request without one is judged by its domain alone. `'features'`: of
   * the numbers that it brings instead, an embedding say. `false`: nothing; texts and features are not looked at.
   */
  context?: 'text' | 'features' | false;
  /** How an estimate from outside (`context.quality`) counts. */
  external?: {
    /** Outcomes that a plain number stands for. Default 4. */
    strength?: number;
    /** Most outcomes that an estimate with an uncertainty stands for. Default 50. */
    limit?: number;
  };
}

export interface ResolvedLearning {
  prior: { alpha: number; beta: number };
  forgetting: number;
  pooling: number | 'auto';
  changeDetection: { falseAlarmEvery: number; window: number } | false;
  weights: { rate: number };
  context: 'text' | 'features' | false;
  external: { strength: number; limit: number };
}

const CONTEXTS = ['text', 'features'] as const;

export function resolveLearning(options: LearningOptions = {}): ResolvedLearning {
  objectIn(options, 'learning');
  const prior = objectIn(options.prior ?? { alpha: 1, beta: 1 }, 'learning.prior');
  const external = objectIn(options.external ?? {}, 'learning.external');
  return {
    prior: {
      alpha: numberIn(prior.alpha, 'learning.prior.alpha', { min: 1e-6, max: 1e6 }),
      beta: numberIn(prior.beta, 'learning.prior.beta', { min: 1e-6, max: 1e6 }),
    },
    forgetting: numberIn(options.forgetting ?? 1, 'learning.forgetting', { min: 0, above: true, max: 1 }),
    pooling:
      (options.pooling ?? 'auto') === 'auto'
        ? 'auto'
        : numberIn(options.pooling === false ? 0 : options.pooling, 'learning.pooling', { min: 0, max: 1e6 }),
    changeDetection: resolveDetection(options.changeDetection ?? false),
    weights: {
      rate: options.weights
        ? numberIn(objectIn(options.weights, 'learning.weights').rate, 'learning.weights.rate', { min: 0, max: 1 })
        : 0,
    },
    context: options.context === false ? false : choiceIn(options.context ?? 'text', 'learning.context', CONTEXTS),
    external: {
      strength: numberIn(external.strength ?? 4, 'learning.external.strength', { min: 0, max: 1e6 }),
      limit: numberIn(external.limit ?? 50, 'learning.external.limit', { min: 0, max: 1e6 }),
    },
  };
}

function resolveDetection(given: boolean | ChangeDetectorOptions): ResolvedLearning['changeDetection'] {
  if (given === false) return false;
  const { falseAlarmEvery, window } = new ChangeDetector(given === true ? {} : given);
  return { falseAlarmEvery, window };
}

/** Discounted successes and failures of every model, in one domain or over all of them. */
export interface Counts {
  successes: Float64Array;
  failures: Float64Array;
  /** What other domains lent, as computed last. */
  memo: Memo;
}

/** By model: what was lent, and the counts and the revision of the populations that it was computed from. */
interface Memo {
  successes: Float64Array;
  failures: Float64Array;
  ofSuccesses: Float64Array;
  ofFailures: Float64Array;
  ofRevision: Float64Array;
}

function counts(models: number): Counts {
  const column = () => new Float64Array(models);
  return {
    successes: column(),
    failures: column(),
    memo: {
      successes: column(),
      failures: column(),
      ofSuccesses: column(),
      ofFailures: column(),
      ofRevision: column().fill(-1),
    },
  };
}

export class Beliefs {
  readonly domains = new Map<string, Counts>();
  readonly totals: Counts;
  /** By domain, one a model once it was observed there. */
  readonly detectors = new Map<string, (ChangeDetector | undefined)[]>();
  /** With `pooling: 'auto'`. */
  readonly populations: Populations | undefined;
  readonly #moments: Moments = { mean: 0, variance: 0 };
  readonly #none: Counts;
  readonly #outcome: Counts;
  readonly #next: Counts;

  constructor(
    readonly models: number,
    readonly learning: ResolvedLearning,
  ) {
    this.totals = counts(models);
    if (learning.pooling === 'auto') this.populations = new Populations(models, learning.prior);
    this.#none = counts(models);
    this.#outcome = counts(models);
    this.#next = counts(models);
  }

  of(domain: string): Counts {
    return this.domains.get(domain) ?? this.#none;
  }

  /** Conjugate update of one model; what all models know of this domain fades alike. Returns the change that it made plain. */
  observe(model: number, domain: string, success: number): Change | undefined {
    let own = this.domains.get(domain);
    if (!own) {
      own = counts(this.models);
      this.domains.set(domain, own);
    }
    const outcome = this.#outcome;
    const next = this.#next;
    outcome.successes[model] = success;
    outcome.failures[model] = 1 - success;
    addon.betaUpdate(
      own.successes,
      own.failures,
      outcome.successes,
      outcome.failures,
      0,
      0,
      this.learning.forgetting,
      undefined,
      next.successes,
      next.failures,
    );
    outcome.successes[model] = 0;
    outcome.failures[model] = 0;
    const change = this.#detector(model, domain)?.observe(success);
    if (change) {
      next.successes[model] = change.age * change.since;
      next.failures[model] = change.age * (1 - change.since);
    }
    fold(this.totals.successes, own.successes, next.successes);
    fold(this.totals.failures, own.failures, next.failures);
    this.#pool(model);
    return change;
  }

  #detector(model: number, domain: string): ChangeDetector | undefined {
    const { changeDetection } = this.learning;
    if (!changeDetection) return undefined;
    let row = this.detectors.get(domain);
    if (!row) {
      row = Array.from({ length: this.models });
      this.detectors.set(domain, row);
    }
    row[model] ??= new ChangeDetector(changeDetection);
    return row[model];
  }

  /**
   * What other domains add to this one's posterior, in outcomes: their rate, with limited weight. With `'auto'` whatever makes it the
   * hierarchical posterior, which may be less certain than prior and own outcomes alone.
   */
  lent(model: number, own: Counts, out: Lent): void {
    // Totals are kept as running sums; rounding may leave a difference just below 0.
    const successes = Math.max(0, this.totals.successes[model]! - own.successes[model]!);
    const failures = Math.max(0, this.totals.failures[model]! - own.failures[model]!);
    const evidence = successes + failures;
    out.successes = 0;
    out.failures = 0;
    if (evidence < EVIDENCE_MIN) return;
    const { pooling } = this.learning;
    if (pooling === 'auto') {
      this.#lentByPopulations(model, own);
      out.successes = own.memo.successes[model]!;
      out.failures = own.memo.failures[model]!;
      return;
    }
    const share = Math.min(1, pooling / evidence);
    out.successes = share * successes;
    out.failures = share * failures;
  }

  /** Most choices ask again for what has not changed since the one before. */
  #lentByPopulations(model: number, { successes, failures, memo }: Counts): void {
    const populations = this.populations!;
    const s = successes[model]!;
    const f = failures[model]!;
    if (
      memo.ofRevision[model] === populations.revision &&
      memo.ofSuccesses[model] === s &&
      memo.ofFailures[model] === f
    )
      return;
    populations.posterior(model, s, f, this.#moments);
    const [alpha, beta] = betaOf(this.#moments);
    const { prior } = this.learning;
    memo.successes[model] = alpha - prior.alpha - s;
    memo.failures[model] = beta - prior.beta - f;
    memo.ofSuccesses[model] = s;
    memo.ofFailures[model] = f;
    memo.ofRevision[model] = populations.revision;
  }

  /** The posterior of a model's rate in a domain: prior, its outcomes there, and what other domains lend. */
  posterior(model: number, domain: string): { alpha: number; beta: number } {
    const own = this.of(domain);
    const lent = { successes: 0, failures: 0 };
    this.lent(model, own, lent);
    const { prior } = this.learning;
    return {
      alpha: prior.alpha + own.successes[model]! + lent.successes,
      beta: prior.beta + own.failures[model]! + lent.failures,
    };
  }

  /** What a model's outcomes in a domain are expected to be. */
  rate(model: number, domain: string): number {
    const { alpha, beta } = this.posterior(model, domain);
    return alpha / (alpha + beta);
  }

  #pool(model: number): void {
    const outcomes = this.totals.successes[model]! + this.totals.failures[model]!;
    if (outcomes > 0) this.populations?.learn(this.domains.values(), model, outcomes);
  }

  /** After all domains: populations as saved, or learnt from the domains where none were. */
  restorePopulations(saved: SavedPopulations | undefined): void {
    if (saved) this.populations?.restore(saved);
    else for (let model = 0; model < this.models; model++) this.#pool(model);
  }

  restore(domain: string, saved: Omit<Counts, 'memo'>): void {
    if (this.domains.has(domain)) refuse('domains', `the domain ${JSON.stringify(domain)} occurs twice`);
    const own = counts(this.models);
    own.successes.set(saved.successes);
    own.failures.set(saved.failures);
    this.domains.set(domain, own);
  }

  restoreDetector(domain: string, model: number, state: ChangeDetectorState): void {
    this.#detector(model, domain)?.restore(state);
  }
}

/** Less than this of an outcome is rounding. */
const EVIDENCE_MIN = 1e-9;

export interface Lent {
  successes: number;
  failures: number;
}

function fold(totals: Float64Array, own: Float64Array, next: Float64Array): void {
  for (let i = 0; i < own.length; i++) {
    totals[i] = Math.max(0, totals[i]! + (next[i]! - own[i]!));
    own[i] = next[i]!;
  }
}

/**
 * Pseudo-counts of an estimate with mean `m` and standard deviation `u`: those of the Beta distribution with the same
 * moments, `n = m (1 - m) / u^2 - 1`. A mean closer than `u` to 0 or 1 gets the weight that it has at that distance,
 * where a Beta of this spread still exists.
 */
export function estimateStrength(mean: number, uncertainty: number, limit: number): number {
  if (uncertainty >= 0.5) return 0;
  const m = Math.min(1 - uncertainty, Math.max(uncertainty, mean));
  const n = (m * (1 - m)) / (uncertainty * uncertainty) - 1;
  // 0 / 0: a certain estimate of 0 or 1.
  return Number.isNaN(n) ? limit : Math.min(limit, Math.max(0, n));
}
