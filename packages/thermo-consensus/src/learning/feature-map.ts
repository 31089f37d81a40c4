// From what is known of a request to the regressors of the contextual belief.
import { numberIn, refuse, shown } from '@x/cuda-core/addon';
import { addon } from '../native';
import { normals, scrambled } from './random';
import { lastUnit } from './text-features';

/** Longer vectors are taken for embeddings. */
export const DIRECT_MAX = 64;
const COSINES = 32;
/** Length scale of the kernel for as many features as REFERENCE, each of about unit size; it grows with the root of their number. */
const LENGTH_SCALE = 3.5;
const REFERENCE = 20;
const SEED = 20_071; // of the projections: fixed, so that they need not be saved

/**
 * A constant, the features themselves, and random Fourier features of them: `sqrt(2 / D) cos(w x + b)` with normal `w` and uniform `b`,
 * whose inner products approximate a Gaussian kernel (A. Rahimi, B. Recht, "Random features for large-scale kernel machines", 2007). So
 * a linear belief about the regressors is a smooth belief about requests, at a cost that does not grow with the outcomes seen.
 *
 * Vectors of more than {@link DIRECT_MAX} numbers are embeddings: only their direction counts, and a random projection to that many
 * keeps the angles between them (W. B. Johnson, J. Lindenstrauss, 1984).
 */
export class FeatureMap {
  /** Regressors. */
  readonly size: number;
  readonly #projection: Float64Array | undefined;
  /** [feature][cosine] */
  readonly #frequencies: Float64Array;
  readonly #phases: Float64Array;
  readonly #scratch: Float64Array;

  /** @param features numbers of each request, 1 to 16,384. */
  constructor(readonly features: number) {
    const direct = Math.min(features, DIRECT_MAX);
    this.size = 1 + direct + COSINES;
    const random = normals(SEED + features);
    if (features > DIRECT_MAX)
      this.#projection = Float64Array.from({ length: direct * features }, () => random() / Math.sqrt(direct));
    const scale = LENGTH_SCALE * Math.sqrt(direct / REFERENCE);
    this.#frequencies = new Float64Array(direct * COSINES);
    for (let k = 0; k < COSINES; k++)
      for (let i = 0; i < direct; i++) this.#frequencies[i * COSINES + k] = random() / scale;
    this.#phases = Float64Array.from({ length: COSINES }, (_, i) => 2 * Math.PI * scrambled(SEED + 1, i));
    this.#scratch = new Float64Array(direct);
  }

  text(text: unknown, field: string): Float64Array {
    if (typeof text !== 'string') return refuse(field, `${field} is ${shown(text)}; it must be a string.`);
    const out = new Float64Array(this.size);
    addon.textRegressors(text, text.length, lastUnit(text), this.#frequencies, this.#phases, out);
    return out;
  }

  /** @throws InvalidArgumentError unless it is as many finite numbers as `features`. */
  vector(values: unknown, field: string): Float64Array {
    const { length } = (values ?? []) as ArrayLike<unknown>;
    if (length !== this.features)
      refuse(
        field,
        `${field} is ${shown(values)}; it must hold ${this.features} numbers, as many as the first one did.`,
      );
    return this.map(Float64Array.from(values as ArrayLike<number>, (v, i) => numberIn(v, `${field}[${i}]`)));
  }

  map(x: Float64Array): Float64Array {
    const out = new Float64Array(this.size);
    const z = this.#projection ? this.#project(x, this.#projection) : x;
    addon.contextRegressors(z, this.#frequencies, this.#phases, out);
    return out;
  }

  /** Onto the sphere on which the projected numbers are of unit size. */
  #project(x: Float64Array, projection: Float64Array): Float64Array {
    const z = this.#scratch;
    let norm = 0;
    for (const v of x) norm = Math.max(norm, Math.abs(v));
    let sum = 0;
    for (const v of x) sum += norm > 0 ? (v / norm) ** 2 : 0;
    const scale = sum > 0 ? Math.sqrt(DIRECT_MAX / sum) / norm : 0;
    for (let k = 0; k < z.length; k++) {
      let value = 0;
      for (let i = 0; i < x.length; i++) value += projection[k * x.length + i]! * x[i]!;
      z[k] = scale * value;
    }
    return z;
  }
}
