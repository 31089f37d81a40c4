// What requests of a kind have in common beyond their domain: a hierarchical Bayesian regression of outcomes on the request's features.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import { addon } from '../native';
import { invertedRoot } from './cholesky';

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

/** What fading needs of a model: sums of `x x'` (the lower triangle) and of `x y` over its outcomes, discounted. */
interface Sums {
  squares: Float64Array;
  products: Float64Array;
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
  /** 1 for models that have outcomes. */
  readonly #seen: Uint8Array;
  /** Roots and means as xcore/thermo_context.h has them; the functions of the addon work in place. */
  readonly #block: Float64Array;
  readonly #stride: number;
  /** Outcomes of each model, discounted. */
  readonly #outcomes: Float64Array;
  readonly #sums: (Sums | undefined)[];
  #noise = { outcomes: NOISE.outcomes, squares: NOISE.outcomes * NOISE.variance };
  #left = 1;

  /**
   * @param forgetting share of the evidence that is kept at each outcome.
   * @param fades whether `forgetAllBut` is going to be called; true with forgetting.
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
    this.#stride = 8 * Math.ceil(size / 8);
    this.#seen = new Uint8Array(models);
    const length = (models + 1) * (size + 1) * this.#stride + this.#stride;
    const memory = new Float64Array(length + 8);
    const first = addon.contextAlignment(memory);
    this.#block = memory.subarray(first, first + length);
    this.#outcomes = new Float64Array(models);
    this.#sums = Array.from({ length: models });
    this.#identity(models, COMMON);
  }

  /** Variance of one outcome about what is expected of it. */
  get noise(): number {
    return this.#noise.squares / this.#noise.outcomes;
  }

