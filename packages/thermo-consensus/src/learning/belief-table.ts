import type { Device } from '@x/cuda-core';
import {
  deviceName,
  type NativeControl,
  type NativeDevice,
  numberIn,
  objectIn,
  parseDevice,
  refuse,
  runJob,
  SEED_MAX,
  shown,
} from '@x/cuda-core/addon';
import type { BatchOptions, RandomOptions } from '../batch';
import { addon } from '../native';

type NativeBeliefs = object;
export interface BeliefsAddon {
  beliefsCreate(kind: number, prior: Float64Array, pairs: number, device: NativeDevice): NativeBeliefs;
  beliefsDispose(table: NativeBeliefs): void;
  beliefsDevice(table: NativeBeliefs): NativeDevice;
  beliefsUpdate(
    table: NativeBeliefs,
    statistics: Float32Array,
    length: number,
    forgetting: number,
    control: NativeControl,
  ): Promise<void>;
  beliefsRead(table: NativeBeliefs, parameters: Float64Array, length: number, control: NativeControl): Promise<void>;
  beliefsWrite(table: NativeBeliefs, parameters: Float64Array, length: number, control: NativeControl): Promise<void>;
  beliefsSummary(
    table: NativeBeliefs,
    pairs: number,
    level: number,
    mean: Float64Array,
    variance: Float64Array,
    lower: Float64Array,
    upper: Float64Array,
    control: NativeControl,
  ): Promise<void>;
  beliefsSample(
    table: NativeBeliefs,
    pairs: number,
    seed: number,
    stream: number,
    draws: Float64Array,
    control: NativeControl,
  ): Promise<void>;
}

const KINDS = {
  beta: { native: 1, prior: ['alpha', 'beta'], statistics: ['successes', 'failures'] },
  normal: {
    native: 2,
    prior: ['mean', 'kappa', 'alpha', 'beta'],
    statistics: ['count', 'mean', 'squaredDeviations'],
  },
} as const;

/** The prior of every pair. Parameters other than a mean are 1e-9 to 1e9. */
export type BeliefPrior =
  | { kind: 'beta'; alpha: number; beta: number }
  /** `sigma^2 ~ InvGamma(alpha, beta)`, `mu | sigma^2 ~ N(mean, sigma^2 / kappa)`. */
  | { kind: 'normal'; mean: number; kappa: number; alpha: number; beta: number };

/** What was seen since the last update, one value a pair; `squaredDeviations` are from that pair's `mean`. */
export type BeliefStatistics =
  | { successes: Float32Array; failures: Float32Array }
  | { count: Float32Array; mean: Float32Array; squaredDeviations: Float32Array };

export interface BeliefTableOptions {
  /** How many (model, domain) pairs, 1 to 2^31. */
  pairs: number;
  prior: BeliefPrior;
  /** `'auto'` (default) keeps large tables on a GPU. */
  device?: Device;
}

/**
 * Posteriors of many pairs, kept where they are updated: on a GPU only statistics travel to the table, so that a million pairs
 * take less than a millisecond. Beta-Bernoulli for successes; normal-inverse-gamma for quantities such as latency (K. P. Murphy,
 * "Conjugate Bayesian analysis of the Gaussian distribution", 2007).
 *
 * Calls take turns. Memory is native: `dispose()` (or `using`) frees it at once.
 */
export class BeliefTable {
  readonly pairs: number;
  readonly prior: BeliefPrior;
  readonly device: 'cpu' | `cuda:${number}`;
  readonly #native: NativeBeliefs;
  readonly #kind: (typeof KINDS)[keyof typeof KINDS];

