// A learned probability of success: Bayesian probit regression with a full Gaussian posterior, updated one outcome at a
// time by assumed-density filtering (moment matching). T. P. Minka, "A family of algorithms for approximate Bayesian
// inference", 2001, ch. 3; as an online click model: T. Graepel et al., "Web-scale Bayesian click-through rate
// prediction", ICML 2010 (there with a diagonal posterior).

/** A vector with few entries that are not 0. */
export interface Sparse {
  indices: Int32Array;
  values: Float64Array;
  /** Entries in use. */
  length: number;
}

const normalDensity = (z: number) => Math.exp(-0.5 * z * z) * 0.3989422804014327;

/** Standard normal distribution function; W. J. Cody's bounds are not needed here, 1e-7 is (Abramowitz-Stegun 26.2.17). */
export function normalCdf(z: number): number {
  if (z < -37) return 0;
  if (z > 37) return 1;
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    normalDensity(z) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

/** The z with `normalCdf(z) = p`, for p within (0, 1): a rational start and two steps of Newton's method. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  // Abramowitz-Stegun 26.2.23.
  const t = Math.sqrt(-2 * Math.log(p));
  let z = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let i = 0; i < 2; i++) z -= (normalCdf(z) - p) / Math.max(normalDensity(z), 1e-300);
  return z;
}

/** density(z) / cdf(z), which tends to -z for very negative z. */
function hazard(z: number): number {
  if (z < -6) return -z - 1 / z;
  return normalDensity(z) / normalCdf(z);
}

// Gauss-Hermite, five points, for a standard normal.
const NODES = [0, 1.355626179974266, -1.355626179974266, 2.856970013872806, -2.856970013872806];
const WEIGHTS = [
  0.5333333333333333, 0.2220759220056126, 0.2220759220056126, 0.011257411327720691, 0.011257411327720691,
];

export interface Prediction {
  /** Expected success. */
  mean: number;
  /** Standard deviation of what the true rate of success may be. */
  deviation: number;
  /** Variance of the latent value beside what it was before anything was learnt: 1 at first, then falling. */
  unlearnt: number;
}

export class Probit {
  readonly size: number;
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
  /** Nothing was learnt yet: the covariance is diagonal and all means but the constant's are 0. */
  private untouched = true;

  constructor(
    private readonly prior: Float64Array,
    private readonly forgetting: number,
    bias: number,
  ) {
    this.size = prior.length;
    this.mean = new Float64Array(this.size);
    this.mean[0] = bias;
    this.covariance = new Float64Array(this.size * this.size);
    for (let i = 0; i < this.size; i++) this.covariance[i * this.size + i] = prior[i]!;
  }

  /** What was learnt is doubted: the means stay, with these variances. */
  doubt(variances: Float64Array): void {
    this.untouched = false;
    this.covariance.fill(0);
    for (let i = 0; i < this.size; i++) this.covariance[i * this.size + i] = variances[i]!;
  }

  /** Mean and covariance from elsewhere, of the right sizes. */
  restore(mean: Float64Array, covariance: Float64Array): void {
    this.mean.set(mean);
    this.covariance.set(covariance);
    const { size, prior } = this;
    this.untouched =
      mean.every((v, i) => i === 0 || v === 0) &&
      covariance.every((v, at) => v === (at % (size + 1) === 0 ? prior[at / (size + 1)] : 0));
  }

  /** Mean and variance of the latent value, into `m` and `v`. */
  private latent({ indices, values, length }: Sparse): void {
    const { mean, covariance, size, prior } = this;
    let m = 0;
    let v = 0;
    for (let a = 0; a < length; a++) v += prior[indices[a]!]! * values[a]! * values[a]!;
    this.before = Math.max(v, 1e-12);
    if (this.untouched) {
      if (length > 0 && indices[0] === 0) m = mean[0]! * values[0]!;
    } else {
      v = 0;
      for (let a = 0; a < length; a++) {
        const i = indices[a]!;
        const x = values[a]!;
        m += mean[i]! * x;
        const row = i * size;
        let sum = 0;
        for (let b = 0; b < a; b++) sum += covariance[row + indices[b]!]! * values[b]!;
        v += x * (2 * sum + covariance[row + i]! * x);
      }
    }
    this.m = m;
    this.v = Math.max(v, 1e-12);
  }
  private m = 0;
  private v = 0;
  private before = 1;

  /**
   * @param offset what is known of the latent value from elsewhere; uncertainty does not flatten it, so that without
   *   evidence of its own the regression expects just that.
   */
  predict(x: Sparse, offset = 0): Prediction {
    this.latent(x);
    const { v } = this;
    const m = this.m + offset * Math.sqrt(1 + v);
    const s = Math.sqrt(v);
    let mean = 0;
    let square = 0;
    for (let q = 0; q < NODES.length; q++) {
      const p = normalCdf(m + s * NODES[q]!);
      mean += WEIGHTS[q]! * p;
      square += WEIGHTS[q]! * p * p;
    }
    return { mean, deviation: Math.sqrt(Math.max(0, square - mean * mean)), unlearnt: v / this.before };
  }

  /** One outcome, 0 to 1; between them it counts as that part of a success and the rest of a failure. */
  update(x: Sparse, outcome: number, offset = 0): void {
    const n = this.size;
    if (this.forgetting < 1) {
      // Weights that drift as an AR(1) process whose stationary variance is the prior's.
      const root = Math.sqrt(this.forgetting);
      for (let i = 1; i < n; i++) this.mean[i]! *= root;
      for (let i = 0; i < n * n; i++) this.covariance[i]! *= this.forgetting;
      for (let i = 0; i < n; i++) this.covariance[i * n + i]! += (1 - this.forgetting) * this.prior[i]!;
    }
    this.untouched = false;
    this.latent(x);
    const { m, v } = this;
    const spread = Math.sqrt(1 + v);
    const z = m / spread + offset;
    const up = hazard(z);
    const down = hazard(-z);
    const step = (outcome * up - (1 - outcome) * down) / spread;
    const shrink = (outcome * up * (up + z) + (1 - outcome) * down * (down - z)) / (1 + v);
    const column = new Float64Array(n);
    for (let a = 0; a < x.length; a++) {
      const row = x.indices[a]! * n;
      const value = x.values[a]!;
      for (let i = 0; i < n; i++) column[i]! += this.covariance[row + i]! * value;
    }
    for (let i = 0; i < n; i++) {
      this.mean[i]! += step * column[i]!;
      const factor = shrink * column[i]!;
      if (factor === 0) continue;
      const row = i * n;
      for (let j = 0; j < n; j++) this.covariance[row + j]! -= factor * column[j]!;
    }
  }
}