  /** By how much each model's rate is expected to differ for this request, and the variance of that. */
  predict(x: Float64Array, shifts: Float64Array, variances: Float64Array): void {
    addon.contextPredict(OWN, this.size, this.#seen, this.#block, x, shifts, variances);
    const { noise } = this;
    for (let i = 0; i < this.models; i++) variances[i]! *= noise;
  }

  /** Learns that a model's outcome differed by this much from its rate. */
  observe(model: number, x: Float64Array, difference: number): void {
    if (this.forgetting < 1) {
      this.#left *= this.forgetting;
      if (this.#left < REFIT_SHARE) {
        for (let m = 0; m < this.models; m++) if (this.#seen[m]) this.#fade(m, this.#left);
        this.#left = 1;
        this.#gather();
      }
    }
    if (!this.#seen[model]) this.#begin(model);
    this.#noise.squares += addon.contextObserve(OWN, this.size, this.#seen, this.#block, model, x, difference);
    this.#noise.outcomes++;
    this.#outcomes[model]!++;
    const sums = this.#sums[model];
    if (sums) addOuter(sums, x, difference);
  }

  /** After a change: all that was seen of a model counts as much as its latest outcomes alone. */
  forgetAllBut(model: number, latest: number): void {
    const outcomes = this.#outcomes[model]!;
    if (latest >= outcomes) return;
    this.#fade(model, latest / outcomes);
    this.#gather();
  }

  /**
   * Weights of all models, a row each: drawn from their joint posterior, or with a spread of 0 their means.
   *
   * @param spread factor of the distance from the mean.
   * @param normal standard normal numbers, one a call.
   */
  weights(spread: number, normal: () => number): Float64Array {
    const { size, models } = this;
    const out = new Float64Array(models * size);
    const deviation = spread * Math.sqrt(this.noise);
    const normals = new Float64Array(deviation > 0 ? (models + 1) * size : 0);
    for (let i = 0; i < normals.length; i++) normals[i] = normal();
    addon.contextDraw(OWN, size, this.#seen, this.#block, deviation, normals, out);
    return out;
  }

  /** Variance of `sum over models of directions[m] . w_m`; a row of directions a model. */
  varianceAlong(directions: Float64Array): number {
    return this.noise * addon.contextVariance(OWN, this.size, this.#seen, this.#block, directions);
  }

  toJSON(): SavedContext {
    const { models } = this;
    return {
      size: this.size,
      noise: { ...this.#noise },
      left: this.#left,
      common: toBase64(this.#packed(models)),
      pull: toBase64(this.#mean(models)),
      own: Array.from(this.#seen, (seen, m) => {
        const sums = this.#sums[m];
        if (!seen) return null;
        return {
          root: toBase64(this.#packed(m)),
          mean: toBase64(this.#mean(m)),
          outcomes: this.#outcomes[m]!,
          ...(sums && { squares: toBase64(sums.squares), products: toBase64(sums.products) }),
        };
      }),
    };
  }

  /** @throws InvalidArgumentError when it is nothing that `toJSON` gave for as many models and regressors. */
  restore(saved: SavedContext): void {
    const { size, models } = this;
    if (size !== saved.size) refuse('context.size', `context.size is ${shown(saved.size)}; it must be ${size}.`);
    const { outcomes, squares } = objectIn(saved.noise, 'context.noise');
    this.#noise = {
      outcomes: numberIn(outcomes, 'context.noise.outcomes', { min: 1, max: 1e15 }),
      squares: numberIn(squares, 'context.noise.squares', { min: 0, above: true, max: 1e15 }),
    };
    this.#left = numberIn(saved.left, 'context.left', { min: 0, above: true, max: 1 });
    const packed = new Float64Array(size * size);
    this.#unpack(models, fromBase64(saved.common, 'context.common', packed));
    fromBase64(saved.pull, 'context.pull', this.#mean(models));
    if (!Array.isArray(saved.own) || saved.own.length !== models)
      refuse('context.own', `context.own must have ${models} entries, one a model.`);
    for (const [m, given] of saved.own.entries()) {
      if (given === null) continue;
      const { root, mean, outcomes: seen, squares: s, products } = objectIn(given, 'context.own');
      this.#begin(m);
      this.#unpack(m, fromBase64(root, 'context.own.root', packed));
      fromBase64(mean, 'context.own.mean', this.#mean(m));
      this.#outcomes[m] = numberIn(seen, 'context.own.outcomes', { min: 0, max: 1e15 });
      const sums = this.#sums[m];
      if (sums) {
        fromBase64(s, 'context.own.squares', sums.squares);
        fromBase64(products, 'context.own.products', sums.products);
      }
    }
    addon.contextSettle(OWN, size, this.#seen, this.#block);
  }

  /** Rows of the root of model m, or with m = models of the common weights. */
  #root(m: number): Float64Array {
    const { size } = this;
    const from = m * (size + 1) * this.#stride;
    return this.#block.subarray(from, from + size * this.#stride);
  }

  /** The mean of model m, or with m = models the pull of the common weights. */
  #mean(m: number): Float64Array {
    const { size } = this;
    const from = (m * (size + 1) + size) * this.#stride;
    return this.#block.subarray(from, from + size);
  }

  /** A root without the ends of its rows. */
  #packed(m: number): Float64Array {
    const { size } = this;
    const root = this.#root(m);
    const out = new Float64Array(size * size);
    for (let i = 0; i < size; i++) out.set(root.subarray(i * this.#stride, i * this.#stride + size), i * size);
    return out;
  }

  #unpack(m: number, packed: Float64Array): void {
    const { size } = this;
    const root = this.#root(m);
    for (let i = 0; i < size; i++) root.set(packed.subarray(i * size, (i + 1) * size), i * this.#stride);
  }

  #identity(m: number, precision: number): void {
    const root = this.#root(m);
    for (let i = 0; i < this.size; i++) root[i * this.#stride + i] = 1 / Math.sqrt(precision);
  }

  #begin(model: number): void {
    const { size } = this;
    this.#seen[model] = 1;
    this.#identity(model, OWN);
    if (this.fades) this.#sums[model] = { squares: new Float64Array(size * size), products: new Float64Array(size) };
  }

  #fade(model: number, share: number): void {
    const { size } = this;
    const { squares, products } = this.#sums[model]!;
    for (let i = 0; i < squares.length; i++) squares[i]! *= share;
    for (let i = 0; i < size; i++) products[i]! *= share;
    this.#outcomes[model]! *= share;
    const root = invertedRoot(squares, OWN, size);
    this.#unpack(model, root);
    timesItsTranspose(root, products, this.#mean(model));
  }

  /** The common weights from those of the models, after these were fitted anew. */
  #gather(): void {
    const { size, models } = this;
    const precision = new Float64Array(size * size);
    const pull = this.#mean(models).fill(0);
    for (let m = 0; m < models; m++) {
      if (!this.#seen[m]) continue;
      const root = this.#packed(m);
      const mean = this.#mean(m);
      for (let i = 0; i < size; i++) {
        precision[i * size + i]! += OWN;
        pull[i]! += OWN * mean[i]!;
        const a = root.subarray(i * size, (i + 1) * size);
        for (let j = 0; j <= i; j++)
          precision[i * size + j]! -= OWN * OWN * dot(a, root.subarray(j * size, (j + 1) * size));
      }
    }
    this.#unpack(models, invertedRoot(precision, COMMON, size));
    addon.contextSettle(OWN, size, this.#seen, this.#block);
  }
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** Writes `L L' x` for a square L, a row after the other. */
function timesItsTranspose(root: Float64Array, x: Float64Array, out: Float64Array): void {
  const size = x.length;
  const across = new Float64Array(size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) across[j]! += x[i]! * root[i * size + j]!;
  for (let i = 0; i < size; i++) out[i] = dot(root.subarray(i * size, (i + 1) * size), across);
}

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
