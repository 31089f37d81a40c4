// What requests of a kind have in common beyond their domain: a hierarchical Bayesian regression of outcomes on the request's features.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import { invertedRoot } from './cholesky';
import { dot, SquareRoot } from './square-root';

/**
 * Prior precisions of the weights in units of one outcome: of those that all models share, and of each model's deviation from them.
 * Measured on recorded outcomes, where anything from 1 to 10 and 3 to 30 is about as good (bench/results/thermo-learning.md).
 */
const COMMON = 3;
const OWN = 10;
/** Noise variance of an outcome, and for how many outcomes that opinion counts. */
const NOISE = { variance: 0.15, outcomes: 10 };
/** Fading evidence is fitted anew whenever this share of it is left. */
const REFIT_SHARE = 0.9;
/** Each model seen holds a matrix. */
export const CONTEXT_MODELS_MAX = 1024;

/** One model's weights given the common ones `w`: normal with mean `mean + OWN C w` and covariance C, in units of the noise. */
interface Own {
  covariance: SquareRoot;
  mean: Float64Array;
  /** Outcomes, discounted. */
  outcomes: number;
  /** Where evidence may fade: sums of `x x'` and of `x y` over outcomes. */
  sums?: { squares: Float64Array; products: Float64Array };
}

export interface SavedContext {
  /** Regressors, and numbers of a request that they were made of. */
  size: number;
  noise: { outcomes: number; squares: number };
  /** Share of the evidence that is left since it was last fitted anew. */
  left: number;
  /** Columns of doubles in base64; one entry a model, null where nothing was seen. */
  common: string;
  pull: string;
  own: ({ root: string; mean: string; outcomes: number; squares?: string; products?: string } | null)[];
}

/**
 * Outcome = rate of the model in the domain + `x w_m` + noise, where x are the request's regressors and the weights of the models come
 * from one normal distribution: `w_m = w + v_m`, w common to the pool and v_m the model's own. What one model's failure says about a
 * question thus says something about all models there, and how they differ is learnt beside it (D. V. Lindley, A. F. M. Smith, "Bayes
 * estimates for the linear model", 1972).
 *
 * The posterior is exact and conjugate. Given w the models are independent; with C_m the covariance of a model's weights then, the
 * precision of w is `COMMON I + sum OWN (I - OWN C_m)`. An outcome changes C_m by a matrix of rank one, so that precision as well:
 * O(d^2) an outcome for d regressors. The noise variance is learnt from the errors of the forecasts.
 */
export class ContextualBelief {
  readonly #own: (Own | undefined)[];
  #common: SquareRoot;
  /** `OWN sum C_m (sum x y)`: the common weights' mean is their covariance times it. */
  readonly #pull: Float64Array;
  readonly #centre: Float64Array;
  #centreKnown = false;
  #noise = { outcomes: NOISE.outcomes, squares: NOISE.outcomes * NOISE.variance };
  #left = 1;
  readonly #gain: Float64Array;
  readonly #scratch: Float64Array;

  /**
   * @param forgetting share of the evidence that is kept at each outcome.
   * @param fades whether `fade` is going to be called; true with forgetting.
   */
  constructor(
    readonly models: number,
    readonly size: number,
    readonly forgetting: number,
    readonly fades: boolean,
  ) {
    if (models > CONTEXT_MODELS_MAX)
      refuse(
        'learning.context',
        `there are ${models} models; what is learnt of requests is for ${CONTEXT_MODELS_MAX} at most.`,
      );
    this.#own = Array.from({ length: models });
    this.#common = new SquareRoot(size, 1 / COMMON);
    this.#pull = new Float64Array(size);
    this.#centre = new Float64Array(size);
    this.#gain = new Float64Array(size);
    this.#scratch = new Float64Array(size);
  }

  /** Variance of one outcome about what is expected of it. */
  get noise(): number {
    return this.#noise.squares / this.#noise.outcomes;
  }