  /** @throws InvalidArgumentError; DeviceUnavailableError for a device asked for by name; OutOfMemoryError. */
  constructor(options: BeliefTableOptions) {
    objectIn(options, 'options');
    const prior = objectIn(options.prior, 'prior') as Record<string, number> & { kind: keyof typeof KINDS };
    if (!Object.hasOwn(KINDS, prior.kind))
      refuse('prior.kind', `prior.kind is ${shown(prior.kind)}; it must be 'beta' or 'normal'.`);
    this.#kind = KINDS[prior.kind];
    const values = this.#kind.prior.map((name) => numberIn(prior[name], `prior.${name}`));
    this.pairs = numberIn(options.pairs, 'pairs', { min: 1, max: 2 ** 31, integer: true });
    this.prior = options.prior;
    this.#native = addon.beliefsCreate(
      this.#kind.native,
      Float64Array.from(values),
      this.pairs,
      parseDevice(options.device),
    );
    this.device = deviceName(addon.beliefsDevice(this.#native));
  }

  /**
   * Conjugate update of every pair. With `forgetting` below 1 that share of all evidence is kept first, in every pair.
   *
   * @throws InvalidArgumentError (as a rejection) naming the pair of an impossible statistic; nothing has then changed.
   */
  async update(
    statistics: BeliefStatistics,
    options: { forgetting?: number } & Pick<BatchOptions, 'signal'> = {},
  ): Promise<void> {
    objectIn(options, 'options');
    const given = objectIn(statistics, 'statistics');
    const forgetting = numberIn(options.forgetting ?? 1, 'forgetting', { min: 0, above: true, max: 1 });
    const columns = this.#kind.statistics;
    const all = new Float32Array(columns.length * this.pairs);
    columns.forEach((name, c) => {
      const column = given[name];
      if (!(column instanceof Float32Array) || column.length !== this.pairs)
        refuse(name, `${name} must be a Float32Array of ${this.pairs} elements, one a pair.`);
      all.set(column as Float32Array, c * this.pairs);
    });
    await runJob({ signal: options.signal }, (control) =>
      addon.beliefsUpdate(this.#native, all, all.length, forgetting, control),
    );
  }

  /** The parameters, one array a parameter: `{ alpha, beta }` or `{ mean, kappa, alpha, beta }`. */
  async read(): Promise<Record<string, Float64Array>> {
    const names = this.#kind.prior;
    const all = new Float64Array(names.length * this.pairs);
    await runJob({}, (control) => addon.beliefsRead(this.#native, all, all.length, control));
    return Object.fromEntries(names.map((name, c) => [name, all.subarray(c * this.pairs, (c + 1) * this.pairs)]));
  }

  /** Replaces all parameters by what `read` gave. @throws InvalidArgumentError naming the pair. */
  async write(parameters: Readonly<Record<string, Float64Array>>): Promise<void> {
    const all = new Float64Array(this.#kind.prior.length * this.pairs);
    this.#kind.prior.forEach((name, c) => {
      const column = objectIn(parameters, 'parameters')[name];
      if (!(column instanceof Float64Array) || column.length !== this.pairs)
        refuse(name, `${name} must be a Float64Array of ${this.pairs} elements, one a pair.`);
      all.set(column as Float64Array, c * this.pairs);
    });
    await runJob({}, (control) => addon.beliefsWrite(this.#native, all, all.length, control));
  }

  /**
   * Mean, variance and equal-tailed credible interval of each success probability or normal mean. `level` is above 0 and below 1,
   * default 0.95. The variance of a normal mean is Infinity while `alpha` is 1 or less.
   */
  async summary(
    options: { level?: number } & Pick<BatchOptions, 'signal' | 'onProgress'> = {},
  ): Promise<{ mean: Float64Array; variance: Float64Array; lower: Float64Array; upper: Float64Array }> {
    objectIn(options, 'options');
    const level = numberIn(options.level ?? 0.95, 'level');
    const make = () => new Float64Array(this.pairs);
    const out = { mean: make(), variance: make(), lower: make(), upper: make() };
    await runJob(options, (control) =>
      addon.beliefsSummary(this.#native, this.pairs, level, out.mean, out.variance, out.lower, out.upper, control),
    );
    return out;
  }

  /** One draw of each success probability or normal mean (Thompson sampling). */
  async sample(options: RandomOptions & Pick<BatchOptions, 'signal' | 'onProgress'> = {}): Promise<Float64Array> {
    objectIn(options, 'options');
    const range = { min: 0, max: SEED_MAX, integer: true };
    const seed = numberIn(options.seed ?? 0, 'seed', range);
    const stream = numberIn(options.stream ?? 0, 'stream', range);
    const draws = new Float64Array(this.pairs);
    await runJob(options, (control) => addon.beliefsSample(this.#native, this.pairs, seed, stream, draws, control));
    return draws;
  }

  /** Frees the native memory. Calls that run finish first; later ones throw InvalidArgumentError. */
  dispose(): void {
    addon.beliefsDispose(this.#native);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