  /** By how much each model's rate is expected to differ for this request, and the variance of that. */
  predict(x: Float64Array, shifts: Float64Array, variances: Float64Array): void {
    const centre = this.#mean();
    const { noise } = this;
    let unseen: number | undefined; // variance of models without outcomes, the same for all
    for (let i = 0; i < this.models; i++) {
      const own = this.#own[i];
      if (!own) {
        unseen ??= dot(x, x) / OWN + squared(this.#common.across(x));
        shifts[i] = dot(x, centre);
        variances[i] = noise * unseen;
        continue;
      }
      const given = own.covariance.covariance(x, this.#gain);
      shifts[i] = dot(x, own.mean) + OWN * dot(this.#gain, centre);
      variances[i] = noise * (given + OWN * OWN * squared(this.#common.across(this.#gain)));
    }
  }

  /** Learns that a model's outcome differed by this much from its rate. */
  observe(model: number, x: Float64Array, difference: number): void {
    if (this.forgetting < 1) {
      this.#left *= this.forgetting;
      if (this.#left < REFIT_SHARE) {
        for (const own of this.#own) if (own) this.#fade(own, this.#left);
        this.#left = 1;
        this.#gather();
      }
    }
    const own = this.#own[model] ?? this.#unseen();
    this.#own[model] = own;
    const centre = this.#mean();
    const gain = this.#gain;
    const given = own.covariance.observe(x, gain);
    const alone = difference - dot(x, own.mean);
    const error = alone - OWN * dot(gain, centre);
    this.#noise.squares += error ** 2 / (1 + given + OWN * OWN * squared(this.#common.across(gain)));
    this.#noise.outcomes++;
    const step = alone / (1 + given);
    for (let i = 0; i < this.size; i++) {
      own.mean[i]! += gain[i]! * step;
      this.#pull[i]! += OWN * gain[i]! * step;
      gain[i]! *= OWN / Math.sqrt(1 + given);
    }
    this.#common.observe(gain, this.#scratch);
    this.#centreKnown = false;
    own.outcomes++;
    if (own.sums) addOuter(own.sums, x, difference);
  }

  /** After a change: all that was seen of a model counts as much as its latest outcomes alone. */
  forgetAllBut(model: number, latest: number): void {
    const own = this.#own[model];
    if (!own || latest >= own.outcomes) return;
    this.#fade(own, latest / own.outcomes);
    this.#gather();
  }

  /**
   * Weights of all models, a row each: drawn from their joint posterior, or with a spread of 0 their means.
   *
   * @param spread factor of the distance from the mean.
   * @param normal standard normal numbers, one a call.
   */
  weights(spread: number, normal: () => number): Float64Array {
    const { size } = this;
    const out = new Float64Array(this.models * size);
    const deviation = spread * Math.sqrt(this.noise);
    const draw = new Float64Array(size);
    const normals = () => {
      for (let i = 0; i < size; i++) draw[i] = normal();
      return draw;
    };
    const common = Float64Array.from(this.#mean());
    if (deviation > 0) {
      const away = this.#common.times(normals(), this.#scratch);
      for (let i = 0; i < size; i++) common[i]! += deviation * away[i]!;
    }
    for (let m = 0; m < this.models; m++) {
      const own = this.#own[m];
      const row = out.subarray(m * size, (m + 1) * size);
      if (deviation > 0) normals();
      if (!own) {
        for (let i = 0; i < size; i++) row[i] = common[i]! + (deviation / Math.sqrt(OWN)) * draw[i]!;
        continue;
      }
      // mean + OWN C w + deviation L z, C being L L'.
      const across = own.covariance.across(common);
      for (let i = 0; i < size; i++) across[i] = OWN * across[i]! + deviation * draw[i]!;
      own.covariance.times(across, row);
      for (let i = 0; i < size; i++) row[i]! += own.mean[i]!;
    }
    return out;
  }

  /** Variance of `sum over models of directions[m] . w_m`; a row of directions a model. */
  varianceAlong(directions: Float64Array): number {
    const { size } = this;
    const gathered = new Float64Array(size);
    let variance = 0;
    for (let m = 0; m < this.models; m++) {
      const x = directions.subarray(m * size, (m + 1) * size);
      if (x.every((v) => v === 0)) continue;
      const own = this.#own[m];
      if (own) variance += own.covariance.covariance(x, this.#scratch);
      else variance += dot(x, x) / OWN;
      for (let i = 0; i < size; i++) gathered[i]! += own ? OWN * this.#scratch[i]! : x[i]!;
    }
    return this.noise * (variance + squared(this.#common.across(gathered)));
  }

  toJSON(): SavedContext {
    return {
      size: this.size,
      noise: { ...this.#noise },
      left: this.#left,
      common: toBase64(this.#common.root),
      pull: toBase64(this.#pull),
      own: this.#own.map((own) =>
        own
          ? {
              root: toBase64(own.covariance.root),
              mean: toBase64(own.mean),
              outcomes: own.outcomes,
              ...(own.sums && { squares: toBase64(own.sums.squares), products: toBase64(own.sums.products) }),
            }
          : null,
      ),
    };
  }

  /** @throws InvalidArgumentError when it is nothing that `toJSON` gave for as many models and regressors. */
  restore(saved: SavedContext): void {
    const { size } = this;
    const { outcomes, squares } = objectIn(saved.noise, 'context.noise');
    this.#noise = {
      outcomes: numberIn(outcomes, 'context.noise.outcomes', { min: 1, max: 1e15 }),
      squares: numberIn(squares, 'context.noise.squares', { min: 0, above: true, max: 1e15 }),
    };
    this.#left = numberIn(saved.left, 'context.left', { min: 0, above: true, max: 1 });
    fromBase64(saved.common, 'context.common', this.#common.root);
    fromBase64(saved.pull, 'context.pull', this.#pull);
    if (!Array.isArray(saved.own) || saved.own.length !== this.models)
      refuse('context.own', `context.own must have ${this.models} entries, one a model.`);
    for (const [m, given] of saved.own.entries()) {
      if (given === null) continue;
      const own = this.#unseen();
      const { root, mean, outcomes: seen, squares: s, products } = objectIn(given, 'context.own');
      fromBase64(root, 'context.own.root', own.covariance.root);
      fromBase64(mean, 'context.own.mean', own.mean);
      own.outcomes = numberIn(seen, 'context.own.outcomes', { min: 0, max: 1e15 });
      if (own.sums) {
        fromBase64(s, 'context.own.squares', own.sums.squares);
        fromBase64(products, 'context.own.products', own.sums.products);
      }
      this.#own[m] = own;
    }
    this.#centreKnown = false;
    if (size !== saved.size) refuse('context.size', `context.size is ${shown(saved.size)}; it must be ${size}.`);
  }

  /** The mean of the common weights. */
  #mean(): Float64Array {
    if (!this.#centreKnown) this.#common.covariance(this.#pull, this.#centre);
    this.#centreKnown = true;
    return this.#centre;
  }

  #unseen(): Own {
    const { size } = this;
    const sums = () => ({ squares: new Float64Array(size * size), products: new Float64Array(size) });
    return {
      covariance: new SquareRoot(size, 1 / OWN),
      mean: new Float64Array(size),
      outcomes: 0,
      ...(this.fades && { sums: sums() }),
    };
  }

  #fade(own: Own, share: number): void {
    const { squares, products } = own.sums!;
    for (let i = 0; i < squares.length; i++) squares[i]! *= share;
    for (let i = 0; i < products.length; i++) products[i]! *= share;
    own.outcomes *= share;
    invertedRoot(squares, OWN, this.size, own.covariance.root);
    own.covariance.covariance(products, own.mean);
  }

  /** The common weights from those of the models, after these were fitted anew. */
  #gather(): void {
    const { size } = this;
    const precision = new Float64Array(size * size);
    this.#pull.fill(0);
    for (const own of this.#own) {
      if (!own) continue;
      const { root } = own.covariance;
      for (let i = 0; i < size; i++) {
        precision[i * size + i]! += OWN;
        this.#pull[i]! += OWN * own.mean[i]!;
        const a = root.subarray(i * size, (i + 1) * size);
        for (let j = 0; j <= i; j++)
          precision[i * size + j]! -= OWN * OWN * dot(a, root.subarray(j * size, (j + 1) * size));
      }
    }
    invertedRoot(precision, COMMON, size, this.#common.root);
    this.#centreKnown = false;
  }
}

const squared = (x: Float64Array): number => dot(x, x);

function addOuter(sums: { squares: Float64Array; products: Float64Array }, x: Float64Array, y: number): void {
  const size = x.length;
  for (let i = 0; i < size; i++) {
    sums.products[i]! += x[i]! * y;
    for (let j = 0; j <= i; j++) sums.squares[i * size + j]! += x[i]! * x[j]!;
  }
}

/** Doubles as they are in memory, on machines of this byte order. */
export const toBase64 = (values: Float64Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

/** Beyond this nothing that was learnt can be. */
const SAVED_MAX = 1e9;

export function fromBase64(text: unknown, field: string, into: Float64Array): Float64Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
  if (bytes?.length !== into.byteLength) refuse(field, `${field} must hold ${into.length} doubles in base64.`);
  for (let i = 0; i < into.length; i++)
    into[i] = numberIn((bytes as Buffer).readDoubleLE(8 * i), field, { min: -SAVED_MAX, max: SAVED_MAX });
  return into;
}
